"""Stand-ins: layers that are exported in place of others, which are put into the ONNX graph afterwards.

* LSTM and GRU layers, of one or two directions. Keras exports them as a loop of small operators; ONNX
  has operators for the whole, which took a tenth of the time for one sentence and half of it for many.
* Embedding tables. The conversion copies large constants many times over.
* Layers that have a method `stand_in`, by what it returns: see `bert.layer`.

A stand-in carries a constant like no other, by which its place in the graph is found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from glossator.errors import StageError

Floats = NDArray[np.float32]
Patch = Callable[[onnx.GraphProto, onnx.TensorProto], None]

_TABLE_ROWS = 3
_CHOSEN = 32  # columns at least, more than any other constant is likely to list


@dataclass(frozen=True, slots=True)
class StandIn:
    """A layer to export in place of another.

    Attributes:
        layer: The layer.
        constant: The weight by which it is found in the graph.
        patch: Puts the other layer there, given the graph and that constant in it.
    """

    layer: keras.Layer
    constant: NDArray[Any]
    patch: Patch

    def replace(self, graph: onnx.GraphProto) -> None:
        """Put the other layer into the graph.

        Raises:
            StageError: The stand-in is not there.
        """
        for tensor in graph.initializer:
            same_shape = tuple(tensor.dims) == self.constant.shape
            if same_shape and np.array_equal(numpy_helper.to_array(tensor), self.constant):
                self.patch(graph, tensor)
                return
        raise StageError(f"layer {self.layer.name!r} is not found in the exported network")


@runtime_checkable
class HasStandIn(Protocol):
    """A layer that says itself how it is exported."""

    def stand_in(self, generator: np.random.Generator) -> StandIn | None:
        """Return its stand-in, its constant drawn from the generator; None where it needs none."""


class Operators(Protocol):
    """What ONNX computes for a layer."""

    def nodes(self, given: str, result: str) -> list[onnx.NodeProto]:
        """Return nodes from the tensor `given`, a layer's input and one column more, to `result`."""

    def initializers(self) -> list[onnx.TensorProto]:
        """Return the weights and what else is constant."""


def stand_in(layer: keras.Layer, generator: np.random.Generator) -> StandIn | None:
    """Return the stand-in for a layer; None where it is best exported as it is."""
    # KerasHub's embeddings can be asked for the words of states, too, which no network here does.
    if type(layer) is keras.layers.Embedding or isinstance(layer, keras.layers.ReversibleEmbedding):
        return _for_embedding(layer, generator)
    if isinstance(layer, HasStandIn):
        return layer.stand_in(generator)
    directions = _directions(layer)
    if directions and _is_one_operator(directions):
        return _for_recurrent(layer, directions, generator)
    return None


def _for_embedding(layer: keras.layers.Embedding, generator: np.random.Generator) -> StandIn:
    table = np.asarray(layer.get_weights()[0], dtype=np.float32)
    constant = generator.standard_normal((_TABLE_ROWS, table.shape[1])).astype(np.float32)
    small = keras.layers.Embedding(*constant.shape, name=layer.name)
    small.build()
    small.set_weights([constant])

    def patch(graph: onnx.GraphProto, tensor: onnx.TensorProto) -> None:
        tensor.CopyFrom(numpy_helper.from_array(table, tensor.name))

    return StandIn(small, constant, patch)


class Marker(keras.layers.Layer):
    """A choice of columns in place of another layer; the mask goes in as one more column.

    Args:
        chosen: The columns, as `choose_columns` draws them.
        width: Columns that the layer returns.
        sequences: Whether it returns a row for each step, or one for all.
    """

    def __init__(self, chosen: NDArray[np.int32], width: int, *, sequences: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.chosen = chosen
        self._width = width
        self._sequences = sequences
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Return the chosen columns of the inputs and the mask."""
        ops = keras.ops
        shown = ops.ones_like(inputs[..., :1]) if mask is None else ops.cast(mask, "float32")[..., None]
        marked = ops.take(ops.concatenate([inputs, shown], axis=-1), self.chosen, axis=-1)
        if self._width < len(self.chosen):
            marked = marked[..., : self._width]
        return marked if self._sequences else marked[:, 0]


def choose_columns(inputs: int, width: int, generator: np.random.Generator) -> NDArray[np.int32]:
    """Draw `width` columns or more of `inputs` and a mask, like no other choice in a graph."""
    return generator.integers(inputs + 1, size=max(width, _CHOSEN), dtype=np.int32)


def by_operators(marker: Marker, operators: Operators) -> StandIn:
    """Return a stand-in that leaves a marker's place to operators; the mask is their last column."""

    def patch(graph: onnx.GraphProto, tensor: onnx.TensorProto) -> None:
        place = next(i for i, node in enumerate(graph.node) if tensor.name in node.input)
        choice = graph.node.pop(place)
        for offset, node in enumerate(operators.nodes(choice.input[0], choice.output[0])):
            graph.node.insert(place + offset, node)
        graph.initializer.remove(tensor)
        graph.initializer.extend(operators.initializers())

    return StandIn(marker, marker.chosen, patch)


def _for_recurrent(
    layer: keras.Layer, directions: Sequence[keras.Layer], generator: np.random.Generator
) -> StandIn:
    operator = _Operator.of(layer.name, directions)
    width = operator.width * len(directions)
    chosen = choose_columns(operator.inputs, width, generator)
    return by_operators(Marker(chosen, width, sequences=operator.sequences, name=layer.name), operator)


@dataclass(frozen=True, slots=True)
class _Operator:
    """ONNX's LSTM or GRU with what must stand around it.

    Attributes:
        name: What the names of its tensors begin with.
        kind: "LSTM" or "GRU".
        inputs: Columns that go in.
        width: Of each direction.
        sequences: Whether all states come out, or the last.
        weights: A direction each: W (gates, inputs), R (gates, width) and B (2 * gates,).
    """

    name: str
    kind: str
    inputs: int
    width: int
    sequences: bool
    weights: dict[str, Floats]

    @classmethod
    def of(cls, name: str, directions: Sequence[keras.Layer]) -> _Operator:
        first = directions[0]
        each = [_native_weights(direction) for direction in directions]
        weights = {key: np.stack([weights[key] for weights in each]) for key in ("W", "R", "B")}
        return cls(
            name=f"{name}/native",
            kind="LSTM" if isinstance(first, keras.layers.LSTM) else "GRU",
            inputs=weights["W"].shape[2],
            width=first.units,
            sequences=bool(first.return_sequences),
            weights=weights,
        )

    def nodes(self, given: str, result: str) -> list[onnx.NodeProto]:
        """Return nodes from (batch, time, inputs + 1), the mask last, to (batch, time or 1, all widths)."""
        operator = helper.make_node(
            self.kind,
            [self._("by_time"), self._("W"), self._("R"), self._("B"), self._("lengths")],
            [self._("states"), self._("last")],
            hidden_size=self.width,
            direction="bidirectional" if len(self.weights["W"]) == 2 else "forward",
            **({"linear_before_reset": 1} if self.kind == "GRU" else {}),
        )
        # states: (time, directions, batch, width); last: (directions, batch, width)
        chosen, order = ("states", [2, 0, 1, 3]) if self.sequences else ("last", [1, 0, 2])
        return [
            helper.make_node("Split", [given, self._("sizes")], [self._("x"), self._("shown")], axis=2),
            helper.make_node("ReduceSum", [self._("shown"), self._("inner")], [self._("count")], keepdims=0),
            helper.make_node("Cast", [self._("count")], [self._("lengths")], to=onnx.TensorProto.INT32),
            helper.make_node("Transpose", [self._("x")], [self._("by_time")], perm=[1, 0, 2]),
            operator,
            helper.make_node("Transpose", [self._(chosen)], [self._("by_row")], perm=order),
            helper.make_node("Reshape", [self._("by_row"), self._("shape")], [result]),
        ]

    def initializers(self) -> list[onnx.TensorProto]:
        constants = {
            "sizes": np.array([self.inputs, 1], dtype=np.int64),
            "inner": np.array([1, 2], dtype=np.int64),
            "shape": np.array([0, 0 if self.sequences else 1, -1], dtype=np.int64),
        }
        arrays = {**self.weights, **constants}
        return [numpy_helper.from_array(array, self._(key)) for key, array in arrays.items()]

    def _(self, part: str) -> str:
        return f"{self.name}/{part}"


def _directions(layer: keras.Layer) -> list[keras.Layer]:
    """Return the one or two recurrent layers of a layer; none where it is another kind."""
    if isinstance(layer, keras.layers.Bidirectional):
        return [layer.forward_layer, layer.backward_layer] if layer.merge_mode == "concat" else []
    return [layer] if type(layer) in (keras.layers.LSTM, keras.layers.GRU) else []


def _is_one_operator(directions: Sequence[keras.Layer]) -> bool:
    """Whether one operator of ONNX computes the same."""
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
    # Keras has an LSTM's gates in the order i f c o, ONNX i o f c; both have a GRU's as z r h.
    order = [0, 3, 1, 2] if isinstance(layer, keras.layers.LSTM) else [0, 1, 2]
    if bias.ndim == 1:  # of an LSTM: one bias where ONNX has two
        bias = np.stack([bias, np.zeros_like(bias)])

    def ordered(weights: Floats) -> Floats:
        gates = np.split(weights, len(order), axis=-1)
        return np.concatenate([gates[gate] for gate in order], axis=-1)

    return {"W": ordered(kernel).T, "R": ordered(recurrent).T, "B": ordered(bias).reshape(-1)}
