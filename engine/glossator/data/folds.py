"""Divides labelled data into parts that have the same labels in the same shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glossator.annotations.layer import Layer
from glossator.data.labels import labels_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.training import Example


def assign_folds(examples: Sequence[Example], folds: int, layer: Layer, *, seed: int) -> NDArray[np.intp]:
    """Return the (examples,) fold of each; folds are equal in size, and in each set of labels, to within one.

    Example:
        assign_folds(examples, 10, Layer.parse("cats"), seed=0)  # [3, 9, 0, ...]
    """
    # Shuffled, then sorted by labels, which is stable, and numbered in turn: that spreads each set of labels.
    shuffled = np.random.default_rng(seed).permutation(len(examples))
    labels = [sorted(labels_of(example.reference, layer)) for example in examples]
    ranked = sorted(shuffled.tolist(), key=labels.__getitem__)
    fold = np.empty(len(examples), dtype=np.intp)
    fold[ranked] = np.arange(len(examples)) % folds
    return fold


def set_aside(
    examples: Sequence[Example], parts: int, layer: Layer, *, seed: int
) -> tuple[list[Example], list[Example]]:
    """Divide examples into a training set, and a dev set of one of so many parts.

    No label is in the dev set alone.

    Example:
        train, dev = set_aside(examples, 10, Layer.parse("cats"), seed=0)  # a tenth

    Returns:
        Training set and dev set, each in the order of the examples.
    """
    fold = assign_folds(examples, parts, layer, seed=seed)
    # The last fold is never the larger one.
    train = [example for example, number in zip(examples, fold, strict=True) if number != parts - 1]
    known = {label for example in train for label in labels_of(example.reference, layer)}
    is_dev = [
        number == parts - 1 and labels_of(example.reference, layer) <= known
        for example, number in zip(examples, fold, strict=True)
    ]
    return (
        [example for example, held in zip(examples, is_dev, strict=True) if not held],
        [example for example, held in zip(examples, is_dev, strict=True) if held],
    )
