import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glossator.ml.logistic_regression import (
    STRENGTHS,
    USUAL_STRENGTH,
    Design,
    Weights,
    _folds,
    choose_strength,
    fit,
    loss_and_errors,
)
from glossator.ml.sparse import SparseMatrix

seeds = st.integers(0, 2**32 - 1)


def random_sparse(generator, shape, entries):
    rows, columns = (generator.integers(0, size, entries).astype(np.int32) for size in shape)
    return SparseMatrix(shape, rows, columns, generator.normal(size=entries).astype(np.float32))


def random_design(seed, docs=12, units=9, features=7, width=2):
    generator = np.random.default_rng(seed)
    return Design(
        random_sparse(generator, (docs, units), 30),
        random_sparse(generator, (units, features), 25),
        generator.normal(size=(docs, width)).astype(np.float32),
    )


def full(design):
    """The (docs, features + width) matrix that a design stands for."""
    return np.hstack(
        [design.documents.times(design.units.times(np.eye(design.units.shape[1]))), design.dense]
    )


def random_gold(seed, docs=12, labels=3, exclusive=True):
    generator = np.random.default_rng(seed + 1)
    if exclusive:
        gold = np.eye(labels)[generator.integers(0, labels, docs)]
        gold[::5] = np.nan
        return gold
    gold = generator.integers(0, 2, size=(docs, labels)).astype(float)
    gold[generator.random(gold.shape) < 0.2] = np.nan
    return gold


def separable(docs, labels=3, noise=0.0, seed=0):
    """Documents with one word that tells the label, some of them wrongly, and many words that do not."""
    generator = np.random.default_rng(seed)
    topics = generator.integers(0, labels, docs)
    told = np.where(generator.random(docs) < noise, generator.integers(0, labels, docs), topics)
    others = generator.integers(labels, labels + 200, size=(docs, 5))
    columns = np.hstack([told[:, None], others]).ravel().astype(np.int32)
    rows = np.repeat(np.arange(docs, dtype=np.int32), 6)
    count = labels + 200
    same = np.arange(count, dtype=np.int32)
    return Design(
        SparseMatrix((docs, count), rows, columns, np.full(len(rows), 6**-0.5, dtype=np.float32)),
        SparseMatrix((count, count), same, same, np.ones(count, dtype=np.float32)),
        np.full((docs, 1), 0.25, dtype=np.float32),
    ), np.eye(labels)[topics]


@given(seeds, st.booleans())
def test_errors_are_the_gradient_of_the_loss(seed, exclusive):
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=3, size=(12, 3)).astype(np.float32)
    gold = random_gold(seed, exclusive=exclusive)
    _, errors = loss_and_errors(logits, gold, exclusive=exclusive)
    direction = generator.normal(size=logits.shape)
    ahead, behind = (
        loss_and_errors(logits.astype(float) + step * direction, gold, exclusive=exclusive)[0]
        for step in (1e-4, -1e-4)
    )
    assert (ahead - behind) / 2e-4 == pytest.approx(float((errors * direction).sum()), abs=1e-2)


@given(seeds)
def test_logits_and_gradients_are_those_of_the_full_matrix(seed):
    design, generator = random_design(seed), np.random.default_rng(seed)
    weights = Weights(
        generator.normal(size=(7, 3)).astype(np.float32), generator.normal(size=(2, 3)).astype(np.float32)
    )
    errors = generator.normal(size=(12, 3)).astype(np.float32)
    matrix, stacked = full(design), np.vstack([weights.sparse, weights.dense])
    assert design.logits(weights) == pytest.approx(matrix @ stacked, abs=1e-3)
    gradient = design.gradient(errors)
    assert np.vstack([gradient.sparse, gradient.dense]) == pytest.approx(matrix.T @ errors, abs=1e-3)
    some = np.flatnonzero(generator.random(12) < 0.5)
    assert full(design.some(some)) == pytest.approx(matrix[some], abs=1e-4)


@settings(deadline=None, max_examples=25)
@given(seeds, st.booleans(), st.sampled_from([0.1, 1.0]))
def test_at_the_solution_the_gradient_vanishes(seed, exclusive, strength):
    design, gold = random_design(seed), random_gold(seed, exclusive=exclusive)
    weights = fit(design, gold, strength=strength, exclusive=exclusive)
    _, errors = loss_and_errors(design.logits(weights), gold, exclusive=exclusive)
    gradient = design.gradient(errors)
    assert gradient.sparse + strength * weights.sparse == pytest.approx(0, abs=0.02)
    assert gradient.dense + strength * weights.dense == pytest.approx(0, abs=0.02)


def test_documents_without_gold_teach_nothing():
    design, gold = separable(60)
    gold[40:] = np.nan
    whole = fit(design, gold, strength=0.1, exclusive=True)
    part = fit(design.some(np.arange(40)), gold[:40], strength=0.1, exclusive=True)
    assert whole.sparse == pytest.approx(part.sparse, abs=1e-3)


def chosen(design, gold, exclusive):
    return choose_strength(lambda known: design, gold, exclusive=exclusive)


def test_noisy_labels_ask_for_stronger_regularization():
    clean = chosen(*separable(400), exclusive=True).strength
    noisy = chosen(*separable(400, noise=0.7), exclusive=True).strength
    assert noisy > clean
    assert {clean, noisy} <= set(STRENGTHS)


@pytest.mark.parametrize("docs", [100, 1200])
def test_features_of_a_search_know_no_label_that_is_held_out(docs):
    design, gold = separable(docs, noise=0.3)
    seen = []

    def design_of(known):
        seen.append(known)
        return design

    choose_strength(design_of, gold, exclusive=True)
    for known in seen:
        held_out = np.isnan(known).all(axis=1)
        assert held_out.sum() == docs / 5
        assert np.array_equal(known[~held_out], gold[~held_out])
    if docs == 100:
        assert (sum(np.isnan(known) for known in seen) == 1).all()


@pytest.mark.parametrize("docs", [400, 1200])
@pytest.mark.parametrize("exclusive", [True, False])
def test_choosing_again_chooses_the_same(docs, exclusive):
    design, gold = separable(docs, noise=0.3)
    first, second = (chosen(design, gold, exclusive=exclusive) for _ in range(2))
    assert (first.strength, first.temperature) == (second.strength, second.temperature)


@pytest.mark.parametrize("exclusive", [True, False])
def test_where_fitting_starts_changes_the_time_and_not_the_result(exclusive):
    design, gold = separable(300, noise=0.3)
    choice = chosen(design, gold, exclusive=exclusive)
    fresh, warm = (
        fit(design, gold, strength=choice.strength, exclusive=exclusive, start=start)
        for start in (None, choice.weights)
    )
    assert design.logits(warm) == pytest.approx(design.logits(fresh), abs=0.1)


def test_too_few_documents_get_the_usual_strength():
    choice = chosen(*separable(10), exclusive=True)
    assert (choice.strength, choice.temperature) == (USUAL_STRENGTH, 1.0)


@given(seeds, st.integers(1, 4), st.integers(20, 80))
def test_every_label_has_its_share_in_every_fold(seed, labels, docs):
    gold = np.eye(labels)[np.random.default_rng(seed).integers(0, labels, docs)]
    folds = _folds(gold)
    for label in range(labels):
        counts = np.bincount(folds[gold[:, label] == 1], minlength=5)
        assert counts.max() - counts.min() <= 1
