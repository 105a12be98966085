"""From what a network says of each word to one row for all of them; padding changes nothing."""

from __future__ import annotations

from typing import TypeAlias

import keras
from keras import ops

Tensor: TypeAlias = keras.KerasTensor

_FAR_BELOW = -1e9


def max_over_words(hidden: Tensor, mask: Tensor, lowest: float) -> Tensor:
    """Return the (batch, width) maxima of (batch, time, width); `lowest` where there is no word."""
    return ops.max(ops.where(mask[:, :, None], hidden, lowest), axis=1)


def mean_over_words(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the (batch, width) means of (batch, time, width); 0 where there is no word."""
    shown = ops.cast(mask, hidden.dtype)[:, :, None]
    return ops.sum(hidden * shown, axis=1) / ops.maximum(ops.sum(shown, axis=1), 1.0)


def bag_of_words(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the (batch, width) sums of (batch, time, width) over the root of how many words there are.

    Sums say how often something is said, means how much of the text it is; this lies between.
    """
    shown = ops.cast(mask, hidden.dtype)[:, :, None]
    return ops.sum(hidden * shown, axis=1) / ops.sqrt(ops.maximum(ops.sum(shown, axis=1), 1.0))


def attention_over_words(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the (batch, width) means of (batch, time, width), weighted by what each word asks for itself.

    Yang et al. 2016, "Hierarchical attention networks for document classification".
    """
    width = hidden.shape[-1]
    keys = keras.layers.Dense(width, activation="tanh", name="attention_keys")(hidden)
    scores = keras.layers.Dense(1, use_bias=False, name="attention_scores")(keys)
    weights = ops.softmax(ops.where(mask[:, :, None], scores, _FAR_BELOW), axis=1)
    return ops.sum(hidden * weights, axis=1)
