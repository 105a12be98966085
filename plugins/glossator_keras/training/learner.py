"""Training a Keras network: one compiled step, the average of its weights, and its whole state as arrays.

What is saved of a network is not where the last step left it but a moving average of its weights
(Polyak and Juditsky 1992), which is better and far steadier from epoch to epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from glossator_keras.arrays import Array, Arrays
from glossator_keras.training.losses import Loss

AVERAGE_DECAY = 0.99
# The gradients are those of a mean loss per word, which is small: most steps are clipped to this norm.
GRADIENT_NORM = 0.1

LARGEST_SEED = 2**31 - 1


class Learner:
    """A network and everything that changes while it learns.

    Args:
        network: Logits from inputs by name.
        loss: The loss to minimize.
        label_shape: The shape of a batch's labels, None where it varies.
        label_type: The type of the labels.
        learn_rate: Adam's learning rate.
        watched: Inputs whose gradients are recorded, too.
        optimizer: The optimizer; by default Adam.

    Attributes:
        network: The network.
        steps: The number of steps taken.
        decay: The decay of the average of weights, in the last step.
        gradients: The gradients of the last step's loss, by the watched inputs.

    Example:
        One step, and the weights to save:

            learner = Learner(network, sequence_loss(network), (None, None), learn_rate=0.002)
            loss = learner.step({"lexemes": lexemes, "words": words}, labels)
            network.set_weights(learner.averaged_weights())
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

        # With a signature the step is compiled once, not anew for each size of batch.
        inputs = {tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in network.inputs}
        labels = tf.TensorSpec(label_shape, label_type)
        decay = tf.TensorSpec((), "float32")
        self._step = tf.function(self._take_step(loss), input_signature=[inputs, labels, decay])

    def step(self, inputs: Arrays, labels: Array) -> float:
        """Learn from one batch and return its loss."""
        # With the full decay, early averages would hold little but fresh weights.
        self.decay = min(AVERAGE_DECAY, (1 + self.steps) / (10 + self.steps))
        loss, gradients = self._step(dict(inputs), labels, np.float32(self.decay))
        self.steps += 1
        self.gradients = {
            name: gradient.numpy() for name, gradient in zip(self._watched, gradients, strict=True)
        }
        return float(loss)

    def averaged_weights(self) -> list[Array]:
        """Return the weights to save, in the order of `network.get_weights`."""
        averages = zip(self.network.trainable_variables, self._averages, strict=True)
        by_id = {id(weight): average.numpy() for weight, average in averages}
        return [by_id.get(id(weight), np.asarray(weight)) for weight in self.network.weights]

    def state(self) -> dict[str, Array]:
        """Return all that training needs beside the averaged weights: raw ones, moments, random state."""
        arrays = {name: np.asarray(variable) for name, variable in self._variables().items()}
        return {**arrays, "steps": np.asarray(self.steps)}

    def restore(self, state: Arrays) -> None:
        """Put back what `state` returned."""
        for name, variable in self._variables().items():
            variable.assign(state[name])
        self.steps = int(state["steps"])

    def _variables(self) -> dict[str, keras.Variable]:
        groups = {
            "network": self.network.variables,
            "average": self._averages,
            "optimizer": self._optimizer.variables,
        }
        return {
            f"{group}.{i}": variable
            for group, variables in groups.items()
            for i, variable in enumerate(variables)
        }

    def _take_step(self, loss: Loss) -> Callable[..., tuple[tf.Tensor, list[tf.Tensor]]]:
        weights = self.network.trainable_variables

        def take_step(
            inputs: dict[str, tf.Tensor], labels: tf.Tensor, decay: tf.Tensor
        ) -> tuple[tf.Tensor, list[tf.Tensor]]:
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


class SingleDevice:
    """Keeps one of Keras's optimizers from summing gradients over devices, of which there is only one.

    The sum has a gradient of its own, which TensorFlow keeps until the process ends, together with everything
    it refers to: the weights and moments of every network that was trained.

    Example:
        Put before the optimizer:

            class SGD(SingleDevice, keras.optimizers.SGD):
                pass
    """

    def _all_reduce_sum_gradients(
        self, grads_and_vars: list[tuple[tf.Tensor, keras.Variable]]
    ) -> list[tuple[tf.Tensor, keras.Variable]]:
        return grads_and_vars


class Adam(SingleDevice, keras.optimizers.Adam):
    """Adam on a single device.

    Example:
        As Keras's:

            Adam(0.002, global_clipnorm=0.1)
    """


def set_seed(seed: int) -> None:
    """Seed Keras's random numbers, from which fresh weights and dropout are drawn."""
    keras.utils.set_random_seed(seed % LARGEST_SEED)
