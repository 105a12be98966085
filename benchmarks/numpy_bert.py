"""What a BERT says by its definition, in numpy: the yardstick of `bert.py`, and of the tests."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

Floats = NDArray[np.float64]
Ids = Sequence[int] | NDArray[Any]

_KINDS = ("word", "position", "token_type")


class NumpyBert:
    """BERT by its definition (Devlin et al. 2019; Vaswani et al. 2017), a sequence at a time, in float64.

    Args:
        folder: A checkpoint in the Hugging Face layout.

    Attributes:
        config: Its `config.json`.
        weights: By their names there, without the prefix "bert.".
    """

    def __init__(self, folder: Path) -> None:
        self.config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = load_file(folder / "model.safetensors")
        self.weights = {
            name.removeprefix("bert."): array.astype(np.float64) for name, array in weights.items()
        }

    def __call__(self, ids: Ids) -> Floats:
        """Return (pieces, width) last hidden states of the ids of one sequence, [CLS] and [SEP] included."""
        return self.layers(ids)[-1]

    def layers(self, ids: Ids) -> Floats:
        """Return (layers + 1, pieces, width), the embeddings and the hidden states of every layer."""
        tables = [self.weights[f"embeddings.{kind}_embeddings.weight"] for kind in _KINDS]
        given = tables[0][ids] + tables[1][: len(ids)] + tables[2][0]
        states = [self._norm(given, "embeddings.LayerNorm")]
        for number in range(self.config["num_hidden_layers"]):
            states.append(self._layer(states[-1], f"encoder.layer.{number}"))
        return np.stack(states)

    def of_words(self, pieces: Sequence[NDArray[Any]], cls: int, sep: int) -> Floats:
        """Return (words, width), the mean of the states of each word's pieces.

        Args:
            pieces: The ids of each word of one sequence.
            cls: The id of [CLS].
            sep: The id of [SEP].
        """
        states = self([cls, *np.concatenate(pieces), sep])[1:-1]
        parts = np.split(states, np.cumsum([len(word) for word in pieces])[:-1])
        return np.array([part.mean(axis=0) for part in parts])

    def _layer(self, hidden: Floats, name: str) -> Floats:
        seen = self._dense(
            self._attention(hidden, f"{name}.attention.self"), f"{name}.attention.output.dense"
        )
        hidden = self._norm(hidden + seen, f"{name}.attention.output.LayerNorm")
        inner = self._gelu(self._dense(hidden, f"{name}.intermediate.dense"))
        return self._norm(hidden + self._dense(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _attention(self, hidden: Floats, name: str) -> Floats:
        heads = self.config["num_attention_heads"]
        query, key, value = (
            self._dense(hidden, f"{name}.{part}").reshape(len(hidden), heads, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        return np.asarray((shares @ value).transpose(1, 0, 2).reshape(len(hidden), -1))

    def _dense(self, inputs: Floats, name: str) -> Floats:
        return np.asarray(inputs @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"])

    def _norm(self, inputs: Floats, name: str) -> Floats:
        centred = inputs - inputs.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.config["layer_norm_eps"])
        return np.asarray(centred / deviation * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"])

    def _gelu(self, x: Floats) -> Floats:
        if self.config["hidden_act"] == "gelu":
            return np.asarray(x * (1 + _erf(x / np.sqrt(2))) / 2)
        return np.asarray(x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2)


_erf = np.vectorize(math.erf)
