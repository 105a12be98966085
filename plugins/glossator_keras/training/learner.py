"""Teaching a Keras network: one compiled step, the average of its weights, and all of it as arrays.

What is kept of a network is not where the last step left it but a moving average of its weights
(Polyak and Juditsky 1992), which is better and far steadier from epoch to epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from glossator_keras.training.losses import Loss

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]

AVERAGE_DECAY = 0.99
GRADIENT_NORM = 0.1  # of a mean loss a word, which is small: most steps are cut to it

LARGEST_SEED = 2**31 - 1


class Learner:
    """A network and all that changes while it learns.

    Args:
        network: Logits from inputs by name.
        loss: What a step goes down.
        label_shape: Of a batch's labels, None where it varies.
        label_type: Of the labels.
        learn_rate: Adam's.
        watched: Inputs whose gradients are wanted, too.
        optimizer: What moves the weights instead of Adam.

    Attributes:
        network: As given.
        steps: How many were taken.
        decay: Of the average of weights, in the last step.
        gradients: Of the last step's loss by the watched inputs.
    """

    def __init__(
        self,
        network: keras.Model,
        loss: Loss,
        label_shape: tuple[int | None, ...],
        label_type: str = "int32",
        *,
        learn_rate: float,
        watched: Sequence[str] = (),
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        self.network = network
        self.steps = 0
        self.decay = 0.0
        self.gradients: Arrays = {}
        self._watched = tuple(watched)
        self._optimizer = optimizer or Adam(learn_rate, global_clipnorm=GRADIENT_NORM)
        self._optimizer.build(network.trainable_variables)
        self._averages = [tf.Variable(weight.value) for weight in network.trainable_variables]
        inputs = {tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in network.inputs}
        labels = tf.TensorSpec(label_shape, label_type)
        decay = tf.TensorSpec((), "float32")
        self._step = tf.function(self._take_step(loss), input_signature=[inputs, labels, decay])

    def step(self, inputs: Arrays, labels: NDArray[Any]) -> float:
        """Learn from one batch and return its loss."""
        # Early on, the average would be of little but fresh weights.
        self.decay = min(AVERAGE_DECAY, (1 + self.steps) / (10 + self.steps))
        loss, gradients = self._step(dict(inputs), labels, np.float32(self.decay))
        self.steps += 1
        self.gradients = {name: each.numpy() for name, each in zip(self._watched, gradients, strict=True)}
        return float(loss)

    def averaged_weights(self) -> list[NDArray[Any]]:
        """Return the weights to keep, in the order of `network.get_weights`."""
        averages = zip(self.network.trainable_variables, self._averages, strict=True)
        by_id = {id(weight): average.numpy() for weight, average in averages}
        return [by_id.get(id(weight), np.asarray(weight)) for weight in self.network.weights]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that learning needs beside the averaged weights: raw ones, moments, random state."""
        arrays = {name: np.asarray(variable) for name, variable in self._variables().items()}
        return {**arrays, "steps": np.asarray(self.steps)}

    def restore(self, state: Arrays) -> None:
        """Put back what `state` returned."""
        for name, variable in self._variables().items():
            variable.assign(state[name])
        self.steps = int(state["steps"])

    def _variables(self) -> dict[str, Any]:
        groups = {
            "network": self.network.variables,
            "average": self._averages,
            "optimizer": self._optimizer.variables,
        }
        return {
            f"{group}.{i}": each for group, variables in groups.items() for i, each in enumerate(variables)
        }

    def _take_step(self, loss: Loss) -> Callable[[Any, Any, Any], Any]:
        weights = self.network.trainable_variables

        def take_step(inputs: Any, labels: Any, decay: Any) -> Any:
            watched = [inputs[name] for name in self._watched]
            with tf.GradientTape() as tape:
                tape.watch(watched)
                value = loss(labels, self.network(inputs, training=True))
            gradients = tape.gradient(value, [*weights, *watched])
            self._optimizer.apply(gradients[: len(weights)])
            for average, weight in zip(self._averages, weights, strict=True):
                average.assign(average * decay + weight.value * (1 - decay))
            return value, gradients[len(weights) :]

        return take_step


class OnOneDevice:
    """Keeps one of Keras's optimizers from adding gradients up over devices, of which there is one.

    It would do so by a gradient of its own, which TensorFlow keeps until the process ends, with all that it
    can see: the weights and moments of every network that learned.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        return grads_and_vars


class Adam(OnOneDevice, keras.optimizers.Adam):
    """Adam on one device."""


def set_seed(seed: int) -> None:
    """Start Keras's random numbers, which fresh weights and dropout are drawn from."""
    keras.utils.set_random_seed(seed % LARGEST_SEED)
