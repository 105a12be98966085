"""How the likelihood of gold labels changes with the potentials of a linear chain, for training a CRF.

Its gradient is what the model expects less what is observed (Lafferty et al. 2001, "Conditional random
fields").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glossator.ml.linear_chain import (
    Floats,
    Integers,
    Messages,
    Reals,
    forward_backward,
    marginals,
    path_score,
)

UNLABELLED = -1  # the gold id of words without a gold label
_EXCLUDED = 1e6  # taken off the potentials of labels that are not the gold one
_LARGEST = 700.0  # exp of more is infinite


@dataclass(frozen=True, slots=True)
class ChainGradient:
    """The negative log-likelihood of gold labels, in nats, and its gradient.

    Attributes:
        loss: Summed over the sequences.
        emissions: (words, labels).
        transitions: (labels, labels).
        start: (labels,).
        end: (labels,).

    Example:
        gradient = chain_gradient(emissions, lengths, gold, transitions, start, end)
        transitions -= 0.1 * gradient.transitions
    """

    loss: float
    emissions: Floats
    transitions: Floats
    start: Floats
    end: Floats


@dataclass(frozen=True, slots=True)
class _Expected:
    """Log sum over some label sequences, and the expected number of times that each potential is used."""

    log_total: float
    labels: Floats
    transitions: Floats


def chain_gradient(
    emissions: Reals, lengths: Integers, gold: Integers, transitions: Reals, start: Reals, end: Reals
) -> ChainGradient:
    """Return the loss of some sequences and its gradient.

    Words without a gold label are summed over: the likelihood is that of the labels that are known.

    Args:
        emissions: (words, labels) potentials, sequence after sequence.
        lengths: (sequences,) words of each, at least 1.
        gold: (words,) labels, `UNLABELLED` where there is none.
        transitions: (labels, labels) as in `linear_chain`.
        start: (labels,).
        end: (labels,).

    Raises:
        ValueError: The constraints allow no sequence of labels, or not the gold one.

    Example:
        chain = (np.zeros((2, 2)), np.zeros(2), np.zeros(2))
        chain_gradient(np.zeros((3, 2)), np.array([2, 1]), np.array([0, 1, 0]), *chain).loss  # 3 log 2
    """
    chain = (transitions, start, end)
    ends = np.cumsum(lengths)
    firsts, lasts = ends - lengths, ends - 1
    model = _expected(emissions, lengths, chain)
    if (gold == UNLABELLED).any():
        known = gold != UNLABELLED
        clamped = np.array(emissions, dtype=np.float64)
        clamped[known] -= _EXCLUDED
        clamped[known, gold[known]] += _EXCLUDED
        observed = _expected(clamped, lengths, chain)
    else:
        observed = _observed(emissions, lengths, gold, chain)

    if not np.isfinite(observed.log_total):
        raise ValueError("the constraints do not allow the gold labels")
    labels = model.labels - observed.labels
    return ChainGradient(
        loss=model.log_total - observed.log_total,
        emissions=labels,
        transitions=model.transitions - observed.transitions,
        start=labels[firsts].sum(axis=0),
        end=labels[lasts].sum(axis=0),
    )


def expected_transitions(messages: Messages) -> Floats:
    """Return the (labels, labels) expected number of each transition in a batch.

    Example:
        expected_transitions(forward_backward(emissions, lengths, *scheme.constraints()))
    """
    columns, transitions = messages.columns, messages.transitions
    before, after = messages.forward[:-1], messages.backward[1:]
    tops = [np.max(each, axis=1, keepdims=True, initial=-np.inf) for each in (before, after)]
    peak = float(np.max(transitions, initial=-np.inf, where=np.isfinite(transitions)))
    # Each factor at most 1, so that the sum over batch and time is one matrix product.
    scales = tops[0] + tops[1] + peak - messages.log_partition[columns.order]
    weights = np.exp(np.minimum(np.where(columns.active[1:, None], scales, -np.inf), _LARGEST))
    left = np.exp(before - tops[0]) * weights
    right = np.exp(after - tops[1])
    labels = len(transitions)
    products = left.transpose(1, 0, 2).reshape(labels, -1) @ right.transpose(1, 0, 2).reshape(labels, -1).T
    return np.asarray(products * np.exp(transitions - peak))


def padded(rows: NDArray[Any], lengths: Integers) -> NDArray[Any]:
    """Lay rows, sequence after sequence, out as (sequences, longest, ...); the padding repeats the last row.

    Example:
        padded(np.array([[1.0], [2.0], [3.0]]), np.array([2, 1]))[1]  # [[3], [3]]
    """
    starts = np.cumsum(lengths) - lengths
    steps = np.arange(int(np.max(lengths, initial=0)))
    return np.asarray(rows[starts[:, None] + np.minimum(steps, lengths[:, None] - 1)])


def _expected(emissions: Reals, lengths: Integers, chain: tuple[Reals, Reals, Reals]) -> _Expected:
    messages = forward_backward(padded(emissions, lengths), lengths, *chain)
    inside = np.arange(messages.shape[1]) < lengths[:, None]
    return _Expected(
        log_total=float(messages.log_partition.sum()),
        labels=marginals(messages)[inside],
        transitions=expected_transitions(messages),
    )


def _observed(
    emissions: Reals, lengths: Integers, gold: Integers, chain: tuple[Reals, Reals, Reals]
) -> _Expected:
    labels = np.zeros(emissions.shape)
    labels[np.arange(len(gold)), gold] = 1
    follows = np.ones(len(gold), dtype=bool)
    follows[np.cumsum(lengths) - lengths] = False
    seconds = np.flatnonzero(follows)
    count = emissions.shape[1]
    moves = np.bincount(gold[seconds - 1] * count + gold[seconds], minlength=count * count)
    scores = path_score(padded(emissions, lengths), lengths, padded(gold, lengths), *chain)
    return _Expected(float(scores.sum()), labels, moves.reshape(count, count).astype(np.float64))
