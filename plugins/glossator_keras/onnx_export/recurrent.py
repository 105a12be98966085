"""LSTM and GRU layers, of one or two directions, as ONNX's own operators.

Keras exports them as a loop of small operators; the operators for the whole took a tenth of the time for one
sentence and half of it for many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import onnx
from onnx import helper, numpy_helper

from glossator_keras.arrays import Floats
from glossator_keras.onnx_export.replacement import (
    PlaceholderLayer,
    Replacement,
    choose_columns,
    replace_by_operators,
)


def recurrent_replacement(layer: keras.Layer, generator: np.random.Generator) -> Replacement | None:
    """Return the replacement of a recurrent layer; None for other layers and for what ONNX cannot compute."""
    directions = _directions(layer)
    if not directions or not _is_one_operator(directions):
        return None
    operator = _RecurrentOperator.of(layer.name, directions)
    width = operator.width * len(directions)
    columns = choose_columns(operator.inputs, width, generator)
    placeholder = PlaceholderLayer(columns, width, sequences=operator.sequences, name=layer.name)
    return replace_by_operators(placeholder, operator)


@dataclass(frozen=True, slots=True)
class _RecurrentOperator:
    """ONNX's LSTM or GRU and the nodes around it.

    Attributes:
        name: Prefix of the names of its tensors.
        kind: "LSTM" or "GRU".
        inputs: Columns of the input.
        width: Columns of the states of each direction.
        sequences: Whether it returns all states, or the last.
        weights: One row per direction: W (gates, inputs), R (gates, width) and B (2 * gates,).
    """

    name: str
    kind: str
    inputs: int
    width: int
    sequences: bool
    weights: dict[str, Floats]

    @classmethod
    def of(cls, name: str, directions: Sequence[keras.Layer]) -> _RecurrentOperator:
        first = directions[0]
        by_direction = [_native_weights(direction) for direction in directions]
        weights = {key: np.stack([weights[key] for weights in by_direction]) for key in ("W", "R", "B")}
        return cls(
            name=f"{name}/native",
            kind="LSTM" if isinstance(first, keras.layers.LSTM) else "GRU",
            inputs=weights["W"].shape[2],
            width=first.units,
            sequences=bool(first.return_sequences),
            weights=weights,
        )

    def nodes(self, source: str, result: str) -> list[onnx.NodeProto]:
        """Return nodes from (batch, time, inputs + 1), the mask last, to (batch, time or 1, all widths)."""
        name = self._tensor
        operator = helper.make_node(
            self.kind,
            [name("by_time"), name("W"), name("R"), name("B"), name("lengths")],
            [name("states"), name("last")],
            hidden_size=self.width,
            direction="bidirectional" if len(self.weights["W"]) == 2 else "forward",
            **({"linear_before_reset": 1} if self.kind == "GRU" else {}),
        )

        # states: (time, directions, batch, width); last: (directions, batch, width)
        output, order = ("states", [2, 0, 1, 3]) if self.sequences else ("last", [1, 0, 2])
        return [
            helper.make_node("Split", [source, name("sizes")], [name("x"), name("mask")], axis=2),
            helper.make_node("ReduceSum", [name("mask"), name("inner")], [name("count")], keepdims=0),
            helper.make_node("Cast", [name("count")], [name("lengths")], to=onnx.TensorProto.INT32),
            helper.make_node("Transpose", [name("x")], [name("by_time")], perm=[1, 0, 2]),
            operator,
            helper.make_node("Transpose", [name(output)], [name("by_row")], perm=order),
            helper.make_node("Reshape", [name("by_row"), name("shape")], [result]),
        ]

    def initializers(self) -> list[onnx.TensorProto]:
        constants = {
            "sizes": np.array([self.inputs, 1], dtype=np.int64),
            "inner": np.array([1, 2], dtype=np.int64),
            "shape": np.array([0, 0 if self.sequences else 1, -1], dtype=np.int64),
        }
        arrays = {**self.weights, **constants}
        return [numpy_helper.from_array(array, self._tensor(key)) for key, array in arrays.items()]

    def _tensor(self, part: str) -> str:
        return f"{self.name}/{part}"


def _directions(layer: keras.Layer) -> list[keras.Layer]:
    """Return the one or two recurrent layers of a layer; none where it is another kind."""
    if isinstance(layer, keras.layers.Bidirectional):
        return [layer.forward_layer, layer.backward_layer] if layer.merge_mode == "concat" else []
    return [layer] if type(layer) in (keras.layers.LSTM, keras.layers.GRU) else []


def _is_one_operator(directions: Sequence[keras.Layer]) -> bool:
    """Whether a single operator of ONNX computes the same."""
    first = directions[0]
    alike = all(type(each) is type(first) and each.units == first.units for each in directions)
    return alike and not first.go_backwards and all(_is_native(each) for each in directions)


def _is_native(layer: keras.Layer) -> bool:
    """Whether ONNX's operator computes the same in this direction."""
    return (
        type(layer) in (keras.layers.LSTM, keras.layers.GRU)
        and layer.activation is keras.activations.tanh
        and layer.recurrent_activation is keras.activations.sigmoid
        and layer.use_bias
        and not (layer.stateful or layer.return_state)
        and (isinstance(layer, keras.layers.LSTM) or layer.reset_after)
    )


def _native_weights(layer: keras.Layer) -> dict[str, Floats]:
    kernel, recurrent, bias = (np.asarray(weight, dtype=np.float32) for weight in layer.get_weights())
    # Keras orders an LSTM's gates i f c o, ONNX i o f c; both order a GRU's z r h.
    order = [0, 3, 1, 2] if isinstance(layer, keras.layers.LSTM) else [0, 1, 2]
    if bias.ndim == 1:  # an LSTM of Keras has one bias where ONNX has two
        bias = np.stack([bias, np.zeros_like(bias)])

    def ordered(weights: Floats) -> Floats:
        gates = np.split(weights, len(order), axis=-1)
        return np.concatenate([gates[gate] for gate in order], axis=-1)

    return {"W": ordered(kernel).T, "R": ordered(recurrent).T, "B": ordered(bias).reshape(-1)}
