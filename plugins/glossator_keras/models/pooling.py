"""From one row per word to one row per document; padding changes nothing."""

from __future__ import annotations

import keras
from keras import KerasTensor as Tensor
from keras import ops

_FAR_BELOW = -1e9  # its exponential is 0 in single precision


def max_over_words(hidden: Tensor, mask: Tensor, lowest: float) -> Tensor:
    """Return the (batch, width) maxima of (batch, time, width); `lowest` where there is no word."""
    return ops.max(ops.where(mask[:, :, None], hidden, lowest), axis=1)


def mean_over_words(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the (batch, width) means of (batch, time, width); 0 where there is no word."""
    present = ops.cast(mask, hidden.dtype)[:, :, None]
    return ops.sum(hidden * present, axis=1) / ops.maximum(ops.sum(present, axis=1), 1.0)


def bag_of_words(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the (batch, width) sums of (batch, time, width), divided by the root of the number of words.

    Sums count occurrences, means weigh them by the length of the text; this lies between.
    """
    present = ops.cast(mask, hidden.dtype)[:, :, None]
    return ops.sum(hidden * present, axis=1) / ops.sqrt(ops.maximum(ops.sum(present, axis=1), 1.0))


def attention_over_words(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the (batch, width) means of (batch, time, width), weighted by a score of each word.

    Yang et al. 2016, "Hierarchical attention networks for document classification".
    """
    width = hidden.shape[-1]
    keys = keras.layers.Dense(width, activation="tanh", name="attention_keys")(hidden)
    scores = keras.layers.Dense(1, use_bias=False, name="attention_scores")(keys)
    weights = ops.softmax(ops.where(mask[:, :, None], scores, _FAR_BELOW), axis=1)
    return ops.sum(hidden * weights, axis=1)
