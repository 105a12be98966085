from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glossator.ml import crf_training
from glossator.ml.chain_gradient import chain_gradient
from glossator.ml.crf_training import AdaGrad, CRFSettings, LabelledWords, fit_crf, with_learn_rate
from glossator.ml.crf_weights import CRFWeights
from glossator.ml.span_scheme import SpanScheme

FEATURES, WIDTH = 6, 2
SCHEME = SpanScheme.bio(["PER"])
CONSTRAINTS = SCHEME.constraints()


def data(seed: int, sentences: int = 12) -> LabelledWords:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, 5, size=sentences).astype(np.int32)
    words = int(lengths.sum())
    gold = np.concatenate([SCHEME.encode([(0, n, "PER")] if n % 2 else [], n) for n in lengths])
    return LabelledWords(
        rows=generator.integers(FEATURES + 1, size=(words, 3)).astype(np.int32),
        vectors=generator.normal(size=(words, WIDTH)).astype(np.float32),
        gold=gold.astype(np.int64),
        lengths=lengths,
    )


def zeros() -> CRFWeights:
    return CRFWeights.zeros(features=FEATURES, width=3 * WIDTH, labels=len(SCHEME.labels))


def loss(weights: CRFWeights, words: LabelledWords) -> float:
    emissions = weights.emissions(words.rows, words.dense).astype(np.float64)
    return chain_gradient(emissions, words.lengths, words.gold, *weights.chain(CONSTRAINTS)).loss


def penalized(weights: CRFWeights, words: LabelledWords, strength: float) -> float:
    values = np.concatenate([array.ravel() for array in weights.arrays().values()]).astype(np.float64)
    penalty = 0.1 * np.abs(values).sum() + 0.05 * (values**2).sum()
    return loss(weights, words) + strength * float(penalty)


def moved(weights: CRFWeights, seed: int, size: float) -> CRFWeights:
    generator = np.random.default_rng(seed)
    changed = {
        name: (array + size * generator.normal(size=array.shape)).astype(np.float32)
        for name, array in weights.arrays().items()
    }
    changed["sparse"][-1] = 0
    return CRFWeights(**changed)


@given(st.integers(0, 10**6), st.sampled_from([0.3, 1.0, 10.0]), st.sampled_from([0.03, 0.3]))
@settings(max_examples=20, deadline=None)
def test_small_data_is_fitted_to_the_minimum(seed, strength, size):
    words = data(seed)
    fitted = fit_crf(words, zeros(), CONSTRAINTS, CRFSettings(strength=strength))
    best = penalized(fitted, words, strength)
    assert best <= penalized(moved(fitted, seed, size), words, strength) + 1e-2
    assert not fitted.sparse[-1].any()


def test_a_strong_penalty_leaves_no_feature():
    fitted = fit_crf(data(0), zeros(), CONSTRAINTS, CRFSettings(strength=1e4))
    assert not any(array.any() for array in fitted.arrays().values())


def test_steps_come_near_what_fitting_at_once_reaches(monkeypatch):
    words = data(1, sentences=60)
    at_once = fit_crf(words, zeros(), CONSTRAINTS, CRFSettings(strength=0.01))
    monkeypatch.setattr(crf_training, "SMALL", 0)
    in_steps = fit_crf(words, zeros(), CONSTRAINTS, CRFSettings(strength=0.01, learn_rate=0.1))
    start, end = loss(zeros(), words), loss(at_once, words)
    assert loss(in_steps, words) - end < 0.2 * (start - end)


def learnable(sentences: int) -> LabelledWords:
    """Feature 0 is a person's first word, 1 a later one; the others say nothing."""
    generator = np.random.default_rng(5)
    lengths = generator.integers(1, 5, size=sentences).astype(np.int32)
    gold = np.concatenate([SCHEME.encode([(0, n, "PER")] if n % 2 else [], n) for n in lengths])
    rows = generator.integers(2, FEATURES + 1, size=(len(gold), 3)).astype(np.int32)
    rows[gold == 1, 0], rows[gold == 2, 0] = 0, 1
    return LabelledWords(rows, np.zeros((len(gold), 0), np.float32), gold, lengths, outside=0)


@pytest.mark.parametrize("most", [40, 10**6])
def test_the_learning_rate_is_the_one_that_answers_best_for_what_is_held_out(monkeypatch, most):
    monkeypatch.setattr(crf_training, "SMALL", 0)
    monkeypatch.setattr(crf_training, "_RATES", (1e-7, 0.1, 1e-8))
    monkeypatch.setattr(crf_training, "_MOST_TRIED", most)
    start = CRFWeights.zeros(features=FEATURES, width=0, labels=3)
    assert with_learn_rate(learnable(300), start, CONSTRAINTS).learn_rate == 0.1


def test_a_given_learning_rate_and_small_data_are_left_alone():
    for given_settings in (CRFSettings(learn_rate=0.3), CRFSettings(strength=2.0)):
        assert with_learn_rate(data(1), zeros(), CONSTRAINTS, given_settings) == given_settings


def test_the_first_step_goes_down_the_slope_of_every_weight():
    words, weights = data(2), moved(zeros(), 3, 0.5)
    before = {name: array.copy() for name, array in weights.arrays().items()}
    AdaGrad(zeros(), CRFSettings(strength=1e-6, learn_rate=0.01)).step(weights, words, CONSTRAINTS)
    after = weights.arrays()
    for name, array in before.items():
        for place in np.ndindex(array.shape):
            if name == "sparse" and place[0] == FEATURES:
                continue
            slope = slope_of(before, name, place, words)
            step = float(after[name][place] - array[place])
            if abs(slope) > 0.05:
                assert step == pytest.approx(-0.01 * np.sign(slope), rel=1e-2), (name, place)


def slope_of(arrays, name, place, words: LabelledWords) -> float:
    """By a difference of losses."""
    losses = []
    for sign in (1, -1):
        changed = {key: array.copy() for key, array in arrays.items()}
        changed[name][place] += sign * 0.01
        losses.append(loss(CRFWeights(**changed), words))
    return (losses[0] - losses[1]) / 0.02


def test_some_sentences():
    words = data(4)
    starts = np.cumsum(words.lengths) - words.lengths
    some = np.array([7, 0, 7])
    expected = np.concatenate([np.arange(starts[i], starts[i] + words.lengths[i]) for i in some])
    chosen = words.sentences(some)
    assert chosen.lengths.tolist() == words.lengths[some].tolist()
    np.testing.assert_array_equal(chosen.rows, words.rows[expected])
    np.testing.assert_array_equal(chosen.gold, words.gold[expected])
    np.testing.assert_array_equal(chosen.vectors, words.vectors[expected])


def test_weights_that_do_not_fit_are_refused():
    arrays = zeros().arrays()
    assert CRFWeights.from_arrays(arrays).sparse.shape == (FEATURES + 1, 3)
    with pytest.raises(ValueError, match="do not fit"):
        CRFWeights.from_arrays({**arrays, "start": arrays["start"][:2]})
    with pytest.raises(ValueError, match="do not fit"):
        CRFWeights.from_arrays({**arrays, "end": arrays["end"] + np.float32(np.inf)})
    with pytest.raises(KeyError):
        CRFWeights.from_arrays({})
