"""KerasHub's transformer layers in ONNX, spelt as its runtime runs them fastest.

Keras exports a layer as twice as many operators, and copies its weights many times on the way: MiniLM took
13 seconds and 4 GB.
"""

from __future__ import annotations

import keras
import numpy as np
import onnx
from onnx import helper, numpy_helper

from glossator_keras.arrays import Array, Floats
from glossator_keras.onnx_export.replacement import (
    PlaceholderLayer,
    Replacement,
    choose_columns,
    replace_by_operators,
)

# Added to the attention scores of padding; its exponential is 0 in single precision.
PADDING_SCORE = -1e9


def transformer_replacement(layer: keras.Layer, generator: np.random.Generator) -> Replacement | None:
    """Return the replacement of a transformer layer; None where it has another form than is spelt here."""
    if layer.normalize_first or layer.activation is not keras.activations.gelu:
        return None
    operators = _TransformerOperators(layer)
    columns = choose_columns(operators.width, operators.width, generator)
    placeholder = _TransformerPlaceholder(columns, operators.width, sequences=True, name=layer.name)
    return replace_by_operators(placeholder, operators)


class _TransformerPlaceholder(PlaceholderLayer):
    """A placeholder that is called as KerasHub's layers are."""

    def call(
        self, inputs: keras.KerasTensor, padding_mask: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        return super().call(inputs, mask=padding_mask)


class _TransformerOperators:
    """A layer's weights, and its nodes (Vaswani et al. 2017, section 3.1; norms after each part)."""

    def __init__(self, layer: keras.Layer) -> None:
        weights = {v.path.partition("/")[2]: np.asarray(v, dtype=np.float32) for v in layer.weights}
        self._name = f"{layer.name}/spelt"
        self._epsilon = float(layer.layer_norm_epsilon)
        self._weights = weights
        self._heads = int(layer.num_heads)
        self.width = len(weights["self_attention_layer_norm/gamma"])

    def nodes(self, source: str, result: str) -> list[onnx.NodeProto]:
        """Return nodes from (batch, time, width + 1), the mask last, to (batch, time, width)."""
        name = self._tensor
        return [
            helper.make_node("Split", [source, name("sizes")], [name("x"), name("mask")], axis=2),
            *self._attention(),
            self._node("Add", ["x", "attention"], "with_attention"),
            self._norm("with_attention", "self_attention_layer_norm", name("between")),
            *self._dense("between", "feedforward_intermediate_dense", "inner"),
            # GELU as ONNX Runtime looks for it, to make one operator of it.
            self._node("Div", ["inner", "root_two"], "scaled"),
            self._node("Erf", ["scaled"], "erf"),
            self._node("Add", ["erf", "one"], "raised"),
            self._node("Mul", ["inner", "raised"], "twice"),
            self._node("Mul", ["twice", "half"], "active"),
            *self._dense("active", "feedforward_output_dense", "outer"),
            self._node("Add", ["between", "outer"], "with_outer"),
            self._norm("with_outer", "feedforward_layer_norm", result),
        ]

    def initializers(self) -> list[onnx.TensorProto]:
        """Return the weights and all other constants."""
        weights: dict[str, Array] = {name: self._flat(name, weight) for name, weight in self._weights.items()}
        head_width = self.width // self._heads
        for kind in ("kernel", "bias"):
            # Dividing the scores by the root of a head's width is done here, once and for all.
            weights[f"self_attention_layer/query/{kind}"] /= np.sqrt(np.float32(head_width))

        constants: dict[str, Array] = {
            "sizes": np.array([self.width, 1], dtype=np.int64),
            "split_heads": np.array([0, 0, self._heads, head_width], dtype=np.int64),
            "join_heads": np.array([0, 0, self.width], dtype=np.int64),
            "second": np.array([1], dtype=np.int64),
            "padding_score": np.array(PADDING_SCORE, dtype=np.float32),
            "root_two": np.array(np.sqrt(2), dtype=np.float32),
            "one": np.array(1, dtype=np.float32),
            "half": np.array(0.5, dtype=np.float32),
        }
        arrays = {**weights, **constants}
        return [numpy_helper.from_array(array, self._tensor(key)) for key, array in arrays.items()]

    def _attention(self) -> list[onnx.NodeProto]:
        nodes = [
            self._node("Transpose", ["mask"], "mask_across", perm=[0, 2, 1]),
            self._node("Unsqueeze", ["mask_across", "second"], "mask_of_heads"),
            self._node("Sub", ["one", "mask_of_heads"], "padding"),
            self._node("Mul", ["padding", "padding_score"], "bias"),
        ]
        for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
            nodes += self._dense("x", f"self_attention_layer/{part}", f"{part}_flat")
            nodes += [
                self._node("Reshape", [f"{part}_flat", "split_heads"], f"{part}_heads"),
                self._node("Transpose", [f"{part}_heads"], part, perm=order),
            ]

        return [
            *nodes,
            self._node("MatMul", ["query", "key"], "scores"),
            self._node("Add", ["scores", "bias"], "masked"),
            self._node("Softmax", ["masked"], "shares", axis=-1),
            self._node("MatMul", ["shares", "value"], "by_head"),
            self._node("Transpose", ["by_head"], "by_position", perm=[0, 2, 1, 3]),
            self._node("Reshape", ["by_position", "join_heads"], "joined"),
            *self._dense("joined", "self_attention_layer/attention_output", "attention"),
        ]

    def _dense(self, source: str, layer: str, result: str) -> list[onnx.NodeProto]:
        product = f"{result}_product"
        return [
            self._node("MatMul", [source, f"{layer}/kernel"], product),
            self._node("Add", [product, f"{layer}/bias"], result),
        ]

    def _norm(self, source: str, layer: str, result: str) -> onnx.NodeProto:
        """Return a layer norm; its result has a full name, as that of the last may lie outside."""
        inputs = [self._tensor(source), self._tensor(f"{layer}/gamma"), self._tensor(f"{layer}/beta")]
        return helper.make_node("LayerNormalization", inputs, [result], axis=-1, epsilon=self._epsilon)

    def _flat(self, name: str, weight: Floats) -> Floats:
        """Return a weight without an axis for heads."""
        if weight.ndim == 3:
            return weight.reshape((-1, self.width) if "attention_output" in name else (self.width, -1))
        return weight.reshape(-1) if name.endswith("/bias") else weight

    def _node(
        self, operator: str, inputs: list[str], output: str, **attributes: int | list[int]
    ) -> onnx.NodeProto:
        names = [self._tensor(part) for part in inputs]
        return helper.make_node(operator, names, [self._tensor(output)], **attributes)

    def _tensor(self, part: str) -> str:
        return f"{self._name}/{part}"
