"""A BERT in the Hugging Face layout, tiny and random, and what it says by the definition, in numpy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = list("abcdefghijklmnopqrstuvwxyz0123456789.,!?-'")
WORDS = ["the", "old", "boat", "of", "saw", "in", "for", "ana", "lee", "noor", "berg", "oslo", "skye", "lima"]
VOCABULARY = [*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS), *WORDS, "##ing", "##er"]


def write_bert(
    folder: Path,
    *,
    positions: int = 64,
    prefix: str = "",
    lowercase: bool = True,
    seed: int = 0,
    width: int = 32,
    **config,
) -> Path:
    """Write a BERT of 2 layers with `vocab.txt`; `config` goes into `config.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {
        "model_type": "bert",
        "vocab_size": len(VOCABULARY),
        "hidden_size": width,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": positions,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0.0,
        **config,
    }
    (folder / "config.json").write_text(json.dumps(facts))
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lowercase}))
    weights = _weights(facts, np.random.default_rng(seed))
    save_file({prefix + name: array for name, array in weights.items()}, folder / "model.safetensors")
    return folder


def _weights(facts, generator) -> dict[str, np.ndarray]:
    width, inner = facts["hidden_size"], facts["intermediate_size"]

    def matrix(*shape):
        return generator.normal(0, 0.2, size=shape).astype(np.float32)

    def norm(name):
        return {f"{name}.weight": 1 + matrix(width), f"{name}.bias": matrix(width)}

    def dense(name, outputs, inputs):
        return {f"{name}.weight": matrix(outputs, inputs), f"{name}.bias": matrix(outputs)}

    made = {
        "embeddings.word_embeddings.weight": matrix(facts["vocab_size"], width),
        "embeddings.position_embeddings.weight": matrix(facts["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": matrix(facts["type_vocab_size"], width),
        **norm("embeddings.LayerNorm"),
        "pooler.dense.weight": matrix(width, width),  # of which no use is made
    }
    for number in range(facts["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        for part in ("query", "key", "value"):
            made |= dense(f"{layer}.attention.self.{part}", width, width)
        made |= dense(f"{layer}.attention.output.dense", width, width)
        made |= norm(f"{layer}.attention.output.LayerNorm")
        made |= dense(f"{layer}.intermediate.dense", inner, width)
        made |= dense(f"{layer}.output.dense", width, inner)
        made |= norm(f"{layer}.output.LayerNorm")
    return made


class NumpyBert:
    """BERT by its definition (Devlin et al. 2019; Vaswani et al. 2017), a sequence at a time, in float64."""

    def __init__(self, folder: Path) -> None:
        self.config = json.loads((folder / "config.json").read_text())
        weights = load_file(folder / "model.safetensors")
        self.weights = {name.removeprefix("bert."): array.astype(float) for name, array in weights.items()}

    def __call__(self, ids) -> np.ndarray:
        """Return (pieces, width) last hidden states of the ids of one sequence, [CLS] and [SEP] included."""
        tables = [self.weights[f"embeddings.{kind}_embeddings.weight"] for kind in _KINDS]
        hidden = self._norm(tables[0][ids] + tables[1][: len(ids)] + tables[2][0], "embeddings.LayerNorm")
        for number in range(self.config["num_hidden_layers"]):
            hidden = self._layer(hidden, f"encoder.layer.{number}")
        return hidden

    def _layer(self, hidden, name):
        seen = self._dense(
            self._attention(hidden, f"{name}.attention.self"), f"{name}.attention.output.dense"
        )
        hidden = self._norm(hidden + seen, f"{name}.attention.output.LayerNorm")
        inner = self._gelu(self._dense(hidden, f"{name}.intermediate.dense"))
        return self._norm(hidden + self._dense(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _attention(self, hidden, name):
        heads = self.config["num_attention_heads"]
        query, key, value = (
            self._dense(hidden, f"{name}.{part}").reshape(len(hidden), heads, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        return (shares @ value).transpose(1, 0, 2).reshape(len(hidden), -1)

    def _dense(self, inputs, name):
        return inputs @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _norm(self, inputs, name):
        centred = inputs - inputs.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.config["layer_norm_eps"])
        return centred / deviation * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def _gelu(self, x):
        if self.config["hidden_act"] == "gelu":
            return x * (1 + _erf(x / np.sqrt(2))) / 2
        return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2


_KINDS = ("word", "position", "token_type")


def _erf(x):
    from math import erf

    return np.vectorize(erf)(x)
