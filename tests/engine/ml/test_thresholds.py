"""Thresholds are the best there are on the dev set, and decide which categories hold."""

from __future__ import annotations

import numpy as np
import pytest
import spacy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spacy.training import Example

from glossator.ml.thresholds import (
    THRESHOLD,
    apply_thresholds,
    best_f1_threshold,
    best_rejection_threshold,
    choose_thresholds,
    labels_that_hold,
)

NLP = spacy.blank("en")
SCORES = st.floats(0, 1) | st.sampled_from((0.25, 0.5, 0.75))


def candidates(scores):
    """One threshold for each way of parting the scores, those apart that are equal but for their rounding."""
    ranked = np.sort(scores)
    apart = np.append(np.diff(ranked) > 1e-6 * ranked[1:], True)
    return [0.0, *np.nextafter(ranked[apart], 2)]


def f1(scores, holds, threshold):
    found = scores >= threshold
    right = (found & holds).sum()
    return 2 * right / (found.sum() + holds.sum()) if right else 0.0


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=12))
@example([(0.0, False), (5e-324, True)])  # nothing lies between the two
def test_no_other_threshold_has_a_better_f1(pairs):
    scores, holds = (np.asarray(column) for column in zip(*pairs, strict=True))
    chosen = best_f1_threshold(scores, holds)
    if not holds.any():
        assert chosen == THRESHOLD
        return
    best = max(f1(scores, holds, threshold) for threshold in candidates(scores))
    assert f1(scores, holds, chosen) == pytest.approx(best)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(SCORES, st.sampled_from(("right", "wrong", "out"))), min_size=1, max_size=12))
def test_no_other_threshold_rejects_better(pairs):
    scores = np.asarray([score for score, _ in pairs])
    right, in_scope = (np.asarray([test(kind) for _, kind in pairs]) for test in (is_right, is_in_scope))

    def accuracy(threshold):
        accepted = scores >= threshold
        return ((accepted & right) | (~accepted & ~in_scope)).mean()

    chosen = best_rejection_threshold(scores, right, in_scope)
    assert accuracy(chosen) == pytest.approx(max(accuracy(each) for each in candidates(scores)))


def is_right(kind):
    return kind == "right"


def is_in_scope(kind):
    return kind != "out"


@pytest.mark.parametrize("ranks", [(0, 1), (1, 0)])
def test_scores_that_are_equal_but_for_rounding_are_not_parted(ranks):
    """The same text twice, with other gold: which scores higher by a last digit decides nothing."""
    twice = 0.7 + 1e-7 * np.asarray(ranks)
    scores, holds = np.asarray([*twice, 0.2]), np.asarray([True, False, False])
    assert best_f1_threshold(scores, holds) == pytest.approx(0.45)
    assert best_rejection_threshold(scores, holds, holds) == pytest.approx(1.0)


def test_which_categories_hold():
    probabilities = {"A": 0.3, "B": 0.6, "C": 0.1}
    assert labels_that_hold(probabilities, {}, exclusive=True) == ["B"]
    assert labels_that_hold(probabilities, dict.fromkeys("ABC", 0.7), exclusive=True) == []
    assert labels_that_hold(probabilities, {}, exclusive=False) == ["B"]
    assert labels_that_hold(probabilities, {"A": 0.3, "C": 0.2}, exclusive=False) == ["B", "A"]
    assert labels_that_hold({}, {}, exclusive=True) == []
    # Of equals, but for rounding, the first is the first.
    assert labels_that_hold({"A": 0.9999999, "B": 1.0}, {}, exclusive=False) == ["A", "B"]


def annotated(guesses, truths):
    examples = [Example(NLP.make_doc("x"), NLP.make_doc("x")) for _ in guesses]
    for each, guess, truth in zip(examples, guesses, truths, strict=True):
        each.predicted.cats, each.reference.cats = guess, truth
    return examples


@pytest.mark.parametrize("exclusive", [True, False])
def test_nothing_holds_where_all_probabilities_are_0(exclusive):
    probabilities = np.asarray([[0.0, 0.0], [0.0, 1.0]])
    thresholds = {"a": 0.0, "b": 0.0}
    holding = apply_thresholds(probabilities, ["a", "b"], thresholds, exclusive=exclusive)
    assert holding[0] == []
    assert holding[1][0] == "b"


def test_labels_that_the_gold_does_not_speak_of_are_left_out():
    guesses = [{"A": 0.2, "B": 0.9}, {"A": 0.4, "B": 0.1}, {"A": 0.9, "B": 0.8}]
    truths = [{"A": 0.0, "B": 0.0}, {"A": 1.0}, {"B": 0.0}]
    chosen = choose_thresholds(annotated(guesses, truths), ("A", "B"), exclusive=False)
    assert chosen == {"A": pytest.approx(0.3), "B": THRESHOLD}


def test_what_is_out_of_scope_gives_one_threshold_to_all():
    guesses = [{"A": 0.8, "B": 0.2}, {"A": 0.3, "B": 0.7}, {"A": 0.6, "B": 0.4}, {"A": 0.4, "B": 0.6}]
    truths = [{"A": 1.0}, {"B": 1.0}, {"other": 1.0}, {}]
    examples = annotated(guesses, truths)
    chosen = choose_thresholds(examples, ("A", "B"), exclusive=True)
    assert chosen == {"A": pytest.approx(0.65), "B": pytest.approx(0.65)}
    assert choose_thresholds(examples[:2], ("A", "B"), exclusive=True) == {}
