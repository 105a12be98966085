"""The loss is checked against all label sequences, the gradient against differences of the loss."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glossator.ml.chain_gradient import UNLABELLED, chain_gradient, padded
from glossator.ml.span_scheme import SpanScheme


def brute_loss(emissions, lengths, gold, transitions, start, end):
    """Minus the log of the share of those label sequences that agree with the gold."""
    loss, first = 0.0, 0
    for length in lengths:
        words = range(first, first + length)
        totals = {True: -np.inf, False: -np.inf}
        for labels in itertools.product(range(len(start)), repeat=int(length)):
            score = start[labels[0]] + end[labels[-1]]
            score += sum(emissions[word, label] for word, label in zip(words, labels, strict=True))
            score += sum(transitions[a, b] for a, b in itertools.pairwise(labels))
            agrees = all(gold[w] in (UNLABELLED, label) for w, label in zip(words, labels, strict=True))
            totals[False] = np.logaddexp(totals[False], score)
            if agrees:
                totals[True] = np.logaddexp(totals[True], score)
        loss += totals[False] - totals[True]
        first += length
    return loss


@st.composite
def problems(draw):
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    lengths = np.asarray(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    scheme = draw(st.sampled_from([None, SpanScheme.bio(["PER"])]))
    count = len(scheme.labels) if scheme else draw(st.integers(1, 3))
    scale = draw(st.sampled_from([0.3, 3.0, 100.0]))
    chain = [scale * generator.normal(size=shape) for shape in ((count, count), count, count)]
    if scheme:
        chain = [each + constraint for each, constraint in zip(chain, scheme.constraints(), strict=True)]
    gold = generator.integers(count, size=lengths.sum())
    if scheme:
        gold = np.concatenate([scheme.encode([(0, n, "PER")] if n > 1 else [], n) for n in lengths])
    if draw(st.booleans()):
        gold = np.where(generator.random(len(gold)) < 0.5, UNLABELLED, gold)
    return scale * generator.normal(size=(lengths.sum(), count)), lengths, gold, *chain


@given(problems())
@settings(max_examples=60, deadline=None)
def test_loss_is_that_of_all_sequences(problem):
    assert chain_gradient(*problem).loss == pytest.approx(brute_loss(*problem), rel=1e-6, abs=1e-6)


@given(problems(), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_gradient_is_the_slope_of_the_loss(problem, seed):
    emissions, lengths, gold, *chain = problem
    gradient = chain_gradient(*problem)
    parts = [emissions, *chain]
    slopes = [gradient.emissions, gradient.transitions, gradient.start, gradient.end]
    generator = np.random.default_rng(seed)
    direction = [generator.normal(size=part.shape) for part in parts]
    step = 1e-5

    def at(sign):
        moved = [part + sign * step * way for part, way in zip(parts, direction, strict=True)]
        return brute_loss(moved[0], lengths, gold, *moved[1:])

    expected = (at(1) - at(-1)) / (2 * step)
    found = sum(float((slope * way).sum()) for slope, way in zip(slopes, direction, strict=True))
    scale = max(1.0, *(float(np.abs(part[np.isfinite(part)]).max(initial=0)) for part in parts))
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-4 * scale)


def test_gold_that_the_constraints_forbid_is_an_error():
    scheme = SpanScheme.bio(["PER"])
    inside_first = np.array([2])
    with pytest.raises(ValueError, match="do not allow the gold"):
        chain_gradient(np.zeros((1, 3)), np.array([1]), inside_first, *scheme.constraints())


def test_padding_repeats_the_last_row():
    rows = np.array([[1.0], [2.0], [3.0]])
    assert padded(rows, np.array([2, 1])).tolist() == [[[1.0], [2.0]], [[3.0], [3.0]]]
