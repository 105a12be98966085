"""A classifier made of a Keras network: all of it but the network.

    def build_network(config):
        import keras
        words = embed_words(config, width=64)
        hidden = keras.layers.Conv1D(64, 3, padding="same", activation="relu")(words.output)
        pooled = keras.ops.max(keras.ops.where(words.mask[:, :, None], hidden, 0.0), axis=1)
        return keras.Model(words.inputs, keras.layers.Dense(config.outputs)(pooled))

    def make_classifier(exclusive=True, **settings):
        return KerasClassifier(build_network, exclusive=exclusive, settings=settings)

`make_classifier` is a factory for a `glossator.Stage`. Keras is imported inside the function, so that
annotating does without.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from glossator.errors import ConfigError, StageError
from glossator.ml.activations import sigmoid, softmax
from glossator.ml.categories import category_matrix, log_likelihood
from glossator.ml.temperature import fit_temperature
from glossator.stages import Vectors, VectorSpace
from glossator_keras.arrays import Array, Floats, Positions
from glossator_keras.encoding.doc_windows import Windows
from glossator_keras.encoding.hashed_words import HashedWords
from glossator_keras.encoding.input_encoder import DocumentEncoder, Encoded
from glossator_keras.inference.runtime import Runtime
from glossator_keras.keras_stage import KerasStage, Pretrained, StageMetadata, read_metadata
from glossator_keras.network import WIDE_INPUT, BuildNetwork, NetworkSettings
from glossator_keras.saved_files import reading
from glossator_keras.stage_network import MakeOptimizer
from glossator_keras.training.tuned_vectors import WordVectors
from glossator_keras.wide.linear import WideLinear

if TYPE_CHECKING:
    import keras
    from spacy.tokens import Doc
    from spacy.training import Example

    from glossator_keras.training.losses import Loss

ClassWeights = Mapping[str, float] | Literal["balanced"] | None

UNKNOWN = -1.0
TRAIN_WINDOWS = 16  # per document and step, so that a book fits into memory
METADATA = "classifier.json"


class ClassifierMetadata(StageMetadata):
    """The content of `classifier.json`.

    Attributes:
        label_weights: The factor of each label's loss.
        exclusive: Whether a document has exactly one label.

    Example:
        The labels of a saved classifier:

            metadata: ClassifierMetadata = read_metadata(folder / METADATA)
            metadata["labels"]
    """

    label_weights: Sequence[float]
    exclusive: bool


class KerasClassifier(KerasStage):
    """Classifies documents with a network over their words.

    A long document is cut into windows. Each learns the document's labels, and the document's logits are the
    mean of theirs, weighted by their words.

    Args:
        build_network: Builds the network, from the encoder's inputs to one row of logits per window.
        encoder: Makes the network's inputs of Docs; by default `HashedWords`.
        exclusive: Whether a document has exactly one label (softmax); otherwise any number (sigmoid).
        settings: The `settings` of the config that `build_network` gets.
        class_weights: The factor of each label's loss: one number per label, 1 for those not named,
            or "balanced": documents / (labels * documents that have it).
        label_smoothing: Share of the gold that is spread over all labels evenly (Szegedy et al. 2016).
        learn_rate: Adam's learning rate, also for vectors that are tuned.
        runtime: The runtime that annotates.
        optimizer: Returns another optimizer than Adam, from the network.
        pretrained: The checkpoint that the network starts from.
        wide: Whether a linear model, fitted beforehand, is part of the network, which then takes its logits
            for the document as the input "wide": `network.add_logits` adds them to the network's own.

    Raises:
        ConfigError: For a setting out of range.

    Example:
        A factory for a `glossator.Stage`, with `build_network` as above:

            def make_classifier(exclusive=True, *, class_weights=None):
                return KerasClassifier(build_network, exclusive=exclusive, class_weights=class_weights)
    """

    _wide: WideLinear | None

    def __init__(
        self,
        build_network: BuildNetwork,
        encoder: DocumentEncoder[Any, Any] | None = None,
        *,
        exclusive: bool = True,
        settings: NetworkSettings | None = None,
        class_weights: ClassWeights = None,
        label_smoothing: float = 0.0,
        learn_rate: float = 0.002,
        runtime: Runtime = "onnx",
        optimizer: MakeOptimizer | None = None,
        pretrained: Pretrained | None = None,
        wide: bool = False,
    ) -> None:
        check_class_weights(class_weights)
        if not 0 <= label_smoothing < 1:
            raise ConfigError(f"label_smoothing must be from 0 to below 1, not {label_smoothing}")
        self._encoder: DocumentEncoder[Any, Any] = encoder or HashedWords()
        super().__init__(
            build_network,
            self._encoder,
            settings=settings,
            learn_rate=learn_rate,
            runtime=runtime,
            optimizer=optimizer,
            pretrained=pretrained,
            wide=wide,
        )
        self.exclusive = exclusive
        self._class_weights = class_weights
        self._label_smoothing = label_smoothing

    def initialize(self, examples: Sequence[Example], space: VectorSpace, *, seed: int) -> None:
        """Collect the labels and start from fresh weights."""
        labels = tuple(sorted({label for example in examples for label in example.reference.cats}))
        if len(labels) < 1 + self.exclusive:
            raise StageError(f"the training data has the categories {list(labels)}; it takes more to learn")
        gold = gold_values(examples, labels, self.exclusive)
        weights = _label_weights(labels, self._class_weights, gold)
        self._wide = WideLinear() if self._is_wide else None
        if self._wide is not None:
            docs = [example.predicted for example in examples]
            self._wide.fit(docs, np.where(gold == UNKNOWN, np.nan, gold), exclusive=self.exclusive)
        self._build(labels, WordVectors.of_space(space, self._learn_rate), weights)
        self._start_training(seed)

    def update(self, examples: Sequence[Example], vectors: Vectors) -> float:
        """Take one step down the mean loss of the batch's windows."""
        network = self.network
        generator = network.generator()
        docs = [example.predicted for example in examples]
        encoded = self._encoder.encode(docs)
        windows = self._encoder.windows(encoded).sample(TRAIN_WINDOWS, generator)
        gold = gold_values(examples, self.labels, self.exclusive)[windows.docs]
        if not (gold != UNKNOWN).any():
            return 0.0

        ((which, batch),) = self._encoder.window_batches(encoded, windows, training=True)
        rows = network.vectors.of_words(encoded.words, vectors, training=True)
        of_docs = self._wide.unseen_logits(docs) if self._wide else None
        inputs = self._encoder.inputs(batch, rows, generator)
        loss = network.learn({**inputs, **_wide_input(of_docs, windows.docs[which])}, gold[which])
        network.tune(encoded.words, vectors, batch)
        return loss

    def predict(self, docs: Sequence[Doc], vectors: Vectors) -> Floats:
        """Return (docs, labels) probabilities."""
        return _probabilities(self._logits(docs, vectors) / self._temperature, self.exclusive)

    def calibrate(self, examples: Sequence[Example], vectors: Vectors) -> None:
        """Fit the temperature that logits are divided by (Guo et al. 2017)."""
        logits = self._logits([example.predicted for example in examples], vectors).astype(np.float64)
        gold = gold_values(examples, self.labels, self.exclusive)
        gold[gold == UNKNOWN] = np.nan
        self._temperature = fit_temperature(
            lambda temperature: log_likelihood(
                _probabilities(logits / temperature, self.exclusive), gold, exclusive=self.exclusive
            )
        )

    def to_disk(self, path: Path) -> None:
        """Write weights, labels and temperature, and the exported network where `finish` made one."""
        vectors = self.network.vectors
        metadata = ClassifierMetadata(
            labels=self.labels,
            label_weights=self._label_weights.tolist(),
            exclusive=self.exclusive,
            vectors=vectors.width,
            tuned=vectors.table_widths,
            settings=self._settings,
            tables=self._tables,
            temperature=self._temperature,
            wide=self._wide is not None,
        )
        self._save(path, METADATA, metadata)

    def from_disk(self, path: Path) -> None:
        """Read what `to_disk` wrote."""
        metadata: ClassifierMetadata = read_metadata(path / METADATA)
        with reading(path / METADATA):
            vectors = self._load_shared(path, metadata)
            self.exclusive = bool(metadata["exclusive"])
            self._wide = WideLinear() if metadata.get("wide") else None
            weights = np.asarray(metadata["label_weights"], dtype=np.float32)
            self._build(tuple(metadata["labels"]), vectors, weights)
        self.network.from_disk(path)
        if self._wide is not None:
            self._wide.from_disk(path, len(self.labels))

    def _build(self, labels: tuple[str, ...], vectors: WordVectors, label_weights: Floats) -> None:
        self.labels = labels
        self._label_weights = label_weights
        self._make_network(
            vectors,
            outputs=len(labels),
            loss=functools.partial(
                _loss, exclusive=self.exclusive, weights=label_weights, smoothing=self._label_smoothing
            ),
            label_shape=(None, len(labels)),
            label_type="float32",
        )

    def _logits(self, docs: Sequence[Doc], vectors: Vectors) -> Floats:
        """Return (docs, labels) logits, those of a document's windows averaged by their words."""
        encoded = self._encoder.encode(docs)
        windows = self._encoder.windows(encoded)
        # Each window has the linear model's logits of its whole document, and so has their mean.
        wide = self._wide.logits(docs) if self._wide else None
        return windows.mean(self._window_logits(encoded, windows, vectors, wide), len(docs))

    def _window_logits(
        self, encoded: Encoded, windows: Windows, vectors: Vectors, wide: Floats | None
    ) -> Floats:
        network = self.network
        rows = network.vectors.of_words(encoded.words, vectors)
        batches = list(self._encoder.window_batches(encoded, windows, training=False))
        answers = network.predict(
            [
                {**self._encoder.inputs(batch, rows), **_wide_input(wide, windows.docs[which])}
                for which, batch in batches
            ]
        )

        logits = np.zeros((len(windows.docs), len(self.labels)), dtype=np.float32)
        for (which, _), answer in zip(batches, answers, strict=True):
            logits[which] = answer
        return logits


def _wide_input(logits: Floats | None, docs: Positions) -> dict[str, Floats]:
    """Return the logits of the (windows,) documents as an input; none without a linear model."""
    return {} if logits is None else {WIDE_INPUT: logits[docs]}


def check_class_weights(weights: object) -> None:
    """Raise `ConfigError` unless `class_weights` may have this value."""
    if weights is None or weights == "balanced":
        return
    if not isinstance(weights, Mapping):
        raise ConfigError(f'class_weights = {weights!r}: give "balanced", or a number for each label')
    for label, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or weight <= 0:
            raise ConfigError(f"class_weights: {label} = {weight!r} must be a number above 0")


def gold_values(examples: Sequence[Example], labels: Sequence[str], exclusive: bool) -> Floats:
    """Return (docs, labels) gold values, `UNKNOWN` where the gold does not say."""
    gold = category_matrix([example.reference.cats for example in examples], labels, exclusive=exclusive)
    if exclusive:
        # A document that has none of the labels says nothing of them.
        gold = np.where((gold > 0).any(axis=1, keepdims=True), gold, np.nan)
    return np.where(np.isnan(gold), UNKNOWN, gold).astype(np.float32)


def _loss(network: keras.Model, *, exclusive: bool, weights: Floats, smoothing: float) -> Loss:
    from glossator_keras.training.losses import exclusive_loss, independent_loss

    return (exclusive_loss if exclusive else independent_loss)(weights, smoothing)


def _label_weights(labels: Sequence[str], weights: ClassWeights, gold: Floats) -> Floats:
    """Return the (labels,) weights for the setting `class_weights`."""
    if weights == "balanced":
        # A teacher's values lie between 0 and 1: many small ones make one document.
        documents = np.maximum(np.maximum(gold, 0).sum(axis=0), 1)
        return np.asarray(len(gold) / (len(labels) * documents), dtype=np.float32)
    named: Mapping[str, float] = weights or {}
    unknown = sorted(set(named) - set(labels))
    if unknown:
        raise ConfigError(f"class_weights: the data has no label {unknown[0]!r}; it has {', '.join(labels)}")
    return np.asarray([named.get(label, 1.0) for label in labels], dtype=np.float32)


def _probabilities(logits: Array, exclusive: bool) -> Array:
    return softmax(logits) if exclusive else sigmoid(logits)
