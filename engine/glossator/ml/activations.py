"""Turns logits into probabilities: softmax for exclusive labels, sigmoid for independent ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# exp(60) is still finite in float32, and the sigmoid beyond it is 0 or 1 to every digit.
_LARGEST_LOGIT = 60


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """Return probabilities of the logits' shape and type that sum to 1 along the last axis.

    Example:
        softmax(np.array([[0.0, 0.0]]))  # [[0.5, 0.5]]
    """
    # The highest logit becomes 0, so that no exponential overflows.
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def sigmoid(logits: NDArray[Any]) -> NDArray[Any]:
    """Return probabilities of the logits' shape and type, each independent of the others.

    Example:
        sigmoid(np.array([[0.0, 99.0]]))  # [[0.5, 1.0]]
    """
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -_LARGEST_LOGIT, _LARGEST_LOGIT))))
