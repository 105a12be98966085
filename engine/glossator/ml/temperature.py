"""Turning scores into probabilities by one temperature, fitted on a development set (Guo et al. 2017)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

_LOWEST, _HIGHEST = math.log(0.05), math.log(20.0)
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
_TOLERANCE = 1e-4
_PRIOR_DEVIATION = 0.5  # of the logarithm of a temperature, before a development set says anything


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
