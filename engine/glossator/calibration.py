"""Turning scores into probabilities, and measuring how well that went."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LOWEST, _HIGHEST = math.log(0.05), math.log(20.0)
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
_TOLERANCE = 1e-4
_PRIOR_DEVIATION = 0.5  # of the logarithm of a temperature, before a development set says anything

# Ten steps of 0.1, the first and the last halved, so that round figures are in the middle of their bins:
# what was given at 0.9 ± 0.05 is one row.
CENTRED_BINS = (0.0, 0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1.0)

# Networks run in single precision: another batch or another processor changes the last digits of a score.
# Scores that are equal to this many digits tie, and ties are broken by order.
RANKING_DIGITS = 5


class ReliabilityBin(NamedTuple):
    """The scores in [low, high), the last bin's `high` included.

    Attributes:
        low: Lower bound.
        high: Upper bound.
        number: How many scores fell in here.
        mean_score: Their mean.
        accuracy: Which share of them was correct.
    """

    low: float
    high: float
    number: int
    mean_score: float
    accuracy: float


def fit_temperature(log_likelihood: Callable[[float], float]) -> float:
    """Return the temperature, from 0.05 to 20, that is likeliest by the development set.

    Potentials divided by it are calibrated. The log-likelihood of softmaxes and of CRFs has one
    maximum, which golden-section search over the logarithm finds to a part in 10,000.

    Beforehand the logarithm is taken to be normal around 0. Much data overrules that. But a few documents
    of which all were answered rightly are likeliest at a temperature of 0, where every answer is certain, and
    say little of the next one (for the same reason Platt 1999 fits to values short of 0 and 1).

    Args:
        log_likelihood: Log-likelihood of the whole development set at a temperature, in nats.

    Returns:
        The temperature; 1.0 where none is better than that, as on an empty set.
    """

    def posterior(log: float) -> float:
        return log_likelihood(math.exp(log)) - (log / _PRIOR_DEVIATION) ** 2 / 2.0

    best = _golden_section(posterior, _LOWEST, _HIGHEST)
    return math.exp(best) if posterior(best) > posterior(0.0) else 1.0


def softmax_nll(logits: ArrayLike, gold: ArrayLike, temperature: float) -> float:
    """Return the negative log-likelihood, in nats, summed over the rows.

    Args:
        logits: (rows, labels).
        gold: (rows,) index of the right label.
        temperature: What the logits are divided by.
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    right = np.asarray(gold, dtype=np.intp)
    peak = scaled.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(scaled - peak).sum(axis=1)) + peak[:, 0]
    return float((log_total - scaled[np.arange(len(right)), right]).sum())


def reliability(
    scores: ArrayLike, correct: ArrayLike, bins: int | Sequence[float] = 10
) -> list[ReliabilityBin]:
    """Compare probabilities with how often they were right, bin by bin.

    Args:
        scores: (n,) probabilities.
        correct: (n,) whether what was predicted with that probability is right.
        bins: How many bins of equal width [0, 1] is cut into, or the edges of the bins, ascending
            from 0 to 1.

    Returns:
        The bins that hold any score, in ascending order.
    """
    values, hits = np.asarray(scores, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    edges = np.linspace(0.0, 1.0, bins + 1) if isinstance(bins, int) else np.asarray(bins, dtype=np.float64)
    size = len(edges) - 1
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
    """Return the mean distance of score and accuracy over the bins of `reliability`, weighted by number.

    0.0 where there are no scores (Naeini et al. 2015, "Obtaining well calibrated probabilities").
    """
    return calibration_error(reliability(scores, correct, bins))


def calibration_error(rows: Sequence[ReliabilityBin]) -> float:
    """Return the expected calibration error that the rows of `reliability` add up to."""
    total = sum(row.number for row in rows)
    return sum(row.number * abs(row.mean_score - row.accuracy) for row in rows) / total if total else 0.0


def _sums(index: NDArray[np.intp], weights: NDArray[np.float64] | None, bins: int) -> NDArray[Any]:
    return np.bincount(index, weights=weights, minlength=bins)


def _golden_section(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function with one maximum has it, to `_TOLERANCE`."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > _TOLERANCE:
        if at_left < at_right:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = function(right)
        else:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = function(left)
    return (low + high) / 2.0
