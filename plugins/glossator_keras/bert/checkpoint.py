"""A BERT in the Hugging Face layout: `config.json`, `model.safetensors`, `tokenizer.json` or `vocab.txt`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from glossator.errors import ConfigError, StageError
from glossator_keras.arrays import Floats
from glossator_keras.bert.tokenizer import SPECIAL, WordPieceTokenizer

CONFIG, WEIGHTS = "config.json", "model.safetensors"
FILES = (CONFIG, WEIGHTS, "tokenizer.json", "tokenizer_config.json", "vocab.txt")

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")

# By `hidden_act`, whether the GELU of that name is the approximation by tanh (Hendrycks and Gimpel 2016).
_APPROXIMATE_GELU = {"gelu": False, "gelu_new": True, "gelu_fast": True, "gelu_pytorch_tanh": True}
_OTHER_ACTIVATIONS = ("relu", "silu", "tanh")


@dataclass(frozen=True, slots=True, kw_only=True)
class BertConfig:
    """The part of `config.json` that defines the computation, by its names there.

    Example:
        From a checkpoint's file:

            config = BertConfig.of(json.loads((folder / "config.json").read_text()))
            config.max_pieces  # 510
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int = 2
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    hidden_dropout_prob: float = 0.1

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> BertConfig:
        """Return the config in the values of a `config.json`.

        Raises:
            ConfigError: They do not define a BERT, or one with parts that this plugin cannot build.
        """
        if values.get("model_type", "bert") != "bert":
            raise ConfigError(f"it holds a model of type {values['model_type']!r}: only 'bert' is supported")
        if values.get("position_embedding_type", "absolute") != "absolute":
            raise ConfigError(
                f"it has {values['position_embedding_type']!r} positions: only 'absolute' is supported"
            )
        names = {field.name for field in fields(cls)}
        try:
            config = cls(**{name: value for name, value in values.items() if name in names})
        except TypeError as error:
            raise ConfigError(f"its {CONFIG} is incomplete: {error}") from None
        if config.hidden_act not in (*_APPROXIMATE_GELU, *_OTHER_ACTIVATIONS):
            raise ConfigError(f"its activation {config.hidden_act!r} is not supported")
        return config

    @property
    def max_pieces(self) -> int:
        """Word pieces per sequence, beside [CLS] and [SEP]."""
        return self.max_position_embeddings - SPECIAL

    @property
    def approximate_gelu(self) -> bool | None:
        """Whether its GELU is the approximation by tanh; None where it has another activation."""
        return _APPROXIMATE_GELU.get(self.hidden_act)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained BERT.

    Attributes:
        folder: The folder of its files.
        config: What it computes.
        tokenizer: Its tokenizer.

    Example:
        From a folder beside a config:

            checkpoint = open_checkpoint("minilm", folder=Path("configs"))
            checkpoint.weights()["embeddings.word_embeddings.weight"]
    """

    folder: Path
    config: BertConfig
    tokenizer: WordPieceTokenizer

    def weights(self) -> dict[str, Floats]:
        """Read all weights, by their names without the prefix "bert.".

        Raises:
            StageError: The library that reads them is not installed.
            ConfigError: The file is damaged.
        """
        try:
            from safetensors.numpy import load_file
        except ImportError as error:
            raise StageError(f"this needs safetensors ({error}): pip install 'glossator[train]'") from error
        file = self.folder / WEIGHTS
        try:
            arrays = load_file(file)
            return {_plain(name): np.asarray(array, np.float32) for name, array in arrays.items()}
        except Exception as error:  # safetensors has exceptions of its own, of no common kind
            raise ConfigError(f"{file} cannot be read: {error}") from error


def open_checkpoint(name: str, folder: Path) -> Checkpoint:
    """Open a checkpoint.

    Args:
        name: Its folder, or its name on the Hugging Face hub.
        folder: The folder that a relative one counts from.

    Raises:
        ConfigError: There is none, or it holds something else than a BERT.
    """
    path = _folder_of(name, folder)
    for needed in (CONFIG, WEIGHTS):
        if not (path / needed).is_file():
            raise ConfigError(
                f"checkpoint = {name!r}: {path} has no {needed}: give a folder with {CONFIG}, {WEIGHTS} "
                "and tokenizer.json or vocab.txt"
            )
    try:
        values = json.loads((path / CONFIG).read_text(encoding="utf-8"))
        if not isinstance(values, Mapping):
            raise ConfigError(f"{path / CONFIG} holds no object of names and values")
        config = BertConfig.of(values)
        tokenizer = WordPieceTokenizer.from_folder(path, config.vocab_size)
    except (OSError, ValueError) as error:
        raise ConfigError(f"checkpoint = {name!r}: {path / CONFIG} cannot be read: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"checkpoint = {name!r}: {error}") from error
    return Checkpoint(path, config, tokenizer)


def _folder_of(name: str, folder: Path) -> Path:
    path = folder / name
    if path.is_dir():
        return path
    if not _HUB_NAME.fullmatch(name):
        raise ConfigError(f"checkpoint = {name!r}: there is no folder {path}")
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, allow_patterns=list(FILES)))
    except Exception as error:  # not installed, no network, or no such model: the hub has a dozen errors
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigError(
            f"checkpoint = {name!r}: there is no folder {path}, and it did not come from the "
            f"Hugging Face hub ({reason}): download it where there is a network and give its folder"
        ) from error


def _plain(name: str) -> str:
    """Return a weight's name as in a bare `BertModel`, and as it has been since 2019."""
    plain = name.removeprefix("bert.")
    return re.sub(
        r"LayerNorm\.gamma$", "LayerNorm.weight", re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", plain)
    )
