"""The `bert` embedder: words in their context, by a model that does not change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from glossator.errors import ConfigError, PipelineError
from glossator_keras.arrays import Floats
from glossator_keras.backend import quietly
from glossator_keras.bert.backbone import check_keras_hub, load_weights
from glossator_keras.bert.checkpoint import CONFIG, Checkpoint
from glossator_keras.bert.fine_tuning import PretrainedBert
from glossator_keras.bert.heads import build_embedder
from glossator_keras.bert.tokenizer import EncodedPieces
from glossator_keras.bert.windows import PREDICT_POSITIONS, overlapping_windows, padded_windows
from glossator_keras.bert.word_piece_inputs import random_pieces
from glossator_keras.inference.runtime import (
    RunNetwork,
    check_agreement,
    keras_network,
    onnx_network,
    run_all,
)
from glossator_keras.settings import SettingsCheck

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from thinc.types import Floats2d

Layers = Literal["last", "mean"]

NETWORK = "network.onnx"


class BertEmbedder:
    """Gives each token the mean of its word pieces' hidden states; zeros at white space.

    The model reads sentence by sentence. In a sentence longer than the model each piece is read in the
    window where its context is best.

    Args:
        checkpoint: The folder of a BERT in the Hugging Face layout, or its name on the hub.
        layers: "last", or "mean" of the embeddings and the states of all layers, the better one for words by
            themselves (Vulić et al. 2020, "Probing pretrained language models for lexical semantics").

    Raises:
        ConfigError: For a setting out of range.

    Example:
        Vectors of the tokens of some Docs:

            embedder = BertEmbedder("minilm")
            embedder.prepare(Path("configs"))
            embedder.embed(docs)  # one (tokens, width) array per Doc
    """

    def __init__(self, checkpoint: str, layers: Layers = "last") -> None:
        self.layers: Layers = layers
        SettingsCheck("bert", self).choice("layers", Layers)
        self._bert = PretrainedBert(checkpoint)
        self._onnx: bytes | None = None
        self._run: RunNetwork | None = None

    def prepare(self, folder: Path) -> None:
        """Open the checkpoint."""
        self._bert.open(folder)
        self._onnx, self._run = None, None

    @property
    def width(self) -> int:
        """Columns of the model's hidden states."""
        return self._bert.config.hidden_size

    def embed(self, docs: Sequence[Doc]) -> Sequence[Floats2d]:
        """Return (tokens, width) for each Doc."""
        encoded = self._bert.tokenizer.encode(docs)
        states = self._states(encoded)
        counts = np.diff(encoded.firsts)
        # Every word has a piece; for one without, reduceat would return another's.
        sums = np.add.reduceat(states, encoded.firsts[:-1], axis=0) if len(counts) else states
        vectors = encoded.words.scatter(sums / counts[:, None].astype(np.float32))
        return cast("Sequence[Floats2d]", vectors)

    def finish(self) -> None:
        """Export the network."""
        self._exported()

    def to_disk(self, path: Path) -> None:
        """Write the exported network, the tokenizer and the model's config."""
        exported = self._exported()
        (path / NETWORK).write_bytes(exported)
        self._bert.to_disk(path)
        config = {"model_type": "bert", **asdict(self._bert.config)}
        (path / CONFIG).write_text(json.dumps(config, indent=1), encoding="utf-8")

    def from_disk(self, path: Path) -> None:
        """Read what `to_disk` wrote."""
        try:
            config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
            self._onnx = (path / NETWORK).read_bytes()
            self._bert.from_disk(path, {"bert": config})
        except (OSError, ValueError, ConfigError) as error:
            raise PipelineError(f"{path}: {CONFIG} or {NETWORK} is missing or damaged: {error}") from error
        self._run = onnx_network(path / NETWORK)

    def _states(self, encoded: EncodedPieces) -> Floats:
        """Return the (pieces, width) hidden states."""
        windows = overlapping_windows(encoded.sentence_bounds, self._bert.config.max_pieces)
        padded = padded_windows(
            encoded, self._bert.tokenizer, windows.starts, windows.lengths, PREDICT_POSITIONS
        )
        batches = list(padded)
        states = np.zeros((len(encoded.ids), self.width), dtype=np.float32)
        answers = run_all(self._running(), [batch.inputs for batch in batches])
        for batch, hidden in zip(batches, answers, strict=True):
            since, until = windows.owned[batch.windows].T[:, :, None]
            own = (batch.pieces >= since) & (batch.pieces < until)
            states[batch.pieces[own]] = hidden[own]
        return states

    def _running(self) -> RunNetwork:
        if self._run is None:
            self._run = onnx_network(self._exported())
        return self._run

    def _exported(self) -> bytes:
        if self._onnx is None:
            self._onnx = _export(self._bert.opened(), self.layers)
        return self._onnx


def _export(checkpoint: Checkpoint, layers: Layers) -> bytes:
    """Return a checkpoint's network in ONNX, which answers as Keras does.

    Raises:
        StageError: Keras is not installed, or ONNX Runtime answers otherwise.
    """
    check_keras_hub()
    with quietly():
        from glossator_keras.onnx_export.to_onnx import to_onnx
    network = build_embedder(checkpoint.config, mean=layers == "mean")
    load_weights(network, checkpoint)
    exported = to_onnx(network)
    inputs, mask = random_pieces(checkpoint.config)
    check_agreement(onnx_network(exported), keras_network(network), inputs, mask)
    return exported
