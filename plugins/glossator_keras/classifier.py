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
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from glossator.calibration import fit_temperature
from glossator.errors import ConfigError, PipelineError, StageError
from glossator.stages import Vectors, VectorSpace
from glossator_keras.encoding.doc_windows import Windows, windows_of
from glossator_keras.encoding.hashed_words import (
    TABLE_ROWS,
    check_tables,
    encode,
    network_inputs,
    padded_sequences,
)
from glossator_keras.inference.runtime import Runtime, check_runtime
from glossator_keras.model import Model
from glossator_keras.network import BuildNetwork, NetworkConfig
from glossator_keras.training.tuned_vectors import GivenVectors

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray
    from spacy.tokens import Doc
    from spacy.training import Example

    from glossator.stages import TrainingState
    from glossator_keras.model import Trial
    from glossator_keras.training.losses import Loss

    Floats = NDArray[np.float32]
    MakeOptimizer = Callable[[keras.Model], keras.optimizers.Optimizer]

ClassWeights = Mapping[str, float] | Literal["balanced"] | None

UNKNOWN = -1.0
PREDICT_PLACES = 2048  # words a run of the network, few enough for the processor's cache
HIDDEN_WORDS = 0.1  # how often a word is hidden in training, so that its other features learn too
LEARN_WINDOWS = 16  # of one document in one step, so that a book fits into memory
FACTS = "classifier.json"


class KerasClassifier:
    """Classifies documents with a network over their words.

    A long document is cut into windows. Each learns the document's labels, and the document's logits are the
    mean of theirs, weighted by their words.

    A subclass whose network takes something else than hashed words replaces `_encode`, `_windows`,
    `_batches` and `_inputs`.

    Args:
        build_network: Builds the network, from features of words to a row of logits.
        exclusive: Whether a document has exactly one label (softmax); otherwise any number (sigmoid).
        settings: What `build_network` finds in its config's `settings`.
        class_weights: What a label's loss is multiplied by: a number for each label, 1 for those not named,
            or "balanced": documents / (labels * documents that have it).
        label_smoothing: Share of the gold that is spread over all labels evenly (Szegedy et al. 2016).
        learn_rate: Adam's.
        runtime: What annotates.
        optimizer: As in `Model`.
        trial: As in `Model`.

    Raises:
        ConfigError: For a setting out of range.
    """

    _tables: ClassVar[Sequence[int]] = TABLE_ROWS  # of the hashed words it takes

    def __init__(
        self,
        build_network: BuildNetwork,
        *,
        exclusive: bool = True,
        settings: Mapping[str, Any] | None = None,
        class_weights: ClassWeights = None,
        label_smoothing: float = 0.0,
        learn_rate: float = 0.002,
        runtime: Runtime = "onnx",
        optimizer: MakeOptimizer | None = None,
        trial: Trial | None = None,
    ) -> None:
        check_runtime(runtime)
        _check_weights(class_weights)
        if not 0 <= label_smoothing < 1:
            raise ConfigError(f"label_smoothing must be from 0 to below 1, not {label_smoothing}")
        self.exclusive = exclusive
        self.labels: tuple[str, ...] = ()
        self._build_network = build_network
        self._settings = dict(settings or {})
        self._class_weights = class_weights
        self._label_smoothing = label_smoothing
        self._learn_rate = learn_rate
        self._runtime = runtime
        self._optimizer = optimizer
        self._trial = trial
        self._model: Model | None = None
        self._temperature = 1.0

    def initialize(self, examples: Sequence[Example], space: VectorSpace, *, seed: int) -> None:
        """Collect the labels and start from fresh weights."""
        found = {label for example in examples for label in example.reference.cats}
        if len(found) < 1 + self.exclusive:
            raise StageError(f"the training data has the categories {sorted(found)}; it takes more to learn")
        labels = tuple(sorted(found))
        weights = _weights_of(labels, self._class_weights, _gold(examples, labels, self.exclusive))
        self._build(labels, GivenVectors.of_space(space, self._learn_rate), weights)
        self._temperature = 1.0
        self._start(seed)

    def update(self, examples: Sequence[Example], vectors: Vectors) -> float:
        """Take one step down the mean loss of the batch's windows."""
        model = self._trained()
        generator = model.generator()
        encoded = self._encode([example.predicted for example in examples])
        windows = self._windows(encoded).sample(LEARN_WINDOWS, generator)
        gold = _gold(examples, self.labels, self.exclusive)[windows.docs]
        if not (gold != UNKNOWN).any():
            return 0.0
        ((which, batch),) = self._batches(encoded, windows, learning=True)
        given = model.given.of_words(encoded.words, vectors, learning=True)
        loss = model.learn(self._inputs(batch, given, generator), gold[which])
        model.tune(encoded.words, vectors, batch)
        return loss

    def predict(self, docs: Sequence[Doc], vectors: Vectors) -> Floats:
        """Return (docs, labels) probabilities."""
        return _probabilities(self._logits(docs, vectors) / self._temperature, self.exclusive)

    def calibrate(self, examples: Sequence[Example], vectors: Vectors) -> None:
        """Fit the temperature that logits are divided by (Guo et al. 2017)."""
        logits = self._logits([example.predicted for example in examples], vectors).astype(np.float64)
        gold = _gold(examples, self.labels, self.exclusive)
        self._temperature = fit_temperature(
            lambda temperature: _log_likelihood(logits / temperature, gold, self.exclusive)
        )

    def finish(self) -> None:
        """Export the network."""
        self._trained().finish()

    def training_state(self) -> TrainingState:
        """Return weights under training, optimizer and random state."""
        return self._trained().training_state()

    def restore(self, state: TrainingState) -> None:
        """Put a training state back."""
        self._trained().restore(state)

    def to_disk(self, path: Path) -> None:
        """Write weights, labels and temperature, and the exported network where `finish` made one."""
        model = self._trained()
        model.to_disk(path)
        facts = {
            "labels": self.labels,
            "label_weights": self._label_weights.tolist(),
            "exclusive": self.exclusive,
            "vectors": model.given.width,
            "tuned": model.given.table_widths,
            "settings": self._settings,
            "tables": self._tables,
            "temperature": self._temperature,
        }
        (path / FACTS).write_text(json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8")

    def from_disk(self, path: Path) -> None:
        """Read what `to_disk` wrote."""
        try:
            facts = json.loads((path / FACTS).read_text(encoding="utf-8"))
            check_tables(facts["tables"], self._tables)
            self._settings, self.exclusive = dict(facts["settings"]), bool(facts["exclusive"])
            self._temperature = float(facts["temperature"])
            weights = np.asarray(facts["label_weights"], dtype=np.float32)
            given = GivenVectors(int(facts["vectors"]), facts.get("tuned", ()), self._learn_rate)
            self._build(tuple(facts["labels"]), given, weights)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PipelineError(f"{path / FACTS} is missing or damaged: {error}") from error
        self._trained().from_disk(path)

    def _build(self, labels: tuple[str, ...], given: GivenVectors, label_weights: Floats) -> None:
        self.labels = labels
        self._label_weights = label_weights
        config = NetworkConfig(outputs=len(labels), vector_width=given.width, settings=self._settings)
        self._model = Model(
            self._build_network,
            config,
            loss=functools.partial(
                _loss, exclusive=self.exclusive, weights=label_weights, smoothing=self._label_smoothing
            ),
            label_shape=(None, len(labels)),
            label_type="float32",
            learn_rate=self._learn_rate,
            runtime=self._runtime,
            given=given,
            optimizer=self._optimizer,
            trial=self._trial,
        )

    def _trained(self) -> Model:
        if self._model is None:
            raise StageError("it is not trained yet")
        return self._model

    def _logits(self, docs: Sequence[Doc], vectors: Vectors) -> Floats:
        """Return (docs, labels) logits, those of a document's windows averaged by their words."""
        encoded = self._encode(docs)
        windows = self._windows(encoded)
        return windows.mean(self._window_logits(encoded, windows, vectors), len(docs))

    def _window_logits(self, encoded: Any, windows: Windows, vectors: Vectors) -> Floats:
        model = self._trained()
        given = model.given.of_words(encoded.words, vectors)
        batches = list(self._batches(encoded, windows))
        logits = np.zeros((len(windows.docs), len(self.labels)), dtype=np.float32)
        answers = model.predict([self._inputs(batch, given) for _, batch in batches])
        for (which, _), answer in zip(batches, answers, strict=True):
            logits[which] = answer
        return logits

    def _start(self, seed: int) -> None:
        """Begin with fresh weights."""
        self._trained().initialize(seed)

    def _encode(self, docs: Sequence[Doc]) -> Any:
        """Turn Docs into numbers; their Words are its `words`."""
        return encode(docs)

    def _windows(self, encoded: Any) -> Windows:
        """Cut the Docs into windows."""
        return windows_of(encoded.words)

    def _batches(
        self, encoded: Any, windows: Windows, *, learning: bool = False
    ) -> Iterator[tuple[NDArray[np.intp], Any]]:
        """Lay windows out, for learning in one batch; yield which they are, and what `_inputs` takes."""
        everything = len(windows.lengths) * max(int(windows.lengths.max(initial=0)), 1)
        most = everything if learning else PREDICT_PLACES
        for batch in padded_sequences(encoded, windows.starts, windows.lengths, most):
            yield batch.sequences, batch

    def _inputs(
        self, batch: Any, given: Floats | None, learning: np.random.Generator | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return what the network takes of a batch; in learning some words are hidden, drawn at random."""
        hidden = learning.random(len(batch.lexemes)) < HIDDEN_WORDS if learning else None
        return network_inputs(batch, given, hidden=hidden)


def _loss(network: keras.Model, *, exclusive: bool, weights: Floats, smoothing: float) -> Loss:
    from glossator_keras.training.losses import exclusive_loss, independent_loss

    return (exclusive_loss if exclusive else independent_loss)(weights, smoothing)


def _check_weights(weights: Any) -> None:
    if weights is None or weights == "balanced":
        return
    if not isinstance(weights, Mapping):
        raise ConfigError(f'class_weights = {weights!r}: give "balanced", or a number for each label')
    for label, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or weight <= 0:
            raise ConfigError(f"class_weights: {label} = {weight!r} must be a number above 0")


def _weights_of(labels: Sequence[str], weights: ClassWeights, gold: NDArray[np.float32]) -> Floats:
    """Return the (labels,) weights that settings ask for."""
    if weights == "balanced":
        # A teacher's values lie between 0 and 1: many small ones make one document.
        having = np.maximum(np.maximum(gold, 0).sum(axis=0), 1)
        return np.asarray(len(gold) / (len(labels) * having), dtype=np.float32)
    named: Mapping[str, float] = weights or {}
    unknown = sorted(set(named) - set(labels))
    if unknown:
        raise ConfigError(f"class_weights: the data has no label {unknown[0]!r}; it has {', '.join(labels)}")
    return np.asarray([named.get(label, 1.0) for label in labels], dtype=np.float32)


def _gold(examples: Sequence[Example], labels: Sequence[str], exclusive: bool) -> Floats:
    """Return (docs, labels) gold values, `UNKNOWN` where the gold does not say."""
    gold = np.asarray(
        [[example.reference.cats.get(label, UNKNOWN) for label in labels] for example in examples],
        dtype=np.float32,
    ).reshape(len(examples), len(labels))
    if not exclusive:
        return gold
    # One label excludes the others, whether the data spells that out or not; without one, nothing is known.
    has_label = (gold > 0).any(axis=1, keepdims=True)
    filled: Floats = np.where(has_label, np.maximum(gold, 0), np.float32(UNKNOWN))
    return filled


def _probabilities(logits: NDArray[Any], exclusive: bool) -> NDArray[Any]:
    if exclusive:
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))))


def _log_likelihood(logits: NDArray[np.float64], gold: Floats, exclusive: bool) -> float:
    """Return the summed log-likelihood of the gold values that are known."""
    probabilities = _probabilities(logits, exclusive)
    known, value = gold != UNKNOWN, np.maximum(gold, 0)
    likelihood = value * np.log(probabilities + 1e-12)
    if not exclusive:
        likelihood = likelihood + (1 - value) * np.log(1 - probabilities + 1e-12)
    return float(likelihood[known].sum())
