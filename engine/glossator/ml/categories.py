"""Categories of documents as a matrix, and how likely probabilities make the gold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Added to a probability before its logarithm: a 0 then costs much, but not everything.
_TINY = 1e-12


def category_matrix(
    cats: Sequence[Mapping[str, float]], labels: Sequence[str], *, exclusive: bool = False
) -> NDArray[np.float64]:
    """Return the (docs, labels) values of categories, NaN if a document has no value for a label.

    Values between 0 and 1, such as a teacher's probabilities, are kept as they are.

    Example:
        category_matrix([{"food": 1.0}, {}], ["food", "travel"])  # [[1, nan], [nan, nan]]
        category_matrix([{"food": 1.0}, {}], ["food", "travel"], exclusive=True)  # [[1, 0], [nan, nan]]

    Args:
        cats: The categories of each document, as `doc.cats`.
        labels: The labels of the columns; other labels are ignored.
        exclusive: Whether a document has exactly one label: then a value above 0 for one label makes
            the missing values of the others 0. A document without such a value keeps its NaNs.
    """
    rows = [[of_doc.get(label, np.nan) for label in labels] for of_doc in cats]
    matrix = np.asarray(rows, dtype=np.float64).reshape(len(rows), len(labels))
    if exclusive:
        # Data often names only the label that holds, and leaves out those that it excludes.
        has_label = (matrix > 0).any(axis=1, keepdims=True)
        matrix = np.where(np.isnan(matrix) & has_label, 0.0, matrix)
    return matrix


def log_likelihood(probabilities: NDArray[Any], gold: NDArray[Any], *, exclusive: bool) -> float:
    """Return the log-likelihood, in nats, of the gold values, summed over all that are not NaN.

    Example:
        log_likelihood(np.array([[0.8, 0.2]]), np.array([[1.0, 0.0]]), exclusive=True)  # -0.22

    Args:
        probabilities: (docs, labels).
        gold: (docs, labels) values from 0 to 1, as `category_matrix` returns them.
        exclusive: Whether a row of probabilities sums to 1; else each counts for itself, so that a
            label that does not hold has a likelihood of its own.
    """
    value = np.nan_to_num(gold)
    likelihood = value * np.log(probabilities + _TINY)
    if not exclusive:
        likelihood = likelihood + (1 - value) * np.log(1 - probabilities + _TINY)
    return float(np.where(np.isnan(gold), 0, likelihood).sum())
