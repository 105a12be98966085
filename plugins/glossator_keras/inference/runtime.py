"""Running a trained network: by ONNX Runtime, or by Keras."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from glossator.errors import ConfigError, PipelineError, StageError
from glossator_keras.arrays import Arrays, Floats, Mask

if TYPE_CHECKING:
    import keras

Runtime = Literal["onnx", "keras"]
RunNetwork: TypeAlias = Callable[[Arrays], Floats]
"""From inputs by name to logits."""

AGREEMENT = 1e-4  # the largest difference between logits of two runtimes
_SEVERITY_FATAL = 4


def check_runtime(name: str) -> None:
    """Raise `ConfigError` unless there is a runtime of this name."""
    if name not in get_args(Runtime):
        raise ConfigError(f"runtime = {name!r}: use one of {', '.join(get_args(Runtime))}")


def onnx_network(model: bytes | Path) -> RunNetwork:
    """Return a function that runs an ONNX model with one output, from the model or its file.

    Raises:
        PipelineError: The model is damaged.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _SEVERITY_FATAL
    # Each run uses a single thread: several runs side by side use processors better than one run that is
    # shared among threads, and a single sentence is not worth waking any.
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has exceptions of its own, of no common kind
        raise PipelineError(f"the network cannot be read by ONNX Runtime: {error}") from error
    names = [tensor.name for tensor in session.get_inputs()]

    def predict(inputs: Arrays) -> Floats:
        (logits,) = session.run(None, {name: inputs[name] for name in names})
        return np.asarray(logits)

    return predict


def run_all(network: RunNetwork, batches: Sequence[Arrays]) -> Iterator[Floats]:
    """Yield the logits of each batch, in order; as many batches run at a time as there are processors."""
    if len(batches) < 2:
        yield from map(network, batches)
        return
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(network, batches)


def keras_network(network: keras.Model) -> RunNetwork:
    """Return a function that runs a Keras model, compiled for batches of any size."""
    import tensorflow as tf

    signature = {tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in network.inputs}
    compiled = tf.function(lambda inputs: network(inputs, training=False), input_signature=[signature])

    def predict(inputs: Arrays) -> Floats:
        return np.asarray(compiled({name: inputs[name] for name in signature}))

    return predict


def check_agreement(one: RunNetwork, other: RunNetwork, inputs: Arrays, mask: Mask | None = None) -> None:
    """Raise `StageError` unless two networks give the same logits, or the same wherever `mask` is true."""
    difference = np.abs(one(inputs) - other(inputs))
    difference = difference if mask is None else difference[mask]
    if not (difference < AGREEMENT).all():  # false for NaN, too
        raise StageError(
            f"the exported network differs from Keras's by {difference.max()}: "
            'annotate with runtime = "keras", or change its layers'
        )
