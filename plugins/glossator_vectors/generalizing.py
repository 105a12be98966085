"""Vectors of character n-grams whose means come near the vectors of known words, for unknown ones.

Zhao, Mudgal and Liang 2018, "Generalizing word embeddings using bag of subwords"; here the least squares are
solved by conjugate gradients (Hestenes and Stiefel 1952) instead of stochastic steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.errors import StageError
from glossator_vectors.subwords import ngrams

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

MIN_N, MAX_N = 2, 6  # characters, the marks around a word included
BUCKETS = 100_000
PENALTY = 0.02  # of an n-gram's square, where a word's error counts 1: rare n-grams stay small
STEPS = 20


def fit_ngrams(
    words: Sequence[str], vectors: Floats, *, buckets: int = BUCKETS, steps: int = STEPS
) -> Floats:
    """Return the (buckets, width) vectors of n-grams from the (words, width) vectors of words.

    Raises:
        StageError: scipy is not installed.
    """
    means = _means(words, buckets)

    def penalized(table: Floats) -> Floats:
        result: Floats = means.T @ (means @ table) + np.float32(PENALTY) * table
        return result

    return conjugate_gradients(penalized, means.T @ vectors, steps)


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


def _means(words: Sequence[str], buckets: int) -> Any:
    """Return the sparse (words, buckets) matrix that takes the mean of each word's n-grams."""
    try:
        from scipy.sparse import csr_array
    except ImportError as error:
        raise StageError(f"this needs scipy ({error}): pip install 'glossator[vectors]'") from error
    owners, places = ngrams(words, MIN_N, MAX_N, buckets)
    counts = np.bincount(owners, minlength=len(words))
    ends = np.concatenate([[0], np.cumsum(counts)])
    shares = (1 / counts[owners]).astype(np.float32)
    return csr_array((shares, places, ends), shape=(len(words), buckets))


def _squares(rows: Floats) -> Floats:
    return np.asarray((rows * rows).sum(axis=0), dtype=np.float32)


def _ratio(upper: Floats, lower: Floats) -> Floats:
    """Return the quotients, 0 where a column is solved."""
    return np.divide(upper, lower, out=np.zeros_like(upper), where=lower > 0)
