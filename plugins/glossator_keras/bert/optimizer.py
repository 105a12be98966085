"""Fine-tuning: AdamW (Loshchilov and Hutter 2019), its learning rates, and the weights that do not decay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from glossator_keras.bert.backbone import backbone_variables
from glossator_keras.training.learner import SingleDevice

WEIGHT_DECAY = 0.01
GRADIENT_NORM = 1.0
WITHOUT_DECAY = ["bias", "gamma", "beta"]  # biases and layer norms, by their variables' names


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The learning rates of fine-tuning.

    Attributes:
        backbone: The highest learning rate of BERT.
        head: The highest learning rate of the layers on top, which start from fresh weights.
        warmup_steps: Updates until the rates are at their highest, from 0 in equal steps.
        decay_steps: Updates after that until they are 0 again, in equal steps; 0: they stay.
        accumulate: Batches per update, whose gradients are summed.

    Example:
        Rates that rise for 50 updates and fall for 1000:

            rates = Rates(backbone=5e-5, head=1e-3, warmup_steps=50, decay_steps=1000)
    """

    backbone: float
    head: float
    warmup_steps: int = 0
    decay_steps: int = 0
    accumulate: int = 1

    def share(self, batches: tf.Tensor) -> tf.Tensor:
        """Return the share of the highest rate that the update after so many batches has."""
        step = tf.cast(batches // self.accumulate, "float32") + 1
        rising = step / max(self.warmup_steps, 1)
        if not self.decay_steps:
            return tf.minimum(rising, 1.0)
        falling = 1 - (step - 1 - self.warmup_steps) / self.decay_steps
        return tf.clip_by_value(tf.minimum(rising, falling), 0.0, 1.0)


class AdamW(SingleDevice, keras.optimizers.AdamW):
    """Keras's AdamW, with a learning rate of its own for the layers on top of BERT.

    Gradients are clipped together, to a norm of 1, after they were gathered from `rates.accumulate` batches.

    Args:
        network: The network, which begins with a backbone.
        rates: The learning rates.

    Example:
        One update:

            optimizer = AdamW(network, Rates(backbone=5e-5, head=1e-3))
            optimizer.apply(gradients, network.trainable_variables)
    """

    def __init__(self, network: keras.Model, rates: Rates) -> None:
        super().__init__(
            learning_rate=_Schedule(rates),
            weight_decay=WEIGHT_DECAY,
            global_clipnorm=GRADIENT_NORM,
            gradient_accumulation_steps=rates.accumulate if rates.accumulate > 1 else None,
        )
        # Keras passes its variables to `update_step` as TensorFlow's, which are their values.
        self._backbone = {id(variable.value) for variable in backbone_variables(network)}
        self._head_factor = rates.head / rates.backbone
        self.exclude_from_weight_decay(var_names=WITHOUT_DECAY)

    def apply(
        self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[keras.Variable] | None = None
    ) -> None:
        """Take a step."""
        # Gradients of embedding tables are slices of rows, which cannot be accumulated as they are.
        super().apply([tf.convert_to_tensor(gradient) for gradient in grads], trainable_variables)

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Move one variable."""
        factor = 1.0 if id(variable) in self._backbone else self._head_factor
        super().update_step(gradient, variable, learning_rate * factor)


class _Schedule(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rates: Rates) -> None:
        self._rates = rates

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        return self._rates.backbone * self._rates.share(step)

    def get_config(self) -> dict[str, Rates]:
        return {"rates": self._rates}
