"""The emissions of a trained sparse CRF; what each distinct word contributes is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glossator.ml.row_cache import RowCache
from glossator.ml.token_features import (
    NO_WORDS,
    OFFSETS,
    DistinctWords,
    is_pair,
    neighbours,
    pair_hashes,
    word_hashes,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc

    from glossator.ml.crf_weights import CRFWeights, Floats
    from glossator.ml.feature_table import FeatureTable, Hashes
    from glossator.ml.words import Words

MOST_CACHED = 100_000  # distinct words: 14 MB for 7 labels


class CRFEmissions:
    """Computes emissions from the sparse features of words, a few look-ups per word.

    Example:
        words, emissions = CRFEmissions(table, weights).of(docs)

    Args:
        table: The features.
        weights: Their weights.
    """

    def __init__(self, table: FeatureTable, weights: CRFWeights) -> None:
        self._table = table
        self._sparse = weights.sparse
        self._cache = RowCache(MOST_CACHED)
        self._edge = self._sums(NO_WORDS, edge=True)
        pairs = np.flatnonzero([is_pair(name) for name in table.names])
        self._pairs = table.some(pairs)
        self._pair_rows = np.concatenate([weights.sparse[pairs], weights.sparse[-1:]])

    def of(self, docs: Sequence[Doc]) -> tuple[Words, Floats]:
        """Return the words of Docs, and their (words, labels) emissions."""
        found = DistinctWords.of(docs)
        lengths = found.words.lengths
        contributions = self._contributions(found)
        emissions = np.zeros((len(found.index), self._sparse.shape[1]), dtype=np.float32)
        around = neighbours(found.index, lengths, OFFSETS, fill=len(found.keys))
        for each, words in zip(contributions, around, strict=True):
            emissions += each[words]
        for hashes in pair_hashes(found.lower, lengths):
            self._add_pairs(emissions, hashes)
        return found.words, emissions

    def _add_pairs(self, emissions: Floats, hashes: Hashes) -> None:
        numbers = self._pairs.find(hashes)
        known = np.flatnonzero(numbers < len(self._pairs))
        emissions[known] += self._pair_rows[numbers[known]]

    def _contributions(self, found: DistinctWords) -> NDArray[np.float32]:
        """Return the (offsets, words + 1, labels) contributions of distinct words, and of the edge."""

        def compute(new: NDArray[np.intp]) -> Floats:
            return self._sums(found.describe(new)[0])

        rows = self._cache.rows(found.keys, compute)
        return np.concatenate([rows, self._edge]).transpose(1, 0, 2)

    def _sums(self, values: Hashes, *, edge: bool = False) -> Floats:
        """Return the (words, offsets, labels) sums over the features of words, or of the edge alone."""
        sums = [
            self._sparse[self._table.find(hashes if edge else hashes[:-1])].sum(axis=1)
            for hashes in word_hashes(values).values()
        ]
        return np.stack(sums, axis=1)
