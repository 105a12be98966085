"""What a tagger and a classifier made of a Keras network share.

A stage is composed of a network, which is a function that builds it, and an encoder, which makes the
network's inputs of Docs; for a fine-tuned network also of the pretrained checkpoint that it starts from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from glossator.errors import PipelineError, StageError
from glossator.ml.span_scheme import SpanScheme
from glossator_keras.encoding.input_encoder import InputEncoder
from glossator_keras.inference.runtime import Runtime, check_runtime
from glossator_keras.network import BuildNetwork, NetworkConfig, NetworkSettings
from glossator_keras.saved_files import reading
from glossator_keras.stage_network import MakeLoss, MakeOptimizer, StageNetwork
from glossator_keras.training.tuned_vectors import WordVectors
from glossator_keras.wide.model import WideModel

if TYPE_CHECKING:
    import keras

    from glossator.stages import TrainingState


class Pretrained(Protocol):
    """A checkpoint that a network starts from, and the files of it that are saved with a stage.

    Example:
        Fine-tuning a BERT:

            bert = PretrainedBert("folder/of/a/bert")
            tagger = KerasTagger(build_tagger, FirstPieceInputs(bert), pretrained=bert)
            tagger.prepare(Path())  # opens the checkpoint
    """

    @property
    def settings(self) -> NetworkSettings:
        """Settings that the network is built from beside the stage's own, of JSON's types."""

    def open(self, folder: Path) -> object:
        """Open the checkpoint, a relative folder counting from `folder`."""

    def load_weights(self, network: keras.Model) -> None:
        """Put the checkpoint's weights into a network with fresh ones."""

    def to_disk(self, path: Path) -> None:
        """Write the files that annotating needs."""

    def from_disk(self, path: Path, settings: NetworkSettings) -> None:
        """Read what `to_disk` wrote; `settings` are those the network was built from."""


class StageMetadata(TypedDict):
    """The JSON file of every saved stage.

    Attributes:
        labels: Names of the labels.
        vectors: Columns of the words' vectors; 0 for none.
        tuned: Columns of each table of vectors that was tuned; folders of the first versions lack it.
        settings: The settings the network was built from.
        tables: Rows of the encoder's hashed tables.
        temperature: The divisor of logits.
        wide: Whether a linear model is part of it; folders of the first versions lack it.

    Example:
        A tagger's adds its scheme:

            class TaggerMetadata(StageMetadata):
                scheme: Scheme
    """

    labels: Sequence[str]
    vectors: int
    tuned: Sequence[int]
    settings: NetworkSettings
    tables: Sequence[int]
    temperature: float
    wide: bool


class KerasStage:
    """A stage made of a Keras network: all that taggers and classifiers have in common.

    Args:
        build_network: Builds the network, from the encoder's inputs to logits.
        encoder: Makes the network's inputs of Docs.
        settings: The `settings` of the config that `build_network` gets.
        learn_rate: Adam's learning rate, also for vectors that are tuned.
        runtime: The runtime that annotates.
        optimizer: Returns another optimizer than Adam, from the network.
        pretrained: The checkpoint that the network starts from.
        wide: Whether a linear model, fitted beforehand, is part of the network.

    Attributes:
        labels: Names of the labels; none before training.
        prepare: Opens the checkpoint, as the engine asks of stages whose settings name files; only with
            `pretrained`.

    Raises:
        ConfigError: For an unknown runtime.

    Example:
        Its subclasses are what plugins use:

            tagger = KerasTagger(build_network, write="ents")
            classifier = KerasClassifier(build_network, exclusive=False)
    """

    prepare: Callable[[Path], object]
    _wide: WideModel | None = None

    def __init__(
        self,
        build_network: BuildNetwork,
        encoder: InputEncoder[Any, Any],
        *,
        settings: NetworkSettings | None,
        learn_rate: float,
        runtime: Runtime,
        optimizer: MakeOptimizer | None,
        pretrained: Pretrained | None,
        wide: bool,
    ) -> None:
        check_runtime(runtime)
        self.labels: tuple[str, ...] = ()
        self._build_network = build_network
        self._tables = tuple(encoder.tables)
        self._trial_inputs = encoder.trial_inputs
        self._settings: dict[str, Any] = dict(settings or {})
        self._learn_rate = learn_rate
        self._runtime = runtime
        self._optimizer = optimizer
        self._pretrained = pretrained
        self._is_wide = wide
        self._network: StageNetwork | None = None
        self._temperature = 1.0
        # The engine restores stages that have `prepare` before it trains them anew. Without a checkpoint
        # there is nothing to restore, and a folder of an older version could no longer be trained again.
        if pretrained is not None:
            self.prepare = pretrained.open

    @property
    def network(self) -> StageNetwork:
        """The network; raises `StageError` before training."""
        if self._network is None:
            raise StageError("it is not trained yet")
        return self._network

    def finish(self) -> None:
        """Export the network."""
        self.network.finish()

    def training_state(self) -> TrainingState:
        """Return weights under training, optimizer and random state."""
        return {**self.network.training_state(), **(self._wide.state() if self._wide else {})}

    def restore(self, state: TrainingState) -> None:
        """Put a training state back."""
        self.network.restore(state)
        if self._wide is not None:
            self._wide.restore(state)

    def _make_network(
        self,
        vectors: WordVectors,
        *,
        outputs: int,
        scheme: SpanScheme | None = None,
        loss: MakeLoss,
        label_shape: tuple[int | None, ...],
        label_type: str = "int32",
    ) -> None:
        """Make the network, without weights so far."""
        if self._pretrained is not None:
            self._settings |= self._pretrained.settings
        config = NetworkConfig(
            outputs=outputs,
            vector_width=vectors.width,
            scheme=scheme,
            wide=self._wide is not None,
            settings=self._settings,
        )
        self._network = StageNetwork(
            self._build_network,
            config,
            loss=loss,
            label_shape=label_shape,
            label_type=label_type,
            learn_rate=self._learn_rate,
            runtime=self._runtime,
            trial_inputs=self._trial_inputs,
            vectors=vectors,
            optimizer=self._optimizer,
        )

    def _start_training(self, seed: int) -> None:
        """Give the network its first weights."""
        self._temperature = 1.0
        self.network.initialize(seed, self._load_first_weights)

    def _load_first_weights(self, network: keras.Model) -> None:
        for source in (self._pretrained, self._wide):
            if source is not None:
                source.load_weights(network)

    def _save(self, path: Path, name: str, metadata: Mapping[str, object]) -> None:
        """Write the network, the checkpoint's files, and the metadata under a file name."""
        self.network.to_disk(path)
        (path / name).write_text(json.dumps(metadata, ensure_ascii=False, indent=1), encoding="utf-8")
        if self._pretrained is not None:
            self._pretrained.to_disk(path)
        if self._wide is not None:
            self._wide.to_disk(path)

    def _load_shared(self, path: Path, metadata: StageMetadata) -> WordVectors:
        """Take over the metadata that all stages have; return the vectors, not loaded so far.

        Raises:
            PipelineError: The network belongs to other hashed tables, or a file of the checkpoint is damaged.
        """
        if tuple(metadata["tables"]) != self._tables:
            raise PipelineError(
                "it was trained by another version of glossator_keras, with other features of words: "
                "train it again, or annotate with that version"
            )
        self._settings = dict(metadata["settings"])
        self._temperature = float(metadata["temperature"])
        if self._pretrained is not None:
            self._pretrained.from_disk(path, self._settings)
        return WordVectors(int(metadata["vectors"]), metadata.get("tuned", ()), self._learn_rate)


def read_metadata(file: Path) -> Any:
    """Return the content of a stage's JSON file.

    Raises:
        PipelineError: It is missing or damaged.
    """
    with reading(file):
        return json.loads(file.read_text(encoding="utf-8"))
