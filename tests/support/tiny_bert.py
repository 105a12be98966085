"""A BERT in the Hugging Face layout, tiny and random."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

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
