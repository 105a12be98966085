"""Fitting vectors of character n-grams to the vectors of words, to get vectors of unknown words.

Zhao, Mudgal and Liang 2018, "Generalizing word embeddings using bag of subwords"; here the least squares are
solved by conjugate gradients (Hestenes and Stiefel 1952) instead of stochastic steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.errors import StageError
from glossator_vectors.folder.subwords import ngrams

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

MIN_N, MAX_N = 2, 6  # characters, including the marks around a word
BUCKETS = 100_000
PENALTY = 0.02  # L2 regularization, which keeps the vectors of rare n-grams small
STEPS = 20


def require_scipy() -> None:
    """Raise `StageError` unless scipy, which multiplies sparse matrices, can be imported."""
    try:
        import scipy.sparse  # noqa: F401
    except ImportError as error:
        raise StageError(
            f"vectors of n-grams need scipy ({error}): pip install 'glossator[vectors]'"
        ) from error


def fit_ngrams(words: Sequence[str], vectors: Floats) -> Floats:
    """Return the (`BUCKETS`, width) vectors of n-grams fitted to the (words, width) vectors of words."""
    means = _means(words)

    def penalized(table: Floats) -> Floats:
        result: Floats = means.T @ (means @ table) + np.float32(PENALTY) * table
        return result

    return conjugate_gradients(penalized, means.T @ vectors, STEPS)


def conjugate_gradients(product: Callable[[Floats], Floats], wanted: Floats, steps: int) -> Floats:
    """Solve `product(x) = wanted` for x, (n, columns), independently for each column.

    Args:
        product: Multiplication by a symmetric, positive definite matrix.
        wanted: The (n, columns) right-hand side.
        steps: Maximum number of iterations.
    """
    solution = np.zeros_like(wanted)
    residual = wanted.copy()
    direction = residual.copy()
    squares = _squares(residual)

    for _ in range(steps):
        if not squares.any():
            break
        image = product(direction)
        step = _ratio(squares, (direction * image).sum(axis=0))
        solution += step * direction
        residual -= step * image
        before, squares = squares, _squares(residual)
        direction = residual + _ratio(squares, before) * direction

    return solution


def _means(words: Sequence[str]) -> Any:
    """Return the sparse (words, `BUCKETS`) matrix that averages the n-grams of each word."""
    from scipy.sparse import csr_array

    owners, buckets = ngrams(words, MIN_N, MAX_N, BUCKETS)
    counts = np.bincount(owners, minlength=len(words))
    ends = np.concatenate([[0], np.cumsum(counts)])
    shares = (1 / counts[owners]).astype(np.float32)
    return csr_array((shares, buckets, ends), shape=(len(words), BUCKETS))


def _squares(rows: Floats) -> Floats:
    return np.asarray((rows * rows).sum(axis=0), dtype=np.float32)


def _ratio(upper: Floats, lower: Floats) -> Floats:
    """Return the quotients, 0 for columns that are already solved."""
    return np.divide(upper, lower, out=np.zeros_like(upper), where=lower > 0)
