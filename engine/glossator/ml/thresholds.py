"""Turns probabilities of categories into categories, by thresholds chosen on the dev set.

If a document can have several categories, each has a threshold of its own: the one with the best F1 on the
dev set, or `THRESHOLD` if no document of the dev set has the category. If a document has exactly one, it is
the most probable one. If the dev set has documents out of scope, of none of the categories, a document whose
best probability is below a threshold gets none (Larson et al. 2019); this threshold has the best accuracy on
the dev set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.ml.categories import category_matrix
from glossator.util.ranking import RANKING_DIGITS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.training import Example

    Floats = NDArray[np.float64]

THRESHOLD = 0.5
# Another batch or another processor may change a score by this share of it: no threshold parts closer scores.
_ROUNDING = 1e-6

Thresholds = Mapping[str, float]


def apply_thresholds(
    probabilities: Floats, labels: Sequence[str], thresholds: Thresholds, *, exclusive: bool
) -> list[list[str]]:
    """Return the categories of each document, the most probable first; none if all probabilities are 0.

    Example:
        apply_thresholds(np.array([[0.7, 0.4]]), ["food", "travel"], {}, exclusive=False)  # [["food"]]

    Args:
        probabilities: (docs, labels) of one classifier.
        labels: The labels of the columns.
        thresholds: The least probability of each label; by default 0 if categories exclude each other, else
            `THRESHOLD`.
        exclusive: Whether a document has at most one category.
    """
    least = [thresholds.get(label, 0.0 if exclusive else THRESHOLD) for label in labels]
    likeliest = probabilities if exclusive else np.round(probabilities, RANKING_DIGITS)
    ranked = np.argsort(-likeliest, axis=1, kind="stable")[:, : 1 if exclusive else None]
    # The engine gives a document without words probabilities of 0.
    reached = (probabilities >= np.asarray(least)) & probabilities.any(axis=1, keepdims=True)
    passed = np.take_along_axis(reached, ranked, axis=1)
    return [[labels[column] for column in row[ok].tolist()] for row, ok in zip(ranked, passed, strict=True)]


def labels_that_hold(
    probabilities: Mapping[str, float], thresholds: Thresholds, *, exclusive: bool
) -> list[str]:
    """Return the categories of one document, the most probable first.

    Example:
        labels_that_hold({"food": 0.7, "travel": 0.4}, {"travel": 0.3}, exclusive=False)  # ["food", "travel"]

    Args:
        probabilities: The probability of each label.
        thresholds: As in `apply_thresholds`.
        exclusive: As in `apply_thresholds`.
    """
    row = np.asarray([list(probabilities.values())], dtype=np.float64)
    return apply_thresholds(row, list(probabilities), thresholds, exclusive=exclusive)[0]


def choose_thresholds(
    examples: Sequence[Example], labels: Sequence[str], *, exclusive: bool
) -> dict[str, float]:
    """Return the thresholds that are best on annotated examples.

    Example:
        head.thresholds = choose_thresholds(dev_examples, head.stage.labels, exclusive=False)

    Args:
        examples: Examples with predicted probabilities and gold categories.
        labels: The classifier's labels.
        exclusive: Whether a document has at most one category.

    Returns:
        One threshold per label; none if categories exclude each other and no document is out of scope.
    """
    if exclusive:
        return _with_rejection(examples, labels)
    gold, scores = _gold_and_scores(examples, labels)
    return {
        label: best_f1_threshold(scores[has_gold, column], gold[has_gold, column] > 0)
        for column, label in enumerate(labels)
        for has_gold in [~np.isnan(gold[:, column])]
    }


def best_f1_threshold(scores: Floats, holds: NDArray[np.bool_]) -> float:
    """Return the threshold with the best F1, halfway between two scores; `THRESHOLD` if `holds` is all false.

    Example:
        best_f1_threshold(np.array([0.9, 0.6, 0.2]), np.array([True, True, False]))  # 0.4

    Args:
        scores: (n,) probabilities.
        holds: (n,) whether the document has the category.
    """
    if not holds.any():
        return THRESHOLD
    order, cuts = _cuts(scores)
    hits = np.concatenate(([0], np.cumsum(holds[order])))[: len(cuts)]
    f1 = 2 * hits / (np.arange(len(cuts)) + holds.sum())
    return _best(f1, cuts)


def best_rejection_threshold(
    scores: Floats, correct: NDArray[np.bool_], in_scope: NDArray[np.bool_]
) -> float:
    """Return the threshold with the best accuracy; documents below it count as out of scope.

    Example:
        in_scope = np.array([True, False])
        best_rejection_threshold(np.array([0.9, 0.4]), in_scope, in_scope)  # 0.65

    Args:
        scores: (n,) probabilities of the most probable label of each document.
        correct: (n,) whether that label is correct.
        in_scope: (n,) whether the document has any of the labels.
    """
    order, cuts = _cuts(scores)
    accepted = np.concatenate(([0], np.cumsum(correct[order])))
    outside = ~in_scope[order]
    rejected = outside.sum() - np.concatenate(([0], np.cumsum(outside)))
    return _best(accepted + rejected, cuts)


def _with_rejection(examples: Sequence[Example], labels: Sequence[str]) -> dict[str, float]:
    # A document whose only gold label is none of `labels` is out of scope; one without gold is not counted.
    labelled = [
        example for example in examples if any(value > 0 for value in example.reference.cats.values())
    ]
    gold, scores = _gold_and_scores(labelled, labels)
    in_scope = np.asarray((np.nan_to_num(gold) > 0).any(axis=1))
    if in_scope.all():
        return {}
    best = scores.argmax(axis=1)
    correct = in_scope & (np.nan_to_num(gold)[np.arange(len(best)), best] > 0)
    return dict.fromkeys(labels, best_rejection_threshold(scores.max(axis=1), correct, in_scope))


def _gold_and_scores(examples: Sequence[Example], labels: Sequence[str]) -> tuple[Floats, Floats]:
    gold = category_matrix([example.reference.cats for example in examples], labels)
    return gold, category_matrix([example.predicted.cats for example in examples], labels)


def _cuts(scores: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return the order from high to low, and (n + 1,) thresholds that the first 0, 1, ... n scores reach.

    A threshold that would separate scores that are equal but for their rounding is NaN.
    """
    order = np.argsort(-scores, kind="stable")
    higher, lower = scores[order][:-1], scores[order][1:]
    halfway = (higher + lower) / 2
    # Between two adjacent floating-point numbers, halfway rounds to one of the two.
    apart = higher - lower > _ROUNDING * higher
    between = np.where(apart, np.where(halfway > lower, halfway, higher), np.nan)
    return order, np.concatenate(([np.nextafter(1.0, 2.0)], between, [0.0]))


def _best(values: NDArray[Any], cuts: Floats) -> float:
    # argmax returns the first of equal values: the highest threshold.
    return float(cuts[np.argmax(np.where(np.isnan(cuts), -np.inf, values))])
