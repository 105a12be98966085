"""The losses of taggers and classifiers, as functions of labels and logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import keras
import tensorflow as tf

from glossator_keras.arrays import Floats
from glossator_keras.crf import CRF

Loss: TypeAlias = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""From labels and logits to a number."""


def sequence_loss(network: keras.Model) -> Loss:
    """Return the mean loss per word of (batch, time) labels; -1 marks a word to learn nothing from.

    It is the negative log likelihood of the CRF that the network ends in, otherwise the cross-entropy.
    """
    last = network.layers[-1]

    def loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        labelled = tf.cast(labels >= 0, "float32")
        if isinstance(last, CRF):
            total = -tf.reduce_sum(last.log_likelihood(logits, labels, labels >= 0))
        else:
            of_words = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), logits)
            total = tf.reduce_sum(of_words * labelled)
        return total / tf.maximum(tf.reduce_sum(labelled), 1.0)

    return loss


def exclusive_loss(weights: Floats, smoothing: float) -> Loss:
    """Return the mean softmax cross-entropy of (batch, labels) gold shares; -1 in rows without gold.

    Args:
        weights: (labels,) the factor of the loss of a row with that label.
        smoothing: Share of the gold that is spread over all labels evenly.
    """

    def loss(gold: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        labelled = tf.cast(tf.reduce_all(gold >= 0, axis=1), "float32")
        gold = tf.maximum(gold, 0.0)
        gold = gold / tf.maximum(tf.reduce_sum(gold, axis=1, keepdims=True), 1.0)
        importance = labelled * tf.reduce_sum(gold * weights, axis=1)
        spread = gold * (1 - smoothing) + smoothing / len(weights)
        of_rows = tf.nn.softmax_cross_entropy_with_logits(spread, logits)
        return tf.reduce_sum(of_rows * importance) / tf.maximum(tf.reduce_sum(labelled), 1.0)

    return loss


def independent_loss(weights: Floats, smoothing: float) -> Loss:
    """Return the sigmoid cross-entropy per label, summed over labels, averaged over all rows.

    Args:
        weights: (labels,) the factor of the loss of a positive label.
        smoothing: Share of the gold that is moved to one half.
    """

    def loss(gold: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        labelled = tf.cast(gold >= 0, "float32")
        of_gold = tf.nn.weighted_cross_entropy_with_logits(tf.maximum(gold, 0.0), logits, weights)
        # Weights are those of positive labels: with them here, rare labels would seem to hold everywhere.
        of_half = tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(tf.shape(logits), 0.5), logits)
        smoothed = of_gold * (1 - smoothing) + of_half * smoothing
        return tf.reduce_sum(smoothed * labelled) / tf.cast(tf.maximum(tf.shape(gold)[0], 1), "float32")

    return loss
