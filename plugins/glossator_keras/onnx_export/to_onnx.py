"""Keras networks to ONNX: Keras's own export, with replacements for the layers that it exports badly."""

from __future__ import annotations

import tempfile
from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import helper, numpy_helper

from glossator.errors import StageError
from glossator_keras.arrays import Arrays
from glossator_keras.backend import quietly
from glossator_keras.onnx_export.embedding import embedding_replacement
from glossator_keras.onnx_export.recurrent import recurrent_replacement
from glossator_keras.onnx_export.replacement import Replaceable, Replacement

OPSET = 17


def to_onnx(network: keras.Model) -> bytes:
    """Return a functional network as an ONNX model, its inputs named as the network's.

    Batch and time may be of any size. Masks of recurrent layers may hide the ends of rows and nothing
    else; there the exported layers return zeros. A failed conversion may show only in the answers:
    compare them.

    Raises:
        StageError: The network cannot be exported.
    """
    replacements: list[Replacement] = []

    def placeholder_for(layer: keras.Layer) -> keras.Layer:
        replacement = replacement_for(layer, np.random.default_rng(len(replacements)))
        if replacement is None:
            return layer
        replacements.append(replacement)
        return replacement.placeholder

    try:
        model = _exported(keras.models.clone_model(network, clone_function=placeholder_for))
        for replacement in replacements:
            replacement.apply(model.graph)
        _spell_out_erfc(model.graph)
        onnx.checker.check_model(model)
    except Exception as error:  # of Keras, TensorFlow, tf2onnx or onnx
        raise StageError(
            f"the network cannot be exported to ONNX: {type(error).__name__}: {error}; "
            'annotate with runtime = "keras", or change its layers'
        ) from error
    return bytes(model.SerializeToString())


def replacement_for(layer: keras.Layer, generator: np.random.Generator) -> Replacement | None:
    """Return the replacement of a layer; None to export the layer as it is."""
    # KerasHub's embeddings can also map states back to tokens, which no network here does.
    if type(layer) is keras.layers.Embedding or isinstance(layer, keras.layers.ReversibleEmbedding):
        return embedding_replacement(layer, generator)
    if isinstance(layer, Replaceable):
        return layer.onnx_replacement(generator)
    return recurrent_replacement(layer, generator)


def _exported(network: keras.Model) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder, quietly():
        file = Path(folder) / "network.onnx"
        network(_smallest_inputs(network))
        network.export(file, format="onnx", verbose=False, opset_version=OPSET)
        return onnx.load(file)


def _smallest_inputs(network: keras.Model) -> Arrays:
    """Return one row and one step of zeros for each input: Keras exports only networks that were called."""
    return {
        tensor.name: np.zeros([size or 1 for size in tensor.shape], dtype=tensor.dtype)
        for tensor in network.inputs
    }


def _spell_out_erfc(graph: onnx.GraphProto) -> None:
    """Write 1 - Erf for Erfc, which TensorFlow makes of the exact GELU and ONNX does not have."""
    erfc_nodes = [(position, node) for position, node in enumerate(graph.node) if node.op_type == "Erfc"]
    if erfc_nodes:
        graph.initializer.append(numpy_helper.from_array(np.array(1, dtype=np.float32), "erfc/one"))
    # From the end, so that what is inserted moves no node that is still to come.
    for position, node in reversed(erfc_nodes):
        erf, output = f"{node.name}/erf", node.output[0]
        graph.node.insert(position + 1, helper.make_node("Sub", ["erfc/one", erf], [output]))
        graph.node[position].CopyFrom(helper.make_node("Erf", [node.input[0]], [erf]))
