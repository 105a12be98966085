"""The model of the `linear` classifier: its weights, and the logits of Docs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.ml.linear_features import PAIR, Bags, Features, Units, pair_units, word_units
from glossator.ml.logistic_regression import Design, Weights
from glossator.ml.sparse import SparseMatrix, sums_by_row

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.strings import StringStore

    from glossator.ml.logistic_regression import Floats
    from glossator.ml.ngrams import Hashes

# The intercept is a weight like the others, of a feature with this small value: with few documents, most
# features of a new one are unknown, and a free intercept would give it the most frequent label.
INTERCEPT = 0.25
MOST_WEIGHTS = 7_000_000  # while learning: L-BFGS keeps some 20 arrays of them, 0.6 GB
MOST_CACHED = 200_000  # words whose sums are kept

_NEGLIGIBLE = 0.02  # a feature adds at most this share of what the strongest one adds


def design_of(bags: Bags, features: Features, texts: Sequence[str], dense: Floats) -> Design:
    """Return the features of documents, each of the two groups (words and pairs; n-grams) of length 1.

    Example:
        design = design_of(bags, features, texts, with_intercept(vectors))

    Args:
        bags: The words and pairs of the documents.
        features: The features that the model knows.
        texts: The text of each of `bags.keys`.
        dense: (docs, width) further features, the intercept last.
    """
    hashes, pairs = np.unique(bags.pairs, return_inverse=True)
    of_words, of_pairs = word_units(features, bags.keys, texts), pair_units(features, hashes)
    # A pair that occurs twice in a document counts once, like a word.
    entries = np.unique(bags.pair_docs * max(len(hashes), 1) + pairs.reshape(-1))
    pair_docs, pairs = np.divmod(entries, max(len(hashes), 1))

    words = len(bags.keys)
    rows = np.concatenate([bags.word_docs, bags.word_docs, pair_docs])
    columns = np.concatenate([bags.words, bags.words + words, pairs + 2 * words])
    units = _stacked(of_words, of_pairs)
    is_ngrams = (columns >= words) & (columns < 2 * words)
    scales = _group_scales(rows, units.squares[columns], is_ngrams, bags.count)

    shape = (bags.count, 2 * words + len(hashes))
    documents = SparseMatrix(shape, rows.astype(np.int32), columns.astype(np.int32), scales)
    return Design(documents, units.matrix, dense)


def with_intercept(dense: Floats) -> Floats:
    """Return dense features with a column for the intercept.

    Example:
        with_intercept(np.zeros((2, 0), dtype="f"))  # [[0.25], [0.25]]
    """
    return np.hstack([dense, np.full((len(dense), 1), INTERCEPT, dtype=np.float32)])


def telling_features(features: Features, weights: Weights) -> NDArray[np.intp]:
    """Return the indices of the features that add more than next to nothing, rising.

    Example:
        kept = telling_features(features, weights)
        LinearModel(features.some(kept), Weights(weights.sparse[kept], weights.dense))
    """
    effects = np.abs(weights.sparse * features.idf[:, None]).max(axis=1, initial=0)
    return np.flatnonzero(effects > _NEGLIGIBLE * effects.max(initial=0))


def rounded(array: Floats) -> Floats:
    """Return the nearest values that one byte each can hold, with a scale for each row.

    Example:
        rounded(np.array([[1.0, 0.301]], dtype="f"))  # [[1, 0.299]]
    """
    steps, scales = as_bytes(array)
    return steps * scales


def as_bytes(array: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Return (rows, labels) bytes and (rows, 1) scales; of rounded values they are exact.

    Example:
        steps, scales = as_bytes(rounded(weights))
        steps * scales  # the rounded weights
    """
    # A scale of few digits times 127, and that divided by 127 again, are exact in single precision.
    scales = (np.abs(array).max(axis=1, keepdims=True, initial=0) / 127).astype(np.float16).astype(np.float32)
    steps = np.round(array / np.where(scales > 0, scales, 1))
    return np.clip(steps, -127, 127).astype(np.int8), scales


class LinearModel:
    """Weights of features, and the logits of documents.

    What a word adds to the logits is computed once and cached: a document then costs one row per word.

    Example:
        model = LinearModel(features, weights)
        model.logits(bags, vocab.strings, with_intercept(dense))  # (docs, labels)

    Attributes:
        features: The features.
        weights: Their weights.
    """

    def __init__(self, features: Features, weights: Weights) -> None:
        self.features = features
        self.weights = weights
        self._labels = weights.sparse.shape[1]
        # A word's row: what it adds, what its n-grams add, and the squared lengths of both.
        self._keys: Hashes = np.zeros(0, dtype=np.uint64)
        self._rows: Floats = np.zeros((0, 2 * self._labels + 2), dtype=np.float32)
        is_pair = np.flatnonzero(features.kinds == PAIR)
        idf = features.idf[is_pair, None]
        self._pair_hashes = features.hashes[is_pair]
        self._pair_rows = np.hstack([weights.sparse[is_pair] * idf, idf**2])

    def logits(self, bags: Bags, strings: StringStore, dense: Floats) -> Floats:
        """Return the (docs, labels) logits.

        Args:
            bags: The words and pairs of the documents.
            strings: Has the texts of the words.
            dense: (docs, width) further features, the intercept last.
        """
        labels = self._labels
        words = sums_by_row(bags.word_docs, self._rows_of(bags.keys, strings)[bags.words], bags.count)
        pairs = self._pair_sums(bags)
        own = words[:, :labels] + pairs[:, :labels]
        own_scale = _inverse_root(words[:, -2] + pairs[:, -1])
        ngrams, ngram_scale = words[:, labels : 2 * labels], _inverse_root(words[:, -1])
        sparse = own * own_scale[:, None] + ngrams * ngram_scale[:, None]
        return np.asarray(sparse + dense @ self.weights.dense, dtype=np.float32)

    def _rows_of(self, keys: Hashes, strings: StringStore) -> Floats:
        """Return the rows of words, keys rising; those of new ones are computed and cached."""
        known = np.zeros(len(keys), dtype=bool)
        if len(self._keys):
            places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            known = self._keys[places] == keys
        if known.all():
            return self._rows[places] if len(keys) else self._rows[:0]

        new = keys[~known]
        if len(self._keys) + len(new) > MOST_CACHED:
            self._keys, self._rows = self._keys[:0], self._rows[:0]
            new = keys
        rows = self._computed(new, [strings[key] for key in new.tolist()])
        places = np.searchsorted(self._keys, new)
        self._keys = np.insert(self._keys, places, new)
        self._rows = np.insert(self._rows, places, rows, axis=0)
        return self._rows[np.searchsorted(self._keys, keys)]

    def _computed(self, keys: Hashes, texts: Sequence[str]) -> Floats:
        units = word_units(self.features, keys, texts)
        sums = units.matrix.times(self.weights.sparse)
        own, ngrams = np.split(sums, 2)
        squares = units.squares.reshape(2, -1).T.astype(np.float32)
        return np.hstack([own, ngrams, squares])

    def _pair_sums(self, bags: Bags) -> Floats:
        count = len(self._pair_hashes)
        if not count:
            return np.zeros((bags.count, self._labels + 1), dtype=np.float32)
        places = np.minimum(np.searchsorted(self._pair_hashes, bags.pairs), count - 1)
        known = self._pair_hashes[places] == bags.pairs
        docs, pairs = np.divmod(np.unique(bags.pair_docs[known] * count + places[known]), count)
        return sums_by_row(docs, self._pair_rows[pairs], bags.count)


def _stacked(words: Units, pairs: Units) -> Units:
    first, second = words.matrix, pairs.matrix
    count = first.shape[0]
    matrix = SparseMatrix(
        (count + second.shape[0], first.shape[1]),
        rows=np.concatenate([first.rows, second.rows + np.int32(count)]),
        columns=np.concatenate([first.columns, second.columns]),
        values=np.concatenate([first.values, second.values]),
    )
    return Units(matrix, np.concatenate([words.squares, pairs.squares]))


def _group_scales(
    rows: NDArray[np.intp], squares: NDArray[np.float64], is_ngrams: NDArray[np.bool_], count: int
) -> Floats:
    """Return for each entry the inverse length of its group of features in its document.

    Units count as orthogonal, so that lengths are sums over units.
    """
    scales = np.empty(len(rows), dtype=np.float32)
    for group in (is_ngrams, ~is_ngrams):
        lengths: Any = np.bincount(rows[group], squares[group], count)
        scales[group] = _inverse_root(lengths)[rows[group]]
    return scales


def _inverse_root(squares: NDArray[Any]) -> NDArray[Any]:
    return np.where(squares > 0, 1 / np.sqrt(np.where(squares > 0, squares, 1)), 0)
