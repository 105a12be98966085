"""Vectors of character n-grams whose means come near the vectors of known words, for unknown ones.

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

MIN_N, MAX_N = 2, 6  # characters, the marks around a word included
BUCKETS = 100_000
PENALTY = 0.02  # of an n-gram's square, where a word's error counts 1: rare n-grams stay small
STEPS = 20


def check_scipy() -> None:
    """Raise `StageError` unless scipy, which multiplies sparse matrices, can be imported."""
    try:
        import scipy.sparse  # noqa: F401
    except ImportError as error:
        raise StageError(f"this needs scipy ({error}): pip install 'glossator[vectors]'") from error


def fit_ngrams(words: Sequence[str], vectors: Floats) -> Floats:
    """Return the (`BUCKETS`, width) vectors of n-grams from the (words, width) vectors of words."""
    means = _means(words)

    def penalized(table: Floats) -> Floats:
        result: Floats = means.T @ (means @ table) + np.float32(PENALTY) * table
        return result

    return conjugate_gradients(penalized, means.T @ vectors, STEPS)


def conjugate_gradients(product: Callable[[Floats], Floats], wanted: Floats, steps: int) -> Floats:
    """Return (n, columns) about which `product` is (n, columns) `wanted`, each column by itself.

    Args:
        product: A product with a matrix that is symmetric and positive definite.
        wanted: What it is to come to.
        steps: How often the product is taken at most.
    """
    solution = np.zeros_like(wanted)
    rest = wanted.copy()
    direction = rest.copy()
    squares = _squares(rest)
    for _ in range(steps):
        if not squares.any():
            break
        moved = product(direction)
        step = _ratio(squares, (direction * moved).sum(axis=0))
        solution += step * direction
        rest -= step * moved
        before, squares = squares, _squares(rest)
        direction = rest + _ratio(squares, before) * direction
    return solution


def _means(words: Sequence[str]) -> Any:
    """Return the sparse (words, `BUCKETS`) matrix that takes the mean of each word's n-grams."""
    from scipy.sparse import csr_array

    owners, places = ngrams(words, MIN_N, MAX_N, BUCKETS)
    counts = np.bincount(owners, minlength=len(words))
    ends = np.concatenate([[0], np.cumsum(counts)])
    shares = (1 / counts[owners]).astype(np.float32)
    return csr_array((shares, places, ends), shape=(len(words), BUCKETS))


def _squares(rows: Floats) -> Floats:
    return np.asarray((rows * rows).sum(axis=0), dtype=np.float32)


def _ratio(upper: Floats, lower: Floats) -> Floats:
    """Return the quotients, 0 where a column is solved."""
    return np.divide(upper, lower, out=np.zeros_like(upper), where=lower > 0)
