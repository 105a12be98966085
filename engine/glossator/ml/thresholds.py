"""From probabilities of categories to categories that hold, by thresholds chosen on the dev set.

Where a document may have several categories, one holds from its own threshold on: that of the best F1 on
the dev set, `THRESHOLD` where the dev set has no such document. Where it has exactly one, the likeliest
holds; a classifier whose dev set has documents of none of its categories, out of scope, has a threshold below
which none does (Larson et al. 2019): that of the best accuracy on the dev set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.ml.categories import category_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.training import Example

    Floats = NDArray[np.float64]

THRESHOLD = 0.5

Thresholds = Mapping[str, float]


def apply_thresholds(
    probabilities: Floats, labels: Sequence[str], thresholds: Thresholds, *, exclusive: bool
) -> list[list[str]]:
    """Return, for each document, the categories that hold, the likeliest first.

    Args:
        probabilities: (docs, labels) of one classifier.
        labels: What the columns are of.
        thresholds: Of each label; without one it is 0 where categories exclude each other, else `THRESHOLD`.
        exclusive: Whether a document has at most one.
    """
    least = [thresholds.get(label, 0.0 if exclusive else THRESHOLD) for label in labels]
    ranked = np.argsort(-probabilities, axis=1, kind="stable")[:, : 1 if exclusive else None]
    passed = np.take_along_axis(probabilities >= np.asarray(least), ranked, axis=1)
    return [[labels[column] for column in row[ok].tolist()] for row, ok in zip(ranked, passed, strict=True)]


def labels_that_hold(
    probabilities: Mapping[str, float], thresholds: Thresholds, *, exclusive: bool
) -> list[str]:
    """Return the same for one document, its probabilities given by label."""
    row = np.asarray([list(probabilities.values())], dtype=np.float64)
    return apply_thresholds(row, list(probabilities), thresholds, exclusive=exclusive)[0]


def choose_thresholds(
    examples: Sequence[Example], labels: Sequence[str], *, exclusive: bool
) -> dict[str, float]:
    """Return the thresholds that are best on annotated examples.

    Args:
        examples: Docs with probabilities, and gold ones.
        labels: The classifier's labels.
        exclusive: Whether a document has at most one.

    Returns:
        A threshold a label; nothing where categories exclude each other and no document is out of scope.
    """
    if exclusive:
        return _with_rejection(examples, labels)
    gold, scores = _gold_and_scores(examples, labels)
    return {
        label: best_f1_threshold(scores[known, column], gold[known, column] > 0)
        for column, label in enumerate(labels)
        for known in [~np.isnan(gold[:, column])]
    }


def best_f1_threshold(scores: Floats, holds: NDArray[np.bool_]) -> float:
    """Return the threshold of the best F1, halfway between two scores; `THRESHOLD` where nothing holds.

    Args:
        scores: (n,) probabilities.
        holds: (n,) whether what they are given to is so.
    """
    if not holds.any():
        return THRESHOLD
    order, cuts = _cuts(scores)
    hits = np.concatenate(([0], np.cumsum(holds[order])))[: len(cuts)]
    f1 = 2 * hits / (np.arange(len(cuts)) + holds.sum())
    return _best(f1, cuts)


def best_rejection_threshold(scores: Floats, right: NDArray[np.bool_], in_scope: NDArray[np.bool_]) -> float:
    """Return the threshold of the best accuracy, below which documents are taken to be out of scope.

    Args:
        scores: (n,) probabilities of the likeliest label of each document.
        right: (n,) whether that label is right.
        in_scope: (n,) whether any is.
    """
    order, cuts = _cuts(scores)
    accepted = np.concatenate(([0], np.cumsum(right[order])))
    outside = ~in_scope[order]
    rejected = outside.sum() - np.concatenate(([0], np.cumsum(outside)))
    return _best(accepted + rejected, cuts)


def _with_rejection(examples: Sequence[Example], labels: Sequence[str]) -> dict[str, float]:
    judged = [example for example in examples if any(value > 0 for value in example.reference.cats.values())]
    gold, scores = _gold_and_scores(judged, labels)
    in_scope = np.asarray((np.nan_to_num(gold) > 0).any(axis=1))
    if in_scope.all():
        return {}
    best = scores.argmax(axis=1)
    right = in_scope & (np.nan_to_num(gold)[np.arange(len(best)), best] > 0)
    return dict.fromkeys(labels, best_rejection_threshold(scores.max(axis=1), right, in_scope))


def _gold_and_scores(examples: Sequence[Example], labels: Sequence[str]) -> tuple[Floats, Floats]:
    gold = category_matrix([example.reference.cats for example in examples], labels)
    return gold, category_matrix([example.predicted.cats for example in examples], labels)


def _cuts(scores: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return the order from high to low, and (n + 1,) thresholds that let the first 0, 1, ... n pass.

    A threshold that would part equal scores is NaN.
    """
    order = np.argsort(-scores, kind="stable")
    higher, lower = scores[order][:-1], scores[order][1:]
    halfway = (higher + lower) / 2
    # Between neighbours among the numbers of a computer, halfway is one of the two.
    between = np.where(higher > lower, np.where(halfway > lower, halfway, higher), np.nan)
    return order, np.concatenate(([np.nextafter(1.0, 2.0)], between, [0.0]))


def _best(values: NDArray[Any], cuts: Floats) -> float:
    return float(cuts[np.argmax(np.where(np.isnan(cuts), -np.inf, values))])
