"""Linear chains over labels: the best sequence, and exact probabilities of labels and of spans.

The arguments of a batch of chains are

* `emissions`: (batch, time, labels), finite; values at or after a row's length are never read
* `lengths`: (batch,), at most `time`; 0 is allowed
* `transitions`: (labels, labels), from row to column; `start`, `end`: (labels,)

All except the lengths are log potentials; -inf forbids a label or transition. If the constraints allow no
sequence for a row, a `ValueError` says so. The computation is vectorised over the batch and in float64, so
that sequences may be thousands of steps long.

Example:
    chain = SpanScheme.bio(["PER"]).constraints()  # transitions, start, end
    ids = viterbi(emissions, lengths, *chain)
    probabilities = marginals(forward_backward(emissions, lengths, *chain))
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from glossator.ml.span_scheme import SpanScheme

Reals: TypeAlias = NDArray[np.floating[Any]]
Integers: TypeAlias = NDArray[np.integer[Any]]
Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]
Bools: TypeAlias = NDArray[np.bool_]

# Above this, a value that underflowed in the exponential domain is too small to change a float64 sum.
_SAFE = 1e-290


@dataclass(frozen=True, slots=True)
class _Columns:
    """A batch laid out for sweeping over time: all labels of one step are adjacent, the longest row first.

    Attributes:
        order: (batch,) the row of each column.
        potentials: (time, labels, batch) emissions, 0 in the padding.
        lengths: (batch,) of the rows in this order.
        active: (time, batch): whether the row is that long.
        counts: (time,) the number of active rows: always the first ones.
    """

    order: Ints
    potentials: Floats
    lengths: Ints
    active: Bools
    counts: list[int]

    @classmethod
    def of(cls, order: Ints, potentials: Floats, lengths: Ints) -> _Columns:
        active = np.arange(len(potentials))[:, None] < lengths
        return cls(order, potentials, lengths, active, active.sum(axis=1).tolist())

    def reversed(self, values: Floats) -> Floats:
        """Return (time, labels, batch) values of each row in reverse; undefined in the padding."""
        if len(self.lengths) and self.lengths[-1] == len(values):  # no row is shorter
            return values[::-1]
        times = np.maximum(self.lengths - 1 - np.arange(len(values))[:, None], 0)
        return values[times, :, np.arange(len(self.lengths))].transpose(0, 2, 1)


@dataclass(frozen=True, slots=True)
class _Sums:
    """The potentials of a chain in the exponential domain, scaled to at most 1.

    The first axis is the direction: forward from the start, backward from the end.

    Attributes:
        moves: (2, labels, labels), from column to row.
        first: (2, labels, 1) potentials of the first step.
        first_peaks: (2,) logarithms of the scale of `first`.
        peak: Logarithm of the scale of `moves`.
        reachable: (n, 2) the number of labels that can be reached in each of the first steps.
        period: After those, the last `period` numbers repeat.
    """

    moves: Floats
    first: Floats
    first_peaks: Floats
    peak: float
    reachable: Ints
    period: int


@dataclass(frozen=True, slots=True)
class Messages:
    """The result of `forward_backward` for a batch, for `marginals` and `span_posteriors`.

    Example:
        messages = forward_backward(emissions, lengths, *scheme.constraints())
        span_posteriors(messages, scheme, scheme.decode_batch(ids, lengths))

    Attributes:
        log_partition: (batch,) log of the sum over all label sequences; 0 for rows of length 0.
        shape: Batch, time and labels of the emissions.
        columns: The emissions, one column per row of the batch.
        forward: (time, labels, batch) log sum over everything up to a label, its own emission included.
        backward: (time, labels, batch) log sum over everything from a label on, its own emission included.
        transitions, end: Those of the chain.
    """

    log_partition: Floats
    shape: tuple[int, int, int]
    columns: _Columns
    forward: Floats
    backward: Floats
    transitions: Floats
    end: Floats


def viterbi(emissions: Reals, lengths: Integers, transitions: Reals, start: Reals, end: Reals) -> Ints:
    """Return the (batch, time) labels of the best sequence of each row, 0 in the padding."""
    transitions, start, end = _chain(transitions, start, end)
    columns = _arrange(emissions, lengths)
    best = _sweep(columns.potentials, columns.counts, transitions, start, np.maximum.reduce)
    _require_finite(np.max(_final(columns, best, end), axis=0), columns)
    ids = np.zeros(emissions.shape[:2], dtype=np.intp)
    ids[columns.order, : len(best)] = _trace_back(columns, best, transitions, end).T
    return ids


def path_score(
    emissions: Reals, lengths: Integers, ids: Integers, transitions: Reals, start: Reals, end: Reals
) -> Floats:
    """Return the (batch,) log potential of (batch, time) labels.

    Minus `log_partition`, it is their log probability.
    """
    transitions, start, end = _chain(transitions, start, end)
    remaining = np.asarray(lengths)[:, None] - np.arange(emissions.shape[1])
    inside = remaining > 0
    ids = np.where(inside, ids, 0)
    chosen = np.take_along_axis(np.asarray(emissions), ids[:, :, None], axis=2)[:, :, 0]
    steps = np.where(inside, chosen, 0.0).astype(np.float64)
    steps[:, :1] += np.where(inside[:, :1], start[ids[:, :1]], 0.0)
    steps[:, 1:] += np.where(inside[:, 1:], transitions[ids[:, :-1], ids[:, 1:]], 0.0)
    steps += np.where(remaining == 1, end[ids], 0.0)
    total: Floats = steps.sum(axis=1)
    return total


def log_partition(
    emissions: Reals, lengths: Integers, transitions: Reals, start: Reals, end: Reals
) -> Floats:
    """Return the (batch,) log of the sum over all label sequences; 0 for rows of length 0.

    It is the sum that `forward_backward` finds, to the last bit. A sweep from the start alone could round
    differently: where only the sweep from the end underflows, both are done again in the log domain.
    """
    return forward_backward(emissions, lengths, transitions, start, end).log_partition


def forward_backward(
    emissions: Reals, lengths: Integers, transitions: Reals, start: Reals, end: Reals
) -> Messages:
    """Return the sums over all label sequences, from both sides."""
    transitions, start, end = _chain(transitions, start, end)
    columns = _arrange(emissions, lengths)
    # One sweep for both directions: the backward pass is a forward pass over reversed rows.
    potentials = np.stack([columns.potentials, columns.reversed(columns.potentials)], axis=1)
    both = _sum_sweep(columns, potentials, transitions, start, end)
    forward, backward = both[:, 0], columns.reversed(both[:, 1])
    batch, time, labels = emissions.shape
    total = _log_partition(columns, forward, end)
    return Messages(total, (batch, time, labels), columns, forward, backward, transitions, end)


def marginals(messages: Messages) -> Floats:
    """Return the (batch, time, labels) probability of each label at each step, 0 in the padding."""
    columns = messages.columns
    logs = messages.forward + messages.backward
    logs -= columns.potentials  # included in both sides
    logs -= messages.log_partition[columns.order]
    logs.transpose(0, 2, 1)[~columns.active] = -np.inf
    result = np.zeros(messages.shape)
    result[columns.order, : len(logs)] = np.exp(logs, out=logs).transpose(2, 0, 1)
    return np.minimum(result, 1.0, out=result)  # logs of a sure label round to either side of 0


def span_posteriors(messages: Messages, scheme: SpanScheme, spans: Integers) -> Floats:
    """Return the (n,) exact probability of each span: that it begins, ends and is typed as stated.

    Args:
        messages: From a chain over `scheme.labels`.
        scheme: The meaning of the labels.
        spans: (n, 4): row, start, end and index into `scheme.types`, as `decode_batch` returns them.

    Raises:
        ValueError: A span is empty or leaves its row.
    """
    rows, starts, ends, types = np.asarray(spans, dtype=np.intp).reshape(-1, 4).T
    column = np.argsort(messages.columns.order)[rows]
    lengths = messages.columns.lengths[column]
    if not ((starts >= 0) & (starts < ends) & (ends <= lengths)).all():
        raise ValueError("a span is empty or leaves its row")

    single = ends - starts == 1
    begin, _, last, only = scheme.roles[:, types]
    last = np.where(single, only, last)
    logs = messages.forward[starts, np.where(single, only, begin), column]
    logs += np.where(single, 0.0, _log_inside(messages, scheme, column, starts, ends, types))
    logs += np.where(ends == lengths, messages.end[last], _log_leaving(messages, scheme, column, ends, last))
    posteriors: Floats = np.exp(logs - messages.log_partition[rows])
    return np.minimum(posteriors, 1.0)


def _log_inside(
    messages: Messages, scheme: SpanScheme, column: Ints, starts: Ints, ends: Ints, types: Ints
) -> Floats:
    """Return the log potential of each span's labels after the first; undefined for spans of one token."""
    potentials, transitions = messages.columns.potentials, messages.transitions
    begin, inside, last, _ = scheme.roles[:, types]
    sizes = ends - starts
    repeats = sizes - 3
    # where= avoids 0 times -inf, which is NaN
    stay = np.multiply(repeats, transitions[inside, inside], where=repeats > 0, out=np.zeros(len(sizes)))
    longer = transitions[begin, inside] + stay + transitions[inside, last]
    # Cumulative sums, so that a long span costs no more than a short one.
    upto = np.zeros((len(potentials) + 1, len(scheme.types), potentials.shape[2]))
    np.cumsum(potentials[:, scheme.roles[1]], axis=0, out=upto[1:])
    between = upto[ends - 1, types, column] - upto[starts + 1, types, column]
    logs: Floats = np.where(sizes == 2, transitions[begin, last], longer)
    logs += between + potentials[ends - 1, last, column]
    return logs


def _log_leaving(messages: Messages, scheme: SpanScheme, column: Ints, ends: Ints, last: Ints) -> Floats:
    """Return the log sum over all that may follow a span but not continue it; undefined at a row's end."""
    following = np.minimum(ends, len(messages.backward) - 1)
    onward = np.where(scheme.continues[last], -np.inf, messages.transitions[last])
    onward += messages.backward[following, :, column]
    return _log_sum(onward.T)


def _chain(transitions: Reals, start: Reals, end: Reals) -> tuple[Floats, Floats, Floats]:
    transitions, start, end = (np.asarray(each, dtype=np.float64) for each in (transitions, start, end))
    for each in (transitions, start, end):
        if not (each < np.inf).all():
            raise ValueError("transition, start and end potentials must be finite or -inf")
    return transitions, start, end


def _sums(transitions: Floats, start: Floats, end: Floats) -> _Sums:
    return _sums_of(transitions.tobytes(), start.tobytes(), end.tobytes())


@functools.lru_cache(maxsize=8)  # one chain is used for many batches, often of a single sentence
def _sums_of(transitions: bytes, start: bytes, end: bytes) -> _Sums:
    initials = np.stack([np.frombuffer(start), np.frombuffer(end)])
    onward = np.frombuffer(transitions).reshape(len(start) // 8, -1)
    moves = np.stack([onward.T, onward])
    reachable, period = _reachable(np.isfinite(moves), np.isfinite(initials))
    first_peaks, peak = np.asarray([_peak(each) for each in initials]), _peak(onward)
    return _Sums(
        moves=np.exp(moves - peak),
        first=np.exp(initials - first_peaks[:, None])[:, :, None],
        first_peaks=first_peaks,
        peak=peak,
        reachable=reachable,
        period=period,
    )


def _reachable(allowed: Bools, reached: Bools) -> tuple[Ints, int]:
    """Return the (steps, directions) numbers of reachable labels until they repeat, and the period."""
    seen: dict[bytes, int] = {}
    counts: list[Ints] = []
    while reached.tobytes() not in seen:
        seen[reached.tobytes()] = len(counts)
        counts.append(reached.sum(axis=1))
        reached = np.any(allowed & reached[:, None, :], axis=2, keepdims=True)[:, :, 0]
    return np.stack(counts), len(counts) - seen[reached.tobytes()]


def _arrange(emissions: Reals, lengths: Integers) -> _Columns:
    batch, time, labels = emissions.shape
    sizes = np.asarray(lengths, dtype=np.intp)
    if sizes.shape != (batch,) or ((sizes < 0) | (sizes > time)).any():
        raise ValueError(f"lengths must be one per row, from 0 to {time}, the number of steps")
    order = np.argsort(-sizes, kind="stable")
    steps = int(sizes.max(initial=0))
    potentials = np.empty((steps, labels, batch))
    potentials[...] = emissions[order, :steps].transpose(1, 2, 0)
    columns = _Columns.of(order, potentials, sizes[order])
    potentials.transpose(0, 2, 1)[~columns.active] = 0.0
    if not np.isfinite(potentials).all():
        raise ValueError("emissions must be finite")
    return columns


def _sweep(
    potentials: Floats,
    counts: Sequence[int],
    transitions: Floats,
    initial: Floats,
    combine: Callable[[Floats], Floats],
) -> Floats:
    """Combine over all label sequences, step by step.

    Returns:
        (time, labels, batch) log potentials of all sequences up to a label, its own emission included.
    """
    messages = potentials.copy()
    messages[:1] += initial[:, None]
    moves = transitions[:, :, None]
    for time in range(1, len(messages)):
        count = counts[time]
        messages[time, :, :count] += combine(messages[time - 1, :, None, :count] + moves)
    return messages


def _sum_sweep(
    columns: _Columns, potentials: Floats, transitions: Floats, start: Floats, end: Floats
) -> Floats:
    """Do as `_sweep` with `_log_sum`, but several times faster unless potentials differ by hundreds.

    Args:
        columns: The batch.
        potentials: (time, 2, labels, batch), each direction from its own first step.
        transitions: Of the chain.
        start: Initial potentials of the first direction.
        end: Initial potentials of the second.
    """
    messages, unsafe = _scaled_sweep(columns, potentials, _sums(transitions, start, end))
    if unsafe.any():
        for direction, (moves, initial) in enumerate([(transitions, start), (transitions.T, end)]):
            counts = columns.active[:, unsafe].sum(axis=1).tolist()
            some = potentials[:, direction, :, unsafe].transpose(1, 2, 0)
            exact = _sweep(some, counts, moves, initial, _log_sum)
            messages[:, direction, :, unsafe] = exact.transpose(2, 0, 1)
    return messages


def _scaled_sweep(columns: _Columns, potentials: Floats, sums: _Sums) -> tuple[Floats, Bools]:
    """Sum in the exponential domain, each step scaled to 1; also return (batch,) which lost digits."""
    tops = potentials.max(axis=2, keepdims=True, initial=-np.inf)
    messages = np.exp(potentials - tops)
    totals = np.ones_like(tops)

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for time, count in enumerate(columns.counts):
            current = messages[time, :, :, :count]
            current *= sums.moves @ messages[time - 1, :, :, :count] if time else sums.first
            current /= np.add.reduce(current, axis=1, keepdims=True, out=totals[time, :, :, :count])
        # A reachable label must not have underflowed to 0, nor any value that matters on the way to it.
        alive = (messages > _SAFE / totals).sum(axis=2)
        np.log(messages, out=messages)
        scales = np.where(columns.active[:, None, None], np.log(totals) + tops + sums.peak, 0.0)

    messages += scales.cumsum(axis=0) + (sums.first_peaks - sums.peak)[:, None, None]
    lost = _has_lost(alive, sums) & columns.active[:, None]
    return messages, np.asarray(lost.any(axis=(0, 1)))


def _has_lost(alive: Ints, sums: _Sums) -> Bools:
    """Return whether fewer labels are alive, (time, directions, batch), than can be reached."""
    steps = np.arange(len(alive))
    counted = len(sums.reachable)
    steps = np.where(steps < counted, steps, counted - sums.period + (steps - counted) % sums.period)
    return np.asarray(alive != sums.reachable[steps, :, None])


def _peak(potentials: Floats) -> float:
    """Return the highest potential; 0 if all are -inf."""
    highest = float(potentials.max())
    return highest if highest > -np.inf else 0.0


def _trace_back(columns: _Columns, best: Floats, transitions: Floats, end: Floats) -> Ints:
    """Return the (time, batch) labels of the best sequences, followed from their ends; 0 in the padding."""
    ids = np.zeros((len(best), best.shape[2]), dtype=np.intp)
    following = ids[:0].ravel()
    for time in range(len(best))[::-1]:
        count = columns.counts[time]
        if len(following) == count:
            onward = transitions[:, following]
        else:  # rows that end here join
            onward = np.empty((len(end), count))
            onward[:, : len(following)] = transitions[:, following]
            onward[:, len(following) :] = end[:, None]
        onward += best[time, :, :count]
        following = onward.argmax(axis=0)
        ids[time, : len(following)] = following
    return ids


def _log_partition(columns: _Columns, forward: Floats, end: Floats) -> Floats:
    total = _log_sum(_final(columns, forward, end))
    _require_finite(total, columns)
    result = np.zeros(len(columns.order))
    result[columns.order[: len(total)]] = total
    return result


def _final(columns: _Columns, messages: Floats, end: Floats) -> Floats:
    """Return the messages of each row's last step plus its end: (labels, rows longer than 0)."""
    lengths = columns.lengths[columns.lengths > 0]
    last: Floats = messages[lengths - 1, :, np.arange(len(lengths))].T
    return last + end[:, None]


def _require_finite(totals: Floats, columns: _Columns) -> None:
    for column in np.flatnonzero(~np.isfinite(totals)):
        row, length = columns.order[column], columns.lengths[column]
        raise ValueError(f"row {row}: the constraints allow no sequence of {length} labels")


def _log_sum(values: Floats) -> Floats:
    """Return the log of the sum of exponentials over the first axis; -inf if all are."""
    peak = np.max(values, axis=0)
    peak = np.where(np.isfinite(peak), peak, 0.0)
    with np.errstate(divide="ignore"):
        logs: Floats = np.log(np.exp(values - peak).sum(axis=0))
    return logs + peak
