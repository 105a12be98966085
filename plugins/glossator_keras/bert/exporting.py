"""KerasHub's transformer layers in ONNX, spelt as its runtime runs them fastest.

Keras exports a layer as twice as many operators, and copies its weights many times on the way: MiniLM took
13 seconds and 4 GB.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from glossator_keras.stand_ins import Marker, StandIn, by_operators, choose_columns

HIDDEN = -1e9  # what is added to the scores of places that nobody may look at


def for_encoder(layer: keras.Layer, generator: np.random.Generator) -> StandIn | None:
    """Return the stand-in for a transformer layer; None where it is of another form than is spelt here."""
    if layer.normalize_first or layer.activation is not keras.activations.gelu:
        return None
    encoder = _Encoder(layer)
    chosen = choose_columns(encoder.width, encoder.width, generator)
    marker = _MaskedMarker(chosen, encoder.width, sequences=True, name=layer.name)
    return by_operators(marker, encoder)


class _MaskedMarker(Marker):
    """A marker that is called as KerasHub's layers are."""

    def call(self, inputs: Any, padding_mask: Any = None) -> Any:
        return super().call(inputs, mask=padding_mask)


class _Encoder:
    """A layer's weights, and its nodes (Vaswani et al. 2017, section 3.1; norms after each part)."""

    def __init__(self, layer: keras.Layer) -> None:
        weights = {v.path.partition("/")[2]: np.asarray(v, dtype=np.float32) for v in layer.weights}
        self._name = f"{layer.name}/spelt"
        self._epsilon = float(layer.layer_norm_epsilon)
        self._weights = weights
        self._heads = int(layer.num_heads)
        self.width = len(weights["self_attention_layer_norm/gamma"])

    def nodes(self, given: str, result: str) -> list[onnx.NodeProto]:
        """Return nodes from (batch, time, width + 1), the mask last, to (batch, time, width)."""
        return [
            self._node("Split", [given, self._("sizes")], "x", "shown", axis=2),
            *self._attention(),
            self._node("Add", [self._("x"), self._("seen")], "with_seen"),
            self._norm("with_seen", "self_attention_layer_norm", self._("between")),
            *self._dense("between", "feedforward_intermediate_dense", "inner"),
            # As ONNX Runtime looks for it, to make one operator of it.
            self._node("Div", [self._("inner"), self._("root_two")], "scaled"),
            self._node("Erf", [self._("scaled")], "erf"),
            self._node("Add", [self._("erf"), self._("one")], "raised"),
            self._node("Mul", [self._("inner"), self._("raised")], "twice"),
            self._node("Mul", [self._("twice"), self._("half")], "active"),
            *self._dense("active", "feedforward_output_dense", "outer"),
            self._node("Add", [self._("between"), self._("outer")], "with_outer"),
            self._norm("with_outer", "feedforward_layer_norm", result),
        ]

    def initializers(self) -> list[onnx.TensorProto]:
        """Return the weights and what else is constant."""
        weights = {name: self._flat(name, weight) for name, weight in self._weights.items()}
        head_width = self.width // self._heads
        for kind in ("kernel", "bias"):
            # Dividing the scores by the root of the width of a head is done once and for all.
            weights[f"self_attention_layer/query/{kind}"] /= np.sqrt(np.float32(head_width))
        constants: dict[str, NDArray[Any]] = {
            "sizes": np.array([self.width, 1], dtype=np.int64),
            "apart": np.array([0, 0, self._heads, head_width], dtype=np.int64),
            "together": np.array([0, 0, self.width], dtype=np.int64),
            "second": np.array([1], dtype=np.int64),
            "hidden": np.array(HIDDEN, dtype=np.float32),
            "root_two": np.array(np.sqrt(2), dtype=np.float32),
            "one": np.array(1, dtype=np.float32),
            "half": np.array(0.5, dtype=np.float32),
        }
        return [
            numpy_helper.from_array(array, self._(key)) for key, array in {**weights, **constants}.items()
        ]

    def _attention(self) -> list[onnx.NodeProto]:
        nodes = [
            self._node("Transpose", [self._("shown")], "shown_across", perm=[0, 2, 1]),
            self._node("Unsqueeze", [self._("shown_across"), self._("second")], "shown_to_heads"),
            self._node("Sub", [self._("one"), self._("shown_to_heads")], "not_shown"),
            self._node("Mul", [self._("not_shown"), self._("hidden")], "mask"),
        ]
        for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
            nodes += self._dense("x", f"self_attention_layer/{part}", f"{part}_flat")
            nodes += [
                self._node("Reshape", [self._(f"{part}_flat"), self._("apart")], f"{part}_apart"),
                self._node("Transpose", [self._(f"{part}_apart")], part, perm=order),
            ]
        return [
            *nodes,
            self._node("MatMul", [self._("query"), self._("key")], "scores"),
            self._node("Add", [self._("scores"), self._("mask")], "masked"),
            self._node("Softmax", [self._("masked")], "shares", axis=-1),
            self._node("MatMul", [self._("shares"), self._("value")], "by_head"),
            self._node("Transpose", [self._("by_head")], "by_place", perm=[0, 2, 1, 3]),
            self._node("Reshape", [self._("by_place"), self._("together")], "joined"),
            *self._dense("joined", "self_attention_layer/attention_output", "seen"),
        ]

    def _dense(self, given: str, layer: str, result: str) -> list[onnx.NodeProto]:
        product = f"{result}_product"
        return [
            self._node("MatMul", [self._(given), self._(f"{layer}/kernel")], product),
            self._node("Add", [self._(product), self._(f"{layer}/bias")], result),
        ]

    def _norm(self, given: str, layer: str, result: str) -> onnx.NodeProto:
        inputs = [self._(given), self._(f"{layer}/gamma"), self._(f"{layer}/beta")]
        return helper.make_node("LayerNormalization", inputs, [result], axis=-1, epsilon=self._epsilon)

    def _flat(self, name: str, weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a weight without an axis for heads."""
        if weight.ndim == 3:
            return weight.reshape((-1, self.width) if "attention_output" in name else (self.width, -1))
        return weight.reshape(-1) if name.endswith("/bias") else weight

    def _node(self, operator: str, inputs: list[str], *outputs: str, **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(operator, inputs, [self._(output) for output in outputs], **attributes)

    def _(self, part: str) -> str:
        return f"{self._name}/{part}"
