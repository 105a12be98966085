"""What runs a trained network: ONNX Runtime, or Keras."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from glossator.errors import ConfigError, PipelineError, StageError

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

Runtime = Literal["onnx", "keras"]
Inputs: TypeAlias = "Mapping[str, NDArray[Any]]"
Network: TypeAlias = "Callable[[Inputs], NDArray[np.float32]]"  # from inputs by name to logits

AGREEMENT = 1e-4
_SEVERITY_FATAL = 4


def check_runtime(name: str) -> None:
    """Raise `ConfigError` unless there is such a runtime."""
    if name not in get_args(Runtime):
        raise ConfigError(f"runtime = {name!r}: use one of {', '.join(get_args(Runtime))}")


def onnx_network(model: bytes | Path) -> Network:
    """Return what runs an ONNX model of one output, given it or its file.

    Raises:
        PipelineError: The model is damaged.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _SEVERITY_FATAL
    # A run is one thread's: several runs side by side share processors better than one among threads,
    # and a single sentence is not worth waking any.
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has exceptions of its own, of no common kind
        raise PipelineError(f"the network cannot be read by ONNX Runtime: {error}") from error
    names = [tensor.name for tensor in session.get_inputs()]

    def predict(inputs: Inputs) -> NDArray[np.float32]:
        (logits,) = session.run(None, {name: inputs[name] for name in names})
        return np.asarray(logits)

    return predict


def run_all(network: Network, batches: Sequence[Inputs]) -> Iterator[NDArray[np.float32]]:
    """Yield the logits of each batch, in order; as many are run at a time as there are processors."""
    if len(batches) < 2:
        yield from map(network, batches)
        return
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(network, batches)


def keras_network(network: keras.Model) -> Network:
    """Return what runs a Keras model, compiled for batches of any size."""
    import tensorflow as tf

    signature = {tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in network.inputs}
    compiled = tf.function(lambda inputs: network(inputs, training=False), input_signature=[signature])

    def predict(inputs: Inputs) -> NDArray[np.float32]:
        return np.asarray(compiled({name: inputs[name] for name in signature}))

    return predict


def check_agreement(
    one: Network, other: Network, inputs: Inputs, shown: NDArray[np.bool_] | None = None
) -> None:
    """Raise `StageError` unless two networks give the same logits, or the same wherever `shown` is true."""
    difference = np.abs(one(inputs) - other(inputs))
    difference = difference if shown is None else difference[shown]
    if not (difference < AGREEMENT).all():  # which NaN is not either
        raise StageError(
            f"the exported network differs from Keras's by {difference.max()}: "
            'annotate with runtime = "keras", or change its layers'
        )
