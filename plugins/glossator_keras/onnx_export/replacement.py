"""How a layer is left out of Keras's export and put into the ONNX graph afterwards.

A placeholder is exported instead of the layer. It carries a unique constant, by which its position in the
graph is located; a patch then puts ONNX's own nodes or weights there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import keras
import numpy as np
import onnx
from onnx import numpy_helper

from glossator.errors import StageError
from glossator_keras.arrays import Array, Ints

Patch = Callable[[onnx.GraphProto, onnx.TensorProto], None]

# A graph has constants of its own, lists of axes and the like; none is likely to have as many numbers.
_LEAST_COLUMNS = 32


@dataclass(frozen=True, slots=True)
class Replacement:
    """A placeholder to export instead of a layer, and the patch that replaces it in the graph.

    Attributes:
        placeholder: The layer to export.
        constant: The weight of the placeholder by which it is located in the graph.
        patch: Puts the replaced layer there, from the graph and that constant in it.

    Example:
        A table that would be copied many times is exported as a small one of the same width:

            def patch(graph, tensor):
                tensor.CopyFrom(numpy_helper.from_array(table, tensor.name))

            replacement = Replacement(small_embedding, small_table, patch)
            replacement.apply(model.graph)
    """

    placeholder: keras.Layer
    constant: Array
    patch: Patch

    def apply(self, graph: onnx.GraphProto) -> None:
        """Replace the placeholder in an exported graph.

        Raises:
            StageError: The placeholder is not there.
        """
        for tensor in graph.initializer:
            same_shape = tuple(tensor.dims) == self.constant.shape
            if same_shape and np.array_equal(numpy_helper.to_array(tensor), self.constant):
                self.patch(graph, tensor)
                return
        raise StageError(f"layer {self.placeholder.name!r} is missing in the exported network")


@runtime_checkable
class Replaceable(Protocol):
    """A layer that knows its own replacement.

    Example:
        A layer for which ONNX has an operator:

            class Scaled(keras.layers.Layer):
                def onnx_replacement(self, generator):
                    columns = choose_columns(self.width, self.width, generator)
                    placeholder = PlaceholderLayer(columns, self.width, sequences=True, name=self.name)
                    return replace_by_operators(placeholder, ScaledOperators(self))
    """

    def onnx_replacement(self, generator: np.random.Generator) -> Replacement | None:
        """Return the replacement; None to export the layer as it is.

        Args:
            generator: What its constant is drawn from.
        """


class Operators(Protocol):
    """What ONNX computes for a layer.

    Example:
        A layer that drops the mask and returns its input:

            class DropMask:
                def nodes(self, source, result):
                    return [helper.make_node("Split", [source, "sizes"], [result, "mask"], axis=2)]

                def initializers(self):
                    return [numpy_helper.from_array(np.array([8, 1]), "sizes")]
    """

    def nodes(self, source: str, result: str) -> list[onnx.NodeProto]:
        """Return nodes from one tensor to another.

        Args:
            source: The layer's input, the mask appended as one more column.
            result: The layer's output.
        """

    def initializers(self) -> list[onnx.TensorProto]:
        """Return the weights and all other constants."""


class PlaceholderLayer(keras.layers.Layer):
    """Selects columns, instead of the layer that it stands for; the mask goes in as one more column.

    Args:
        columns: The columns, as `choose_columns` draws them.
        width: Columns that the layer returns.
        sequences: Whether it returns one row per step, or one for all steps.
        name: The layer's name.

    Example:
        Exported instead of an LSTM of width 16 over 8 columns:

            columns = choose_columns(8, 16, np.random.default_rng(0))
            PlaceholderLayer(columns, 16, sequences=True, name="lstm")
    """

    def __init__(self, columns: Ints, width: int, *, sequences: bool, name: str) -> None:
        super().__init__(name=name)
        self.columns = columns
        self._width = width
        self._sequences = sequences
        self.supports_masking = True

    def call(self, inputs: keras.KerasTensor, mask: keras.KerasTensor | None = None) -> keras.KerasTensor:
        """Return the chosen columns of the inputs and the mask."""
        ops = keras.ops
        mask = ops.ones_like(inputs[..., :1]) if mask is None else ops.cast(mask, "float32")[..., None]
        selected = ops.take(ops.concatenate([inputs, mask], axis=-1), self.columns, axis=-1)

        if self._width < len(self.columns):
            selected = selected[..., : self._width]
        return selected if self._sequences else selected[:, 0]


def choose_columns(inputs: int, width: int, generator: np.random.Generator) -> Ints:
    """Draw `width` columns or more of `inputs` and a mask, unlike any other constant of a graph."""
    return generator.integers(inputs + 1, size=max(width, _LEAST_COLUMNS), dtype=np.int32)


def replace_by_operators(placeholder: PlaceholderLayer, operators: Operators) -> Replacement:
    """Return the replacement of a placeholder by operators."""

    def patch(graph: onnx.GraphProto, tensor: onnx.TensorProto) -> None:
        position = next(i for i, node in enumerate(graph.node) if tensor.name in node.input)
        selection = graph.node.pop(position)
        for offset, node in enumerate(operators.nodes(selection.input[0], selection.output[0])):
            graph.node.insert(position + offset, node)
        graph.initializer.remove(tensor)
        graph.initializer.extend(operators.initializers())

    return Replacement(placeholder, placeholder.columns, patch)
