"""Measures the calibration of probabilities: accuracy per bin, and the expected calibration error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Steps of 0.1, the first and the last halved, so that round figures are in the middle of their bins:
# scores of 0.9 ± 0.05 are one row.
CENTRED_BINS = (0.0, 0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1.0)


class ReliabilityBin(NamedTuple):
    """The scores in [low, high); the last bin includes its `high`.

    Example:
        ReliabilityBin(low=0.85, high=0.95, number=120, mean_score=0.91, accuracy=0.88)

    Attributes:
        low: Lower bound.
        high: Upper bound.
        number: Number of scores in the bin.
        mean_score: Mean of these scores.
        accuracy: Share of these scores whose prediction is correct.
    """

    low: float
    high: float
    number: int
    mean_score: float
    accuracy: float


def reliability(
    scores: ArrayLike, correct: ArrayLike, bins: int | Sequence[float] = 10
) -> list[ReliabilityBin]:
    """Compare probabilities with accuracy, bin by bin.

    Example:
        for row in reliability([0.9, 0.8, 0.3], [True, True, False], bins=5):
            print(f"{row.mean_score:.2f} {row.accuracy:.2f}")

    Args:
        scores: (n,) probabilities.
        correct: (n,) whether the prediction with that probability is correct.
        bins: Number of bins of equal width that [0, 1] is cut into, or the edges of the bins, ascending
            from 0 to 1.

    Returns:
        The bins that hold at least one score, in ascending order.
    """
    values, hits = np.asarray(scores, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    edges = np.linspace(0.0, 1.0, bins + 1) if isinstance(bins, int) else np.asarray(bins, dtype=np.float64)
    size = len(edges) - 1
    # Clipped, so that a score of exactly 1 falls into the last bin.
    index = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, size - 1)
    counts, score_sums, hit_sums = (_sums(index, weights, size) for weights in (None, values, hits))
    return [
        ReliabilityBin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            number=int(counts[i]),
            mean_score=float(score_sums[i] / counts[i]),
            accuracy=float(hit_sums[i] / counts[i]),
        )
        for i in np.flatnonzero(counts)
    ]


def expected_calibration_error(
    scores: ArrayLike, correct: ArrayLike, bins: int | Sequence[float] = 10
) -> float:
    """Return the mean difference of score and accuracy over the bins of `reliability`, weighted by number.

    0.0 if there are no scores (Naeini et al. 2015, "Obtaining well calibrated probabilities").

    Example:
        expected_calibration_error([0.9, 0.9], [True, False])  # 0.4
    """
    return calibration_error(reliability(scores, correct, bins))


def calibration_error(rows: Sequence[ReliabilityBin]) -> float:
    """Return the expected calibration error of the rows of `reliability`.

    Example:
        calibration_error(evaluation.reliability)
    """
    total = sum(row.number for row in rows)
    return sum(row.number * abs(row.mean_score - row.accuracy) for row in rows) / total if total else 0.0


def _sums(index: NDArray[np.intp], weights: NDArray[np.float64] | None, bins: int) -> NDArray[Any]:
    return np.bincount(index, weights=weights, minlength=bins)
