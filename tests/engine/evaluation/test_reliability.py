from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glossator.evaluation.reliability import expected_calibration_error, reliability
from glossator.ml.temperature import fit_temperature, softmax_nll


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def drawn(seed, rows, labels=5):
    """Logits, and labels drawn from the very distribution they tell."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(rows, labels))
    return logits, (softmax(logits).cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.2, 0.7, 1.0, 3.0, 9.0])
def test_recovers_the_temperature_of_synthetic_logits(temperature):
    logits, gold = drawn(3, 20_000)
    fitted = fit_temperature(lambda t: -softmax_nll(logits * temperature, gold, t))
    assert fitted == pytest.approx(temperature, rel=0.05)
    scores = softmax(logits * temperature / fitted)
    assert (scores.argmax(axis=1) == (logits * temperature).argmax(axis=1)).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.floats(0.01, 100))
def test_no_temperature_of_a_grid_is_better(seed, rows, stretch):
    logits, gold = drawn(seed, rows)

    def log_likelihood(temperature):
        return -softmax_nll(logits * stretch, gold, temperature)

    def posterior(temperature):
        return log_likelihood(temperature) - 2 * math.log(temperature) ** 2

    fitted = fit_temperature(log_likelihood)
    assert 0.05 <= fitted <= 20.0
    best = max(posterior(t) for t in np.geomspace(0.05, 20, 200))
    assert posterior(fitted) >= best - 1e-3 * abs(best)


@pytest.mark.parametrize("rows", [1, 40, 400])
def test_right_answers_alone_do_not_make_certain(rows):
    logits = np.tile([3.0, 0.0], (rows, 1))
    fitted = fit_temperature(lambda t: -softmax_nll(logits, np.zeros(rows, dtype=int), t))
    most = 1 - softmax(logits[:1] / fitted)[0, 0]
    assert 0.02 / rows < most < 0.05


def test_calibration_lowers_the_calibration_error():
    logits, gold = drawn(5, 20_000)
    logits *= 4

    def error(temperature):
        scores = softmax(logits / temperature)
        return expected_calibration_error(scores.max(axis=1), scores.argmax(axis=1) == gold)

    assert error(fit_temperature(lambda t: -softmax_nll(logits, gold, t))) < 0.02 < error(1.0)


def test_nothing_to_fit_on_leaves_the_scores_alone():
    empty = np.zeros((0, 3))
    assert softmax_nll(empty, [], 2.0) == 0.0
    assert fit_temperature(lambda t: -softmax_nll(empty, [], t)) == 1.0
    assert fit_temperature(lambda t: math.nan) == 1.0


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.floats(0.05, 20))
def test_softmax_nll_is_what_its_definition_says(seed, rows, temperature):
    logits, gold = drawn(seed, rows)
    expected = -sum(
        math.log(math.exp(row[right] / temperature) / sum(math.exp(logit / temperature) for logit in row))
        for row, right in zip(logits, gold, strict=True)
    )
    assert softmax_nll(logits, gold, temperature) == pytest.approx(expected)


def test_softmax_nll_of_huge_logits_is_finite():
    assert softmax_nll([[1e4, 0.0], [0.0, 1e4]], [0, 0], 1.0) == pytest.approx(1e4)


scored = st.lists(st.tuples(st.floats(0, 1) | st.sampled_from((0.0, 0.3, 0.7, 1.0)), st.booleans()))


@settings(max_examples=100, deadline=None)
@given(scored, st.integers(1, 12))
def test_every_score_lies_in_the_one_row_that_counts_it(pairs, bins):
    scores, correct = [score for score, _ in pairs], [right for _, right in pairs]
    rows = reliability(scores, correct, bins)
    assert sum(row.number for row in rows) == len(scores)
    for low, high, number, mean_score, accuracy in rows:
        assert high - low == pytest.approx(1 / bins)
        held = [pair for pair in pairs if low <= pair[0] < high or pair[0] == high == 1.0]
        assert number == len(held) > 0
        assert mean_score == pytest.approx(sum(score for score, _ in held) / number)
        assert accuracy == pytest.approx(sum(right for _, right in held) / number)
    error = sum(row.number * abs(row.mean_score - row.accuracy) for row in rows)
    assert expected_calibration_error(scores, correct, bins) == pytest.approx(error / max(len(scores), 1))


def test_sure_and_right_is_no_error_and_sure_and_wrong_is_all():
    assert expected_calibration_error([1.0, 1.0, 0.0], [True, True, False]) == 0.0
    assert expected_calibration_error([1.0, 1.0, 0.0], [False, False, True]) == 1.0
    assert expected_calibration_error([], []) == 0.0
