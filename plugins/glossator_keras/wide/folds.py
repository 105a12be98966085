"""Folds of the training data, so that a network learns from a linear model what it says of unseen text.

A linear model is surer of the text it was fitted on than of any other. A network that learned from such
answers would trust them too much. So each text gets the answers of a model that was fitted without the
text's fold (Wolpert 1992, "Stacked generalization"; Breiman 1996, "Stacked regressions").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glossator.ml.ngrams import mixed
from glossator_keras.arrays import Array, Arrays, Floats, Positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

FOLDS = 4
BLOCKS = 10  # of neighbouring texts, in each fold

_SALT = 0


@dataclass(frozen=True, slots=True)
class Folds:
    """The fold of each text of the training data; equal texts share one.

    Example:
        folds = Folds.of(hashes, in_blocks(len(hashes)))
        folds.find(hashes[:3])  # [0, 0, 0]

    Attributes:
        hashes: (different texts,) hashes of their words, rising.
        numbers: (different texts,) the fold of each.
    """

    hashes: Hashes
    numbers: NDArray[np.uint8]

    @classmethod
    def of(cls, hashes: Hashes, numbers: Positions) -> Folds:
        """Return the folds of texts that are equal where their hashes are.

        Args:
            hashes: (texts,) hashes of the texts of the training data.
            numbers: (texts,) the fold of each; of equal texts, that of the first counts.
        """
        distinct, first = np.unique(hashes, return_index=True)
        return cls(distinct, numbers[first].astype(np.uint8))

    def find(self, hashes: Hashes) -> Positions:
        """Return the (texts,) fold of each text; `FOLDS` for those that are not of the training data."""
        if not len(self.hashes):
            return np.full(len(hashes), FOLDS)
        places = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return np.where(self.hashes[places] == hashes, self.numbers[places], FOLDS).astype(np.intp)

    def to_arrays(self) -> Mapping[str, Array]:
        """Return both arrays by name."""
        return {"fold_hashes": self.hashes, "fold_numbers": self.numbers}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Folds:
        """Return what `to_arrays` returned."""
        return cls(arrays["fold_hashes"], arrays["fold_numbers"])


def in_blocks(count: int) -> Positions:
    """Return the (texts,) folds of texts that stand in the order of their documents.

    Neighbours are often of one document and repeat its names. Folds of single texts would let a model answer
    for half of a document after seeing the other half.

    Example:
        in_blocks(8000)[:400]  # 200 of the first fold, 200 of the second
    """
    return np.arange(count) * min(FOLDS * BLOCKS, count) // max(count, 1) % FOLDS


def by_label(labels: Positions) -> Positions:
    """Return the (texts,) folds of texts by their (texts,) labels: each label has its share in every fold.

    Example:
        by_label(np.array([0, 0, 0, 0, 1, 1, 1, 1]))  # [0, 1, 2, 3, 0, 1, 2, 3]
    """
    folds = np.empty(len(labels), dtype=np.intp)
    folds[np.argsort(labels, kind="stable")] = np.arange(len(labels)) % FOLDS
    return folds


def text_hashes(words: Hashes, starts: Positions) -> Hashes:
    """Return the (texts,) hashes of texts, which depend on their words alone.

    Example:
        text_hashes(words.features[:, 0], words.sentence_starts)

    Args:
        words: (words,) hashes of the words of all texts.
        starts: (texts + 1,) the first word of each text.
    """
    # Unsigned sums wrap around, and so do their differences.
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(mixed(words, _SALT), dtype=np.uint64)])
    return np.asarray(sums[starts[1:]] - sums[starts[:-1]])


def answers_of_folds(stacked: Floats, folds: Positions) -> Floats:
    """Return for each row the answer of the model that did not see its fold.

    Example:
        answers_of_folds(stacked, folds.find(hashes))

    Args:
        stacked: (rows, FOLDS * labels) answers of the models of all folds, one after another.
        folds: (rows,) the fold of each row.
    """
    by_fold = stacked.reshape(len(stacked), FOLDS, stacked.shape[1] // FOLDS)
    return np.asarray(by_fold[np.arange(len(stacked)), folds])
