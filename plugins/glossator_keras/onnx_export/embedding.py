"""Embedding tables in ONNX: exported with a few rows, and put in whole afterwards.

The conversion copies large constants many times over: a table of 72 MB took 18 seconds and 5 GB.
"""

from __future__ import annotations

import keras
import numpy as np
import onnx
from onnx import numpy_helper

from glossator_keras.onnx_export.replacement import Replacement

_ROWS = 3


def embedding_replacement(layer: keras.layers.Embedding, generator: np.random.Generator) -> Replacement:
    """Return the replacement of an embedding."""
    table = np.asarray(layer.get_weights()[0], dtype=np.float32)
    constant = generator.standard_normal((_ROWS, table.shape[1])).astype(np.float32)
    small = keras.layers.Embedding(*constant.shape, name=layer.name)
    small.build()
    small.set_weights([constant])

    def patch(graph: onnx.GraphProto, tensor: onnx.TensorProto) -> None:
        tensor.CopyFrom(numpy_helper.from_array(table, tensor.name))

    return Replacement(small, constant, patch)
