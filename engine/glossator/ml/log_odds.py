"""How much binary features tell of labels: the log-odds ratios of naive Bayes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_SMOOTHING = 1.0  # documents added with and without the label


def log_odds_scales(joint: Floats, known: Floats, positives: NDArray[Any], documents: NDArray[Any]) -> Floats:
    """Return how much more, or less, each feature tells of the labels than an average one does.

    Compared are the odds of a label among the documents with the feature, as they are and as they would be
    if the two had nothing to do with each other. The logarithms of these ratios are squared and averaged
    over labels by their frequency. Smoothing draws them to 0: rare features tell little.

    Wang & Manning 2012, "Baselines and bigrams: simple, good sentiment and topic classification", multiply
    features by such ratios, of two labels.

    Example:
        # "good" is in 9 positive documents of 10, "the" in as many as of both.
        log_odds_scales(
            np.array([[9, 1], [5, 5]], "f"),
            np.array([[10, 10], [10, 10]], "f"),
            np.array([50, 50]),
            np.array([100, 100]),
        )  # [1.41, 0]

    Args:
        joint: (features, labels) numbers of documents with both.
        known: (features, labels) numbers of documents with the feature of which it is known whether they
            have the label.
        positives: (labels,) numbers of documents with the label.
        documents: (labels,) numbers of documents of which that is known.

    Returns:
        (features,) values of 0 or more; their mean square over all occurrences of features is 1. All are 1
        where no feature tells anything.
    """
    expected = known * (positives / np.maximum(documents, 1)).astype(np.float32)
    ratios = np.log((joint + _SMOOTHING) / (expected + _SMOOTHING))
    ratios -= np.log((known - joint + _SMOOTHING) / (known - expected + _SMOOTHING))
    squares = ratios**2 @ (positives / max(positives.sum(), 1)).astype(np.float32)

    occurrences = known.mean(axis=1)
    mean_square = float(squares @ occurrences) / max(float(occurrences.sum()), 1)
    if not mean_square > 0:
        return np.ones(len(joint), dtype=np.float32)
    return np.asarray(np.sqrt(squares / mean_square), dtype=np.float32)
