"""The features of the `linear` classifier: words, their character n-grams, and pairs of neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from spacy.attrs import LOWER

from glossator.ml.ngrams import NGrams, character_ngrams, mixed
from glossator.ml.sparse import SparseMatrix
from glossator.ml.words import words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc

    from glossator.ml.logistic_regression import Floats
    from glossator.ml.ngrams import Hashes

SIZES = (2, 3, 4, 5)  # of the character n-grams
WORD, NGRAM, PAIR = 0, 1, 2  # the kinds of features

_WORD_SALT, _PAIR_SALT = 101, 102
# Stands before the first and after the last word of a document.
_EDGE = np.uint64(0)
_EDGE_NAME = "|"
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Bags:
    """The distinct words, and distinct pairs of neighbouring words, of some Docs.

    Example:
        bags = bags_of(docs)
        bags.keys[bags.words[bags.word_docs == 0]]  # the words of the first Doc

    Attributes:
        count: Number of Docs.
        keys: (distinct words,) spaCy's hashes of the lower-cased words, rising.
        word_docs: (entries,) Doc of each of its distinct words, rising.
        words: (entries,) index into `keys` of that word.
        pairs: (entries of pairs,) hash of each pair; a Doc's pairs may repeat.
        pair_docs: (entries of pairs,) Doc of each pair, rising.
        neighbours: (entries of pairs, 2) keys of the two words, 0 for the edge of the Doc.
    """

    count: int
    keys: Hashes
    word_docs: NDArray[np.intp]
    words: NDArray[np.intp]
    pairs: Hashes
    pair_docs: NDArray[np.intp]
    neighbours: Hashes


def bags_of(docs: Sequence[Doc]) -> Bags:
    """Return the words and pairs of Docs; white space is neither.

    Example:
        bags = bags_of([nlp("Not good.")])
        len(bags.keys), len(bags.pairs)  # (3, 4): before the first word and after the last is an edge
    """
    words = words_of(docs, [LOWER])
    tokens, starts = words.features[:, 0], words.word_starts
    keys, inverse = np.unique(tokens, return_inverse=True)
    owners = np.repeat(np.arange(len(docs)), np.diff(starts))
    entries = np.unique(owners * max(len(keys), 1) + inverse.reshape(-1))
    word_docs, of_doc = np.divmod(entries, max(len(keys), 1))

    # One edge between two documents serves both; a pair belongs to the document of its later edge or word.
    sequence = np.insert(tokens, starts, _EDGE)
    left, right = sequence[:-1], sequence[1:]
    pair_docs = np.repeat(np.arange(len(docs)), np.diff(starts) + 1)
    real = (left != _EDGE) | (right != _EDGE)
    neighbours = np.stack([left[real], right[real]], axis=1)
    # Multiplying by an odd number makes the order of a pair matter, and loses no bit.
    pairs = mixed(neighbours[:, 0] * _ODD ^ neighbours[:, 1], _PAIR_SALT)
    return Bags(len(docs), keys, word_docs, of_doc, pairs, pair_docs[real], neighbours)


@dataclass(frozen=True, slots=True)
class Features:
    """The features that a model knows.

    Example:
        features = collect_features(bags, texts, most=100_000)
        features.names[int(features.find(hashes)[0])]

    Attributes:
        hashes: (features,) 64-bit hashes, rising.
        kinds: (features,) `WORD`, `NGRAM` or `PAIR`.
        factors: (features,) what each counts in a document that has it: its inverse document frequency,
            times how much it tells of the labels.
        names: The features as text.
    """

    hashes: Hashes
    kinds: NDArray[np.uint8]
    factors: Floats
    names: tuple[str, ...]

    def find(self, hashes: Hashes) -> NDArray[np.intp]:
        """Return the index of each feature, -1 for unknown ones."""
        if not len(self.hashes):
            return np.full(len(hashes), -1)
        found = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return np.where(self.hashes[found] == hashes, found, -1)

    def some(self, kept: NDArray[Any]) -> Features:
        """Return the features at some rising indices."""
        names = tuple(self.names[i] for i in kept.tolist())
        return Features(self.hashes[kept], self.kinds[kept], self.factors[kept], names)


def collect_features(bags: Bags, texts: Sequence[str], most: int) -> Features:
    """Return the features of documents to learn from.

    Example:
        texts = [vocab.strings[key] for key in bags.keys.tolist()]
        features = collect_features(bags, texts, most=100_000)

    Args:
        bags: The documents.
        texts: The text of each of `bags.keys`.
        most: The maximum number of features: the most frequent ones are kept.
    """
    found = _all_features(bags, texts)
    idf = _idf(found.frequencies, bags.count)
    # Of equally frequent features the one with the lower hash, whatever the order of the documents.
    kept = np.sort(np.lexsort((found.hashes, -np.round(found.frequencies, 6)))[:most])
    return _sorted(found, kept, idf)


def add_features(
    features: Features, bags: Bags, texts: Sequence[str], documents: int
) -> tuple[Features, NDArray[np.intp]]:
    """Return features with those of further documents, and the indices at which the old ones now are.

    Example:
        features, places = add_features(features, bags, texts, documents=1000)

    Args:
        features: The features so far.
        bags: The further documents.
        texts: The text of each of `bags.keys`.
        documents: The number of documents that the old features were counted in: each new one is as
            rare as if it had been in one of them.
    """
    found = _all_features(bags, texts)
    new = _sorted(
        found,
        np.flatnonzero(features.find(found.hashes) < 0),
        _idf(np.ones(len(found.hashes)), documents),
    )
    hashes = np.concatenate([features.hashes, new.hashes])
    order = np.argsort(hashes)
    names = features.names + new.names
    joined = Features(
        hashes[order],
        np.concatenate([features.kinds, new.kinds])[order],
        np.concatenate([features.factors, new.factors])[order],
        tuple(names[i] for i in order.tolist()),
    )
    return joined, np.searchsorted(joined.hashes, features.hashes)


@dataclass(frozen=True, slots=True)
class Units:
    """The features of some units, which are two for each word (itself, its n-grams) and one for each pair.

    Example:
        units = word_units(features, bags.keys, texts)

    Attributes:
        matrix: (units, features) factors of the features of each unit.
        squares: (units,) squared lengths of the rows.
    """

    matrix: SparseMatrix
    squares: NDArray[np.float64]


def word_units(features: Features, keys: Hashes, texts: Sequence[str]) -> Units:
    """Return the units of words: first one for each word itself, then one for the n-grams of each.

    Example:
        units = word_units(features, bags.keys, texts)
        units.squares.reshape(2, -1)  # of each word, and of its n-grams
    """
    grams = character_ngrams(texts, SIZES)
    hashes = np.concatenate([mixed(keys, _WORD_SALT), grams.hashes])
    rows = np.concatenate([np.arange(len(keys)), grams.owners + len(keys)]).astype(np.int32)
    return _units(features, features.find(hashes), rows, 2 * len(keys))


def pair_units(features: Features, hashes: Hashes) -> Units:
    """Return one unit for each pair.

    Example:
        units = pair_units(features, np.unique(bags.pairs))
    """
    return _units(features, features.find(hashes), np.arange(len(hashes), dtype=np.int32), len(hashes))


def _units(features: Features, found: NDArray[np.intp], rows: NDArray[np.int32], count: int) -> Units:
    known = found >= 0
    columns = found[known].astype(np.int32)
    matrix = SparseMatrix((count, len(features.hashes)), rows[known], columns, features.factors[columns])
    return Units(matrix, matrix.row_sums_of_squares())


@dataclass(frozen=True, slots=True)
class _Found:
    hashes: Hashes
    kinds: NDArray[np.uint8]
    frequencies: NDArray[np.float64]
    names: list[str]


def _all_features(bags: Bags, texts: Sequence[str]) -> _Found:
    parts = [_words(bags, texts), _ngrams(bags, texts), _pairs(bags, texts)]
    return _Found(
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.kinds for part in parts]),
        np.concatenate([part.frequencies for part in parts]),
        [name for part in parts for name in part.names],
    )


def _found(kind: int, hashes: Hashes, frequencies: NDArray[np.float64], names: Sequence[str]) -> _Found:
    return _Found(hashes, np.full(len(hashes), kind, dtype=np.uint8), frequencies, list(names))


def _sorted(found: _Found, kept: NDArray[np.intp], idf: Floats) -> Features:
    order = kept[np.argsort(found.hashes[kept])]
    names = tuple(found.names[i] for i in order.tolist())
    return Features(found.hashes[order], found.kinds[order], idf[order], names)


def _idf(frequencies: NDArray[np.float64], documents: int) -> Floats:
    return np.asarray(np.log((1 + documents) / (1 + frequencies)) + 1, dtype=np.float32)


def _words(bags: Bags, texts: Sequence[str]) -> _Found:
    return _found(WORD, mixed(bags.keys, _WORD_SALT), _word_frequencies(bags), texts)


def _word_frequencies(bags: Bags) -> NDArray[np.float64]:
    return np.bincount(bags.words, minlength=len(bags.keys)).astype(np.float64)


def _ngrams(bags: Bags, texts: Sequence[str]) -> _Found:
    """Return the n-grams, with document frequencies as if words were independent of each other.

    To count them exactly, the n-grams of every document would have to be made.
    """
    grams: NGrams = character_ngrams(texts, SIZES)
    hashes, first, inverse = np.unique(grams.hashes, return_index=True, return_inverse=True)
    without = np.log1p(-_word_frequencies(bags) / (bags.count + 1))
    all_without = np.bincount(inverse.reshape(-1), without[grams.owners], len(hashes))
    frequencies = bags.count * -np.expm1(all_without)
    return _found(NGRAM, hashes, frequencies, [grams.text(texts, i) for i in first.tolist()])


def _pairs(bags: Bags, texts: Sequence[str]) -> _Found:
    hashes, first, inverse = np.unique(bags.pairs, return_index=True, return_inverse=True)
    once = np.unique(bags.pair_docs * max(len(hashes), 1) + inverse.reshape(-1))
    frequencies = np.bincount(once % max(len(hashes), 1), minlength=len(hashes)).astype(np.float64)
    text_of = dict(zip(bags.keys.tolist(), texts, strict=True))
    text_of[int(_EDGE)] = _EDGE_NAME
    names = [f"{text_of[left]} {text_of[right]}" for left, right in bags.neighbours[first].tolist()]
    return _found(PAIR, hashes, frequencies, names)
