"""Keras networks to ONNX: Keras's own export, with `stand_ins` for what it does badly."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from onnx import helper, numpy_helper

from glossator.errors import StageError
from glossator_keras.backend import quietly
from glossator_keras.stand_ins import StandIn, stand_in

OPSET = 17


def to_onnx(network: keras.Model) -> bytes:
    """Return a functional network as an ONNX model, its inputs named as the network's.

    Batch and time may be of any size. Masks of recurrent layers may hide the ends of rows and nothing
    else; there the exported layers give zeros. A conversion that failed may show only in the answers:
    compare them.

    Raises:
        StageError: The network cannot be exported.
    """
    stand_ins: list[StandIn] = []

    def swap(layer: keras.Layer) -> keras.Layer:
        found = stand_in(layer, np.random.default_rng(len(stand_ins)))
        if found is None:
            return layer
        stand_ins.append(found)
        return found.layer

    try:
        model = _exported(keras.models.clone_model(network, clone_function=swap))
        for swapped in stand_ins:
            swapped.replace(model.graph)
        _spell_out_erfc(model.graph)
        onnx.checker.check_model(model)
    except Exception as error:  # of Keras, TensorFlow, tf2onnx or onnx
        raise StageError(
            f"the network cannot be exported to ONNX: {type(error).__name__}: {error}; "
            'annotate with runtime = "keras", or change its layers'
        ) from error
    return bytes(model.SerializeToString())


def _exported(network: keras.Model) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder, quietly():
        file = Path(folder) / "network.onnx"
        network(_smallest_inputs(network))
        network.export(file, format="onnx", verbose=False, opset_version=OPSET)
        return onnx.load(file)


def _smallest_inputs(network: keras.Model) -> Mapping[str, Any]:
    """Return one row and one step of zeros for each input: Keras exports networks that were called."""
    return {
        tensor.name: np.zeros([size or 1 for size in tensor.shape], dtype=tensor.dtype)
        for tensor in network.inputs
    }


def _spell_out_erfc(graph: onnx.GraphProto) -> None:
    """Write 1 - Erf for Erfc, which TensorFlow makes of the exact GELU and ONNX does not have."""
    places = [(place, node) for place, node in enumerate(graph.node) if node.op_type == "Erfc"]
    if places:
        graph.initializer.append(numpy_helper.from_array(np.array(1, dtype=np.float32), "erfc/one"))
    for place, node in reversed(places):
        erf, output = f"{node.name}/erf", node.output[0]
        graph.node.insert(place + 1, helper.make_node("Sub", ["erfc/one", erf], [output]))
        graph.node[place].CopyFrom(helper.make_node("Erf", [node.input[0]], [erf]))
