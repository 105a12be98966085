"""Sparse matrices, multiplied with dense ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from thinc.api import NumpyOps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

# Numbers that a product gathers at a time: they stay in the processor's cache.
_CHUNK = 100_000
_OPS = NumpyOps()


@dataclass(frozen=True, slots=True)
class SparseMatrix:
    """A matrix given by its entries that are not 0, in any order; entries of one place add up.

    Example:
        matrix = SparseMatrix((2, 3), rows=np.array([0, 1]), columns=np.array([2, 0]), values=np.ones(2, "f"))
        matrix.times(np.eye(3, dtype="f"))  # [[0, 0, 1], [1, 0, 0]]

    Attributes:
        shape: Numbers of rows and columns.
        rows: (entries,) row of each entry.
        columns: (entries,) column of each entry.
        values: (entries,) float32 values.
    """

    shape: tuple[int, int]
    rows: NDArray[Any]
    columns: NDArray[Any]
    values: Floats

    def times(self, dense: Floats) -> Floats:
        """Return the (rows, width) product with a (columns, width) matrix."""
        return _product(self.columns, self.rows, self.values, dense, self.shape[0])

    def transposed_times(self, dense: Floats) -> Floats:
        """Return the (columns, width) product of the transposed matrix with a (rows, width) matrix."""
        return _product(self.rows, self.columns, self.values, dense, self.shape[1])

    def row_sums_of_squares(self) -> NDArray[np.float64]:
        """Return the (rows,) sums of the squared entries."""
        squares = np.square(self.values, dtype=np.float64)
        return np.asarray(np.bincount(self.rows, squares, self.shape[0]), dtype=np.float64)


def sums_by_row(rows: NDArray[Any], values: Floats, count: int) -> Floats:
    """Return (count, width) sums of the (entries, width) values of each row.

    Example:
        sums_by_row(np.array([0, 0, 2]), np.ones((3, 1), dtype="f"), 3)  # [[2], [0], [1]]
    """
    sums = np.zeros((count, values.shape[1]), dtype=np.float32)
    # Unlike sums[rows] += values, this adds up all values of a row.
    _OPS.scatter_add(sums, rows.astype(np.int32, copy=False), np.ascontiguousarray(values, dtype=np.float32))
    return sums


def inverse_roots(squares: NDArray[Any]) -> NDArray[Any]:
    """Return the inverse square roots of values of 0 or more, and 0 for 0.

    Example:
        inverse_roots(np.array([4.0, 0.0]))  # [0.5, 0]
    """
    return np.where(squares > 0, 1 / np.sqrt(np.where(squares > 0, squares, 1)), 0)


def _product(
    sources: NDArray[Any], targets: NDArray[Any], values: Floats, dense: Floats, count: int
) -> Floats:
    """Add `values` times the rows `sources` of a dense matrix to the rows `targets` of a new one."""
    width = dense.shape[1]
    product = np.zeros((count, width), dtype=np.float32)
    size = max(_CHUNK // max(width, 1), 1)
    buffer = np.empty((size, width), dtype=np.float32)
    dense = np.ascontiguousarray(dense, dtype=np.float32)

    for start in range(0, len(values), size):
        part = slice(start, start + size)
        gathered = buffer[: len(values[part])]
        # With mode "clip", `take` writes into the buffer directly; all rows exist.
        np.take(dense, sources[part], axis=0, out=gathered, mode="clip")
        gathered *= values[part, None]
        _OPS.scatter_add(product, targets[part], gathered)
    return product
