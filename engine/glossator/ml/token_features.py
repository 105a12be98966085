"""The sparse features of words in their sentences, for linear taggers.

A word has features of its own, of its neighbours up to two words away, and of the pairs that it makes with
the word before and after it: those of most CRF tutorials (Okazaki 2007, CRFsuite).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from spacy.attrs import LOWER as LOWER_ATTRIBUTE
from spacy.attrs import ORTH as ORTH_ATTRIBUTE
from spacy.attrs import SHAPE as SHAPE_ATTRIBUTE

from glossator.ml.feature_table import FeatureTable, first_of_each
from glossator.ml.ngrams import mixed
from glossator.ml.word_features import (
    AFFIX_SIZES,
    LOWER,
    OUTLINE,
    PREFIXES,
    SHAPE,
    SUFFIXES,
    WORD,
    outline_of,
    word_features,
)
from glossator.ml.words import Words, strings_of, words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc

    from glossator.ml.feature_table import Hashes

    Floats = NDArray[np.float32]

# What is used of a word by the words around it, by its distance: 1 is the next word.
TEMPLATES: dict[int, tuple[int, ...]] = {
    -2: (LOWER, SHAPE),
    -1: (LOWER, SHAPE, SUFFIXES[2]),
    0: (WORD, LOWER, SHAPE, OUTLINE, *PREFIXES, *SUFFIXES),
    1: (LOWER, SHAPE, SUFFIXES[2]),
    2: (LOWER, SHAPE),
}
OFFSETS = tuple(TEMPLATES)
VECTOR_OFFSETS = (-1, 0, 1)
# A pair that was met once in training says nothing that its two words do not say.
LEAST_PAIRS = 2

_NAMES = ("word", "lower", "shape", "outline", *(["prefix"] * len(PREFIXES)), *(["suffix"] * len(SUFFIXES)))
_EDGE, _PAIR = len(_NAMES), len(_NAMES) + 1  # kinds of features beside the columns of `word_features`
_ODD = np.uint64(0x9E3779B97F4A7C15)
_NO_WORD = np.uint64(0)
NO_WORDS = np.zeros((0, len(_NAMES)), dtype=np.uint64)  # for the features of the edge alone


@dataclass(frozen=True, slots=True)
class TokenFeatures:
    """The words of some Docs, with all that their features are made of.

    Example:
        tokens = TokenFeatures.of(docs)
        table = FeatureTable.of(tokens.named())
        tokens.rows(table)  # (words, slots): the features of each word

    Attributes:
        words: The words.
        keys: (distinct words,) spaCy's `ORTH` of each, rising.
        index: (words,) the distinct word of each word.
        values: (distinct words, columns) their `word_features`.
        strings: The distinct words as text.
        shapes: Their shapes as text.
    """

    words: Words
    keys: Hashes
    index: NDArray[np.intp]
    values: Hashes
    strings: list[str]
    shapes: list[str]

    @classmethod
    def of(cls, docs: Sequence[Doc]) -> TokenFeatures:
        """Return the features of all words of Docs; white-space tokens are none."""
        found = DistinctWords.of(docs)
        every = np.arange(len(found.keys))
        values, strings, shapes = found.describe(every)
        return cls(found.words, found.keys, found.index, values, strings, shapes)

    def rows(self, table: FeatureTable) -> NDArray[np.int32]:
        """Return the (words, slots) numbers of each word's features; `len(table)` for what is unknown."""
        around = neighbours(self.index, self.words.lengths, OFFSETS, fill=len(self.keys))
        found = [table.find(hashes) for hashes in word_hashes(self.values).values()]
        columns = [numbers[words] for numbers, words in zip(found, around, strict=True)]
        pairs = pair_hashes(self.values[self.index, LOWER], self.words.lengths)
        columns += [table.find(hashes)[:, None] for hashes in pairs]
        return np.concatenate(columns, axis=1)

    def named(self) -> dict[int, str]:
        """Return the names of all features, by their hashes; pairs only if they are frequent enough."""
        named = {}
        for offset, hashes in word_hashes(self.values).items():
            place = f"[{offset:+d}]" if offset else ""
            for column, slot in zip(TEMPLATES[offset], hashes[:-1].T, strict=True):
                for key, first in first_of_each(slot):
                    named[key] = f"{_NAMES[column]}{place}={self._text(column, first)}"
            named[int(hashes[-1, 0])] = f"edge{place}"
        return named | dict(self._named_pairs())

    def _text(self, column: int, word: int) -> str:
        string = self.strings[word]
        if column in PREFIXES:
            return string[: AFFIX_SIZES[column - PREFIXES[0]]]
        if column in SUFFIXES:
            return string[-AFFIX_SIZES[column - SUFFIXES[0]] :]
        if column == LOWER:
            return string.lower()
        if column == OUTLINE:
            return outline_of(self.shapes[word])
        return string if column == WORD else self.shapes[word]

    def _named_pairs(self) -> Iterator[tuple[int, str]]:
        before, after = pair_hashes(self.values[self.index, LOWER], self.words.lengths)
        lower = [self.strings[word].lower() for word in range(len(self.keys))]
        for hashes, step, place in ((before, -1, ""), (after, 1, "[+1]")):
            keys, first, counts = np.unique(hashes, return_index=True, return_counts=True)
            frequent = (counts >= LEAST_PAIRS) & (keys != _NO_WORD)
            for key, at in zip(keys[frequent].tolist(), first[frequent].tolist(), strict=True):
                words = [lower[self.index[i]] for i in sorted((at, at + step))]
                yield key, f"pair{place}={' '.join(words)}"


@dataclass(frozen=True, slots=True)
class DistinctWords:
    """The words of some Docs, and which of them are the same.

    Example:
        found = DistinctWords.of(docs)
        found.describe(np.flatnonzero(is_new))  # computed for new words only

    Attributes:
        docs: The Docs.
        words: Their words, with the attributes ORTH, LOWER and SHAPE.
        keys: (distinct words,) spaCy's `ORTH` of each, rising.
        first: (distinct words,) the first word that is it.
        index: (words,) the distinct word of each word.
    """

    docs: Sequence[Doc]
    words: Words
    keys: Hashes
    first: NDArray[np.intp]
    index: NDArray[np.intp]

    @classmethod
    def of(cls, docs: Sequence[Doc]) -> DistinctWords:
        """Return the words of Docs; white-space tokens are none."""
        words = words_of(docs, (ORTH_ATTRIBUTE, LOWER_ATTRIBUTE, SHAPE_ATTRIBUTE))
        keys, first, index = np.unique(words.features[:, 0], return_index=True, return_inverse=True)
        return cls(docs, words, keys, first, index.reshape(-1))

    @property
    def lower(self) -> Hashes:
        """(words,) spaCy's `LOWER` of each word."""
        return self.words.features[:, 1]

    def describe(self, some: NDArray[np.intp]) -> tuple[Hashes, list[str], list[str]]:
        """Return the `word_features`, the strings and the shapes of some of the distinct words."""
        first = self.first[some]
        attributes = self.words.features[first]
        strings = strings_of(self.docs, self.words, first, attributes[:, 0])
        shapes = strings_of(self.docs, self.words, first, attributes[:, 2])
        word, lower, shape = attributes.T
        return word_features(word, lower, shape, strings, shapes), strings, shapes


def word_hashes(values: Hashes) -> dict[int, Hashes]:
    """Return what words contribute at each offset: (words + 1, templates) hashes.

    The last row stands for the edge of a sentence, which has a single feature; the others are 0.

    Example:
        word_hashes(values)[-1]  # the features that each word has as the one before
    """
    hashes = {}
    for offset, columns in TEMPLATES.items():
        slots = [mixed(values[:, column], _kind(column, offset)) for column in columns]
        edge = np.zeros((1, len(columns)), dtype=np.uint64)
        edge[0, 0] = mixed(edge[0, :1], _kind(_EDGE, offset))[0]
        hashes[offset] = np.concatenate([np.stack(slots, axis=1), edge])
    return hashes


def pair_hashes(lower: Hashes, lengths: NDArray[np.int32]) -> tuple[Hashes, Hashes]:
    """Return (words,) hashes of the pair with the word before, and with the word after; 0 for no pair.

    Example:
        before, after = pair_hashes(found.lower, found.words.lengths)
    """
    # Multiplying by an odd number makes the order of a pair matter, and loses no bit.
    pairs = lower[:-1] * _ODD ^ lower[1:]
    within = np.ones(max(len(lower) - 1, 0), dtype=bool)
    within[np.cumsum(lengths[:-1]) - 1] = False
    before, after = np.zeros_like(lower), np.zeros_like(lower)
    before[1:] = np.where(within, mixed(pairs, _kind(_PAIR, -1)), _NO_WORD)
    after[:-1] = np.where(within, mixed(pairs, _kind(_PAIR, 1)), _NO_WORD)
    return before, after


def neighbours(
    index: NDArray[np.intp], lengths: NDArray[np.int32], offsets: Sequence[int], fill: int
) -> NDArray[np.intp]:
    """Return (offsets, words): the index of the word at each offset, `fill` beyond the ends of its sentence.

    Example:
        neighbours(np.array([5, 6, 7]), np.array([2, 1]), [-1, 1], fill=9)  # [[9, 5, 9], [6, 9, 9]]
    """
    # Fill values between the sentences, as many as the widest offset reaches.
    reach = max(abs(offset) for offset in offsets)
    sentences = np.repeat(np.arange(1, len(lengths) + 1), lengths)
    places = np.arange(len(index)) + reach * sentences
    spread = np.full(len(index) + reach * (len(lengths) + 1), fill, dtype=np.intp)
    spread[places] = index
    return np.stack([spread[places + offset] for offset in offsets])


def vectors_around(vectors: Floats, lengths: NDArray[np.int32]) -> Floats:
    """Return (words, 3 * width): the vectors of the word before, of each word, and of the word after.

    Example:
        vectors_around(np.array([[1.0], [2.0]]), np.array([2]))  # [[0, 1, 2], [1, 2, 0]]

    Args:
        vectors: (words, width) vectors; those beyond the ends of a sentence are 0.
        lengths: (sentences,) words of each.
    """
    count, width = vectors.shape
    rows = np.concatenate([vectors, np.zeros((1, width), dtype=vectors.dtype)])
    around = neighbours(np.arange(count), lengths, VECTOR_OFFSETS, fill=count)
    return np.concatenate(rows[around], axis=1)


def is_pair(name: str) -> bool:
    """Return whether the name of a feature is that of a pair of words.

    Example:
        is_pair("pair[+1]=new york")  # True
    """
    return name.startswith(("pair=", "pair["))


def _kind(column: int, offset: int) -> int:
    return column * 16 + offset + 8
