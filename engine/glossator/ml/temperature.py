"""Calibrates probabilities by one temperature, fitted on a development set (Guo et al. 2017)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

_LOWEST, _HIGHEST = math.log(0.05), math.log(20.0)
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
_TOLERANCE = 1e-4
_PRIOR_DEVIATION = 0.5  # of the prior of the temperature's logarithm


def fit_temperature(log_likelihood: Callable[[float], float]) -> float:
    """Return the temperature, from 0.05 to 20, that best fits the development set.

    Logits or potentials divided by it are calibrated. The log-likelihood of softmaxes and of CRFs has one
    maximum, which golden-section search over the logarithm finds to a part in 10,000.

    The logarithm has a normal prior around 0. Much data outweighs it. But a few documents that were all
    classified correctly fit best at a temperature of 0, where every prediction is certain, and say little
    about the next document (for the same reason Platt 1999 fits to values short of 0 and 1).

    Example:
        temperature = fit_temperature(lambda t: -softmax_nll(logits, gold, t))

    Args:
        log_likelihood: Log-likelihood of the whole development set at a temperature, in nats.

    Returns:
        The temperature; 1.0 if none is better, as on an empty set.
    """

    def posterior(log: float) -> float:
        return log_likelihood(math.exp(log)) - (log / _PRIOR_DEVIATION) ** 2 / 2.0

    best = _golden_section(posterior, _LOWEST, _HIGHEST)
    return math.exp(best) if posterior(best) > posterior(0.0) else 1.0


def softmax_nll(logits: ArrayLike, gold: ArrayLike, temperature: float) -> float:
    """Return the negative log-likelihood, in nats, summed over the rows.

    Example:
        softmax_nll([[2.0, 0.0]], [0], 1.0)  # 0.1269

    Args:
        logits: (rows, labels).
        gold: (rows,) index of the correct label.
        temperature: What the logits are divided by.
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    correct = np.asarray(gold, dtype=np.intp)
    peak = scaled.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(scaled - peak).sum(axis=1)) + peak[:, 0]
    return float((log_total - scaled[np.arange(len(correct)), correct]).sum())


def _golden_section(function: Callable[[float], float], low: float, high: float) -> float:
    """Return the argument of the only maximum of a function, to within `_TOLERANCE`."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    # The golden ratio lets each step reuse one of the two values: one evaluation per step.
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
