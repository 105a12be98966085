"""Fine-tuning: AdamW (Loshchilov and Hutter 2019), its rates, and what is spared its weight decay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from glossator_keras.bert.backbone import backbone_variables
from glossator_keras.training.learner import OnOneDevice

WEIGHT_DECAY = 0.01
GRADIENT_NORM = 1.0
SPARED = ["bias", "gamma", "beta"]  # biases and layer norms, by their variables' names


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How fast what learns.

    Attributes:
        body: Learning rate of BERT at its highest.
        head: That of what stands on it, which begins anew.
        warmup_steps: Updates until they are there, from 0 in equal steps.
        decay_steps: Updates after that until they are 0 again, in equal steps; 0: they stay.
        accumulate: Batches whose gradients make one update.
    """

    body: float
    head: float
    warmup_steps: int = 0
    decay_steps: int = 0
    accumulate: int = 1

    def share(self, batches: Any) -> Any:
        """Return which share of the highest rate the update after so many batches has."""
        step = tf.cast(batches // self.accumulate, "float32") + 1
        rising = step / max(self.warmup_steps, 1)
        if not self.decay_steps:
            return tf.minimum(rising, 1.0)
        falling = 1 - (step - 1 - self.warmup_steps) / self.decay_steps
        return tf.clip_by_value(tf.minimum(rising, falling), 0.0, 1.0)


class AdamW(OnOneDevice, keras.optimizers.AdamW):
    """Keras's AdamW, with a rate of its own for what stands on BERT.

    Gradients are clipped together, to a norm of 1, after they were gathered from `rates.accumulate` batches.
    """

    def __init__(self, network: keras.Model, rates: Rates) -> None:
        super().__init__(
            learning_rate=_Schedule(rates),
            weight_decay=WEIGHT_DECAY,
            global_clipnorm=GRADIENT_NORM,
            gradient_accumulation_steps=rates.accumulate if rates.accumulate > 1 else None,
        )
        # Keras hands its variables to `update_step` as TensorFlow's.
        self._body = {id(variable.value) for variable in backbone_variables(network)}
        self._faster = rates.head / rates.body
        self.exclude_from_weight_decay(var_names=SPARED)

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Take a step; the gradients of tables, which name rows, cannot be added up as they are."""
        super().apply([tf.convert_to_tensor(each) for each in grads], trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one variable."""
        faster = 1.0 if id(variable) in self._body else self._faster
        super().update_step(gradient, variable, learning_rate * faster)


class _Schedule(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rates: Rates) -> None:
        self._rates = rates

    def __call__(self, step: Any) -> Any:
        return self._rates.body * self._rates.share(step)

    def get_config(self) -> dict[str, Any]:
        return {"rates": self._rates}
