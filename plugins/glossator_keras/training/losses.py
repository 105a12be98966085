"""The losses a network is trained on, of labels and logits in TensorFlow's tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from glossator_keras.crf import CRF

Loss: TypeAlias = Callable[[Any, Any], Any]  # from labels and logits to a number


def sequence_loss(network: keras.Model) -> Loss:
    """Return the mean loss a word of (batch, time) labels, -1 where there is none to learn from.

    It is the negative log likelihood of the CRF a network ends in, else the cross-entropy.
    """
    last = network.layers[-1]

    def loss(labels: Any, logits: Any) -> Any:
        known = tf.cast(labels >= 0, "float32")
        if isinstance(last, CRF):
            total = -tf.reduce_sum(last.log_likelihood(logits, labels, labels >= 0))
        else:
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), logits)
            total = tf.reduce_sum(each * known)
        return total / tf.maximum(tf.reduce_sum(known), 1.0)

    return loss


def exclusive_loss(weights: Any, smoothing: float) -> Loss:
    """Return the mean cross-entropy of a softmax, of (batch, labels) gold shares, -1 in rows without gold.

    Args:
        weights: (labels,), what a row counts for a label it has.
        smoothing: Share of the gold that is spread over all labels evenly.
    """

    def loss(gold: Any, logits: Any) -> Any:
        known = tf.cast(tf.reduce_all(gold >= 0, axis=1), "float32")
        gold = tf.maximum(gold, 0.0)
        gold = gold / tf.maximum(tf.reduce_sum(gold, axis=1, keepdims=True), 1.0)
        importance = known * tf.reduce_sum(gold * weights, axis=1)
        spread = gold * (1 - smoothing) + smoothing / len(weights)
        each = tf.nn.softmax_cross_entropy_with_logits(spread, logits)
        return tf.reduce_sum(each * importance) / tf.maximum(tf.reduce_sum(known), 1.0)

    return loss


def independent_loss(weights: Any, smoothing: float) -> Loss:
    """Return the cross-entropy of a sigmoid each label, summed over labels, the mean of all rows.

    Args:
        weights: (labels,), what a label that holds counts.
        smoothing: Share of the gold that is moved to one half.
    """

    def loss(gold: Any, logits: Any) -> Any:
        known = tf.cast(gold >= 0, "float32")
        told = tf.nn.weighted_cross_entropy_with_logits(tf.maximum(gold, 0.0), logits, weights)
        # A weight is of what holds: given to what is moved, rare labels would seem to hold everywhere.
        moved = tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(tf.shape(logits), 0.5), logits)
        each = told * (1 - smoothing) + moved * smoothing
        return tf.reduce_sum(each * known) / tf.cast(tf.maximum(tf.shape(gold)[0], 1), "float32")

    return loss
