"""The `bert` embedder: words in their context, by a model that does not change."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

import numpy as np

from glossator.errors import ConfigError, PipelineError, StageError
from glossator_keras.bert.checkpoint import CONFIG, BertConfig, Checkpoint
from glossator_keras.bert.fine_tuning import BertSource
from glossator_keras.bert.tokenizer import EncodedPieces
from glossator_keras.bert.windows import PREDICT_PLACES, overlapping_windows, padded_windows
from glossator_keras.inference.runtime import Network, check_agreement, keras_network, onnx_network, run_all
from glossator_keras.settings import check_choice

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc
    from thinc.types import Floats2d

Layers = Literal["last", "mean"]

NETWORK = "network.onnx"


class BertEmbedder:
    """Gives each token the mean of its word pieces' hidden states; zeros at white space.

    The model reads sentence by sentence. Of one that is longer than the model each piece is read in the
    window where its context is best.

    Args:
        checkpoint: The folder of a BERT in the Hugging Face layout, or its name on the hub.
        layers: "last", or "mean" of the embeddings and the states of all layers, the better one for words by
            themselves (Vulić et al. 2020, "Probing pretrained language models for lexical semantics").

    Raises:
        ConfigError: For a setting out of range.
    """

    def __init__(self, checkpoint: str, layers: Layers = "last") -> None:
        check_choice("bert", "layers", layers, get_args(Layers))
        self._layers = layers
        self._source = BertSource(checkpoint)
        self._config: BertConfig | None = None
        self._onnx: bytes | None = None
        self._network: Network | None = None

    def prepare(self, folder: Path) -> None:
        """Open the checkpoint."""
        self._config = self._source.open(folder).config
        self._onnx, self._network = None, None

    @property
    def width(self) -> int:
        """Of the model's hidden states."""
        return self._known.hidden_size

    def embed(self, docs: Sequence[Doc]) -> Sequence[Floats2d]:
        """Return (tokens, width) for each Doc."""
        encoded = self._source.pieces.encode(docs)
        states = self._states(encoded)
        counts = np.diff(encoded.firsts)
        # Every word has a piece, without which reduceat would take another's.
        sums = np.add.reduceat(states, encoded.firsts[:-1], axis=0) if len(counts) else states
        vectors = encoded.words.scatter(sums / counts[:, None].astype(np.float32))
        return cast("Sequence[Floats2d]", vectors)

    def finish(self) -> None:
        """Export the network."""
        self._exported()

    def to_disk(self, path: Path) -> None:
        """Write the exported network, the word pieces and what the model is."""
        exported = self._exported()
        (path / NETWORK).write_bytes(exported)
        self._source.to_disk(path)
        facts = {"model_type": "bert", **dataclasses.asdict(self._known)}
        (path / CONFIG).write_text(json.dumps(facts, indent=1), encoding="utf-8")

    def from_disk(self, path: Path) -> None:
        """Read what `to_disk` wrote."""
        try:
            self._config = BertConfig.of(json.loads((path / CONFIG).read_text(encoding="utf-8")))
            self._onnx = (path / NETWORK).read_bytes()
        except (OSError, ValueError, ConfigError) as error:
            raise PipelineError(f"{path}: {CONFIG} or {NETWORK} is missing or damaged: {error}") from error
        self._source.from_disk(path)
        self._network = onnx_network(path / NETWORK)

    def _states(self, encoded: EncodedPieces) -> NDArray[np.float32]:
        """Return the (pieces, width) hidden states."""
        windows = overlapping_windows(encoded.sentence_bounds, self._known.most_pieces)
        laid = padded_windows(encoded, self._source.pieces, windows.starts, windows.lengths, PREDICT_PLACES)
        batches = list(laid)
        states = np.zeros((len(encoded.ids), self.width), dtype=np.float32)
        answers = run_all(self._running(), [batch.inputs for batch in batches])
        for batch, hidden in zip(batches, answers, strict=True):
            since, until = windows.owned[batch.windows].T[:, :, None]
            own = (batch.pieces >= since) & (batch.pieces < until)
            states[batch.pieces[own]] = hidden[own]
        return states

    def _running(self) -> Network:
        if self._network is None:
            self._network = onnx_network(self._exported())
        return self._network

    def _exported(self) -> bytes:
        if self._onnx is None:
            self._onnx = _export(self._source.begin(), self._layers)
        return self._onnx

    @property
    def _known(self) -> BertConfig:
        if self._config is None:
            raise StageError("its checkpoint is not read yet: call Pipeline.prepare()")
        return self._config


def _export(checkpoint: Checkpoint, layers: Layers) -> bytes:
    """Return a checkpoint's network in ONNX, which answers as Keras does.

    Raises:
        StageError: Keras is not installed, or ONNX Runtime answers otherwise.
    """
    from glossator_keras.backend import quietly
    from glossator_keras.bert.backbone import check_keras_hub, load_weights
    from glossator_keras.bert.heads import build_embedder, trial_inputs

    check_keras_hub()
    with quietly():
        from glossator_keras.onnx_export.to_onnx import to_onnx
    network = build_embedder(checkpoint.config, mean=layers == "mean")
    load_weights(network, checkpoint)
    exported = to_onnx(network)
    inputs, shown = trial_inputs(checkpoint.config)
    check_agreement(onnx_network(exported), keras_network(network), inputs, shown)
    return exported
