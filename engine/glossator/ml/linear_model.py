"""The model of the `linear` classifier: its weights, and the logits of Docs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glossator.ml.linear_features import PAIR, Bags, Features, word_units
from glossator.ml.logistic_regression import Weights
from glossator.ml.row_cache import RowCache
from glossator.ml.sparse import inverse_roots, sums_by_row

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

_NEGLIGIBLE = 0.003  # a feature adds at most this share of what the strongest one adds
_MOST_BYTES = 8_000_000  # of a saved model, about
_BYTES_OF_FEATURE = 28  # besides one for each label: hash, kind, factor, scale, and a name


def with_intercept(dense: Floats) -> Floats:
    """Return dense features with a column for the intercept.

    Example:
        with_intercept(np.zeros((2, 0), dtype="f"))  # [[0.25], [0.25]]
    """
    return np.hstack([dense, np.full((len(dense), 1), INTERCEPT, dtype=np.float32)])


def telling_features(features: Features, weights: Weights) -> NDArray[np.intp]:
    """Return the indices of the features that add most, rising: as many as a model of a few MB holds.

    Those that add next to nothing are never among them.

    Example:
        kept = telling_features(features, weights)
        LinearModel(features.some(kept), Weights(weights.sparse[kept], weights.dense))
    """
    effects = np.abs(weights.sparse * features.factors[:, None]).max(axis=1, initial=0)
    kept = np.flatnonzero(effects > _NEGLIGIBLE * effects.max(initial=0))
    most = _MOST_BYTES // (_BYTES_OF_FEATURE + weights.sparse.shape[1])
    return np.sort(kept[np.argsort(-effects[kept], kind="stable")[:most]])


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
        self._cache = RowCache(MOST_CACHED)
        is_pair = np.flatnonzero(features.kinds == PAIR)
        factors = features.factors[is_pair, None]
        self._pair_hashes = features.hashes[is_pair]
        self._pair_rows = np.hstack([weights.sparse[is_pair] * factors, factors**2])

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
        own_scale = inverse_roots(words[:, -2] + pairs[:, -1])
        ngrams, ngram_scale = words[:, labels : 2 * labels], inverse_roots(words[:, -1])
        sparse = own * own_scale[:, None] + ngrams * ngram_scale[:, None]
        return np.asarray(sparse + dense @ self.weights.dense, dtype=np.float32)

    def _rows_of(self, keys: Hashes, strings: StringStore) -> Floats:
        """Return the rows of words, keys rising; those of new ones are computed and cached."""

        def compute(new: NDArray[np.intp]) -> Floats:
            return self._computed(keys[new], [strings[key] for key in keys[new].tolist()])

        return self._cache.rows(keys, compute)

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
