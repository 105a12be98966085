"""The weights of a linear-chain CRF over sparse and dense features, and the sums that they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.ml.chain_decoding import Chain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_CHUNK = 4096  # words whose features are looked up at a time
# Features whose weights all stay below this change no probability by much: some three quarters of them.
_NEGLIGIBLE = 0.15


@dataclass(frozen=True, slots=True)
class CRFWeights:
    """One weight for each feature and label, and those of a chain over the labels.

    Example:
        weights = CRFWeights.zeros(features=1000, width=0, labels=3)
        weights.emissions(rows, np.zeros((len(rows), 0), dtype="f"))  # (words, 3)

    Attributes:
        sparse: (features + 1, labels) of sparse features; the last row, of unknown features, stays 0.
        dense: (width, labels) of dense features.
        transitions: (labels, labels), from row to column; constraints are not part of the weights.
        start: (labels,).
        end: (labels,).
    """

    sparse: Floats
    dense: Floats
    transitions: Floats
    start: Floats
    end: Floats

    @classmethod
    def zeros(cls, *, features: int, width: int, labels: int) -> CRFWeights:
        """Return weights of 0."""
        shapes = ((features + 1, labels), (width, labels), (labels, labels), (labels,), (labels,))
        return cls(*(np.zeros(shape, dtype=np.float32) for shape in shapes))

    def emissions(self, rows: NDArray[np.int32], dense: Floats) -> Floats:
        """Return the (words, labels) sums of the weights of each word's features.

        Args:
            rows: (words, slots) numbers of sparse features.
            dense: (words, width) dense features.
        """
        sums = np.empty((len(rows), self.sparse.shape[1]), dtype=np.float32)
        for start in range(0, len(rows), _CHUNK):
            part = slice(start, start + _CHUNK)
            np.sum(self.sparse[rows[part]], axis=1, out=sums[part])
        return sums + dense @ self.dense if self.dense.size else sums

    def chain(self, constraints: Sequence[NDArray[np.float64]]) -> Chain:
        """Return the chain over the labels, with its constraints: 0 or -inf for each potential."""
        transitions, start, end = constraints
        return Chain(self.transitions + transitions, self.start + start, self.end + end)

    def combined(self, other: CRFWeights, function: Callable[[Any, Any], Any]) -> CRFWeights:
        """Return a function of two sets of weights, array by array."""
        pairs = zip(self.arrays().values(), other.arrays().values(), strict=True)
        return CRFWeights(*(function(mine, theirs) for mine, theirs in pairs))

    def moved(self, places: NDArray[np.intp], features: int) -> CRFWeights:
        """Return the weights of a table of features in which the present ones have the numbers `places`."""
        sparse = np.zeros((features + 1, self.sparse.shape[1]), dtype=np.float32)
        sparse[places] = self.sparse[:-1]
        return CRFWeights(sparse, self.dense, self.transitions, self.start, self.end)

    def some(self, kept: NDArray[np.intp]) -> CRFWeights:
        """Return the weights of some features."""
        sparse = self.sparse[np.append(kept, len(self.sparse) - 1)]
        return CRFWeights(sparse, self.dense, self.transitions, self.start, self.end)

    def influential(self) -> NDArray[np.intp]:
        """Return the numbers of the features that add more than next to nothing."""
        return np.flatnonzero(np.abs(self.sparse[:-1]).max(axis=1, initial=0) > _NEGLIGIBLE)

    def rounded(self) -> CRFWeights:
        """Return the weights in half precision, which files hold without loss."""
        return self.combined(self, lambda array, _: array.astype(np.float16).astype(np.float32))

    def arrays(self) -> dict[str, Floats]:
        """Return the arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> CRFWeights:
        """Return what `arrays` returned.

        Raises:
            KeyError: An array is missing.
            ValueError: The arrays do not fit each other.
        """
        found = [np.asarray(arrays[field.name], dtype=np.float32) for field in fields(cls)]
        labels = found[0].shape[-1]
        shapes = [(len(found[0]), labels), (len(found[1]), labels), (labels, labels), (labels,), (labels,)]
        if [array.shape for array in found] != shapes or not all(np.isfinite(each).all() for each in found):
            raise ValueError("the weights do not fit each other")
        return cls(*found)
