"""A tagger made of a Keras network: all of it but the network.

    def build_network(config):
        import keras
        words = embed_words(config, width=64)
        hidden = keras.layers.Conv1D(64, 3, padding="same")(words.output)
        return keras.Model(words.inputs, keras.layers.Dense(config.outputs)(hidden))

    def make_tagger(write="ents", **settings):
        return KerasTagger(build_network, write=write, settings=settings)

`make_tagger` is a factory for a `glossator.Stage`. Keras is imported inside the function, so that
annotating does without.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, get_args

import numpy as np

from glossator.annotations.gold import GoldSpan, gold_spans, gold_tags, missing_tokens
from glossator.annotations.layer import check_tagger_layer, holds_spans
from glossator.annotations.overlaps import without_overlaps
from glossator.errors import ConfigError, PipelineError, StageError
from glossator.ml.linear_chain import log_partition, path_score
from glossator.ml.span_scheme import SpanScheme
from glossator.ml.temperature import fit_temperature, softmax_nll
from glossator.ml.words import Words
from glossator.stages import ScoredSpan, TokenTags, Vectors, VectorSpace
from glossator_keras.decode import Answer, Chain, Layout, decode_spans, decode_tags
from glossator_keras.features import (
    TABLE_ROWS,
    check_tables,
    encode,
    network_inputs,
    padded_sentences,
)
from glossator_keras.model import Model
from glossator_keras.network import BuildNetwork, NetworkConfig
from glossator_keras.runtime import Runtime, check_runtime
from glossator_keras.tuning import GivenVectors

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray
    from spacy.tokens import Doc
    from spacy.training import Example

    from glossator.stages import TrainingState
    from glossator_keras.learning import Loss
    from glossator_keras.model import Trial

    Floats = NDArray[np.float32]
    MakeOptimizer = Callable[[keras.Model], keras.optimizers.Optimizer]

UNKNOWN = -1
LEARN_PLACES = 8192  # words a step, padding included
PREDICT_PLACES = 2048  # words a run of the network, few enough for the processor's cache
FACTS = "tagger.json"

Scheme = Literal["bio", "bioes"]


class Encoded(Protocol):
    """A batch of Docs in numbers."""

    @property
    def words(self) -> Words:
        """Where their words stand."""


class KerasTagger:
    """Tags sentences with a network over their words.

    A subclass whose network takes something else than hashed words replaces `_encode`, `_batches` and
    `_inputs`.

    Args:
        build_network: Builds the network, from features of words to logits, or to a CRF over them.
        write: The layer to predict.
        scheme: How spans become labels of words.
        settings: What `build_network` finds in its config's `settings`.
        word_dropout: How often a word is hidden in training, so that its other features learn too.
        learn_rate: Adam's.
        runtime: What annotates.
        optimizer: As in `Model`.
        trial: As in `Model`.

    Raises:
        ConfigError: For a layer no tagger writes, an unknown scheme or runtime.
    """

    _tables: ClassVar[Sequence[int]] = TABLE_ROWS  # of the hashed words it takes

    def __init__(
        self,
        build_network: BuildNetwork,
        *,
        write: str = "ents",
        scheme: Scheme = "bioes",
        settings: Mapping[str, Any] | None = None,
        word_dropout: float = 0.1,
        learn_rate: float = 0.002,
        runtime: Runtime = "onnx",
        optimizer: MakeOptimizer | None = None,
        trial: Trial | None = None,
    ) -> None:
        check_runtime(runtime)
        if scheme not in get_args(Scheme):
            raise ConfigError(f"scheme = {scheme!r}: use one of {', '.join(get_args(Scheme))}")
        self._layer = check_tagger_layer(write)
        self._build_network = build_network
        self._prefixes = scheme
        self._settings = dict(settings or {})
        self._word_dropout = word_dropout
        self._learn_rate = learn_rate
        self._runtime = runtime
        self._optimizer = optimizer
        self._trial = trial
        self._model: Model | None = None
        self._temperature = 1.0
        self.labels: tuple[str, ...] = ()

    def initialize(self, examples: Sequence[Example], space: VectorSpace, *, seed: int) -> None:
        """Collect the labels and start from fresh weights."""
        found = {label for example in examples for label in self._labels_of(example)}
        if not found:
            raise StageError(f"the training data has no gold {self._layer!r} to learn from")
        self._build(tuple(sorted(found)), GivenVectors.of_space(space, self._learn_rate))
        self._temperature = 1.0
        self._start(seed)

    def update(self, examples: Sequence[Example], vectors: Vectors) -> float:
        """Take one step down the mean loss of the batch's words."""
        model = self._trained()
        encoded = self._encode([example.predicted for example in examples])
        gold = self._gold_ids(examples, encoded, self._learned_lengths(encoded))
        given = model.given.of_words(encoded.words, vectors, learning=True)
        losses, words = [0.0], [0]
        # More than one step only where documents are long or their sentences of very unlike length.
        for batch in self._batches(encoded, learning=True):
            labels = _laid_out(gold, batch)
            words.append(int((labels != UNKNOWN).sum()))
            losses.append(self._learn(batch, given, labels) if words[-1] else 0.0)
            if words[-1]:
                model.tune(encoded.words, vectors, batch)
        return float(np.dot(losses, words) / max(sum(words), 1))

    def predict(
        self, docs: Sequence[Doc], vectors: Vectors
    ) -> Sequence[TokenTags] | Sequence[Sequence[ScoredSpan]]:
        """Return tags or spans, as the layer asks."""
        encoded = self._encode(docs)
        answers = self._answers(encoded, vectors)
        if self._scheme is None:
            return decode_tags(answers, encoded.words, self._chain, self._temperature)
        chain = self._chain or Chain.of_scheme(self._scheme)
        return decode_spans(answers, encoded.words, self._scheme, chain, self._temperature)

    def calibrate(self, examples: Sequence[Example], vectors: Vectors) -> None:
        """Fit the temperature that all potentials are divided by (Guo et al. 2017)."""
        encoded = self._encode([example.predicted for example in examples])
        gold = self._gold_ids(examples, encoded, encoded.words.lengths)
        batches = [
            (batch, logits, _laid_out(gold, batch)) for batch, logits in self._answers(encoded, vectors)
        ]
        nll = _chain_nll if self._chain else _softmax_nll
        self._temperature = fit_temperature(
            lambda temperature: -sum(nll(*batch, self._chain, temperature) for batch in batches)
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
            "vectors": model.given.width,
            "tuned": model.given.table_widths,
            "scheme": self._prefixes,
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
            self._settings, self._prefixes = dict(facts["settings"]), facts["scheme"]
            self._temperature = float(facts["temperature"])
            given = GivenVectors(int(facts["vectors"]), facts.get("tuned", ()), self._learn_rate)
            self._build(tuple(facts["labels"]), given)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PipelineError(f"{path / FACTS} is missing or damaged: {error}") from error
        self._trained().from_disk(path)

    def _build(self, labels: tuple[str, ...], given: GivenVectors) -> None:
        self.labels = labels
        scheme = getattr(SpanScheme, self._prefixes)(labels) if holds_spans(self._layer) else None
        config = NetworkConfig(
            outputs=len(scheme.labels if scheme else labels),
            vector_width=given.width,
            scheme=scheme,
            settings=self._settings,
        )
        self._model = Model(
            self._build_network,
            config,
            loss=_loss,
            label_shape=(None, None),
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

    @property
    def _scheme(self) -> SpanScheme | None:
        return self._trained().config.scheme

    @property
    def _chain(self) -> Chain | None:
        return self._trained().chain

    def _start(self, seed: int) -> None:
        """Begin with fresh weights."""
        self._trained().initialize(seed)

    def _encode(self, docs: Sequence[Doc]) -> Any:
        """Turn Docs into numbers: something of the form of `Encoded`, for `_batches` to know more of."""
        return encode(docs)

    def _batches(self, encoded: Any, *, learning: bool = False) -> Iterator[Any]:
        """Lay the sentences out: things of the form of `Layout`, for `_inputs` to know more of."""
        return padded_sentences(encoded, LEARN_PLACES if learning else PREDICT_PLACES)

    def _inputs(self, batch: Any, given: Floats | None, *, learning: bool = False) -> dict[str, NDArray[Any]]:
        """Return what the network takes of a batch; in learning some words are hidden."""
        if not learning:
            return network_inputs(batch, given)
        draws = self._trained().generator().random(len(batch.lexemes))
        return network_inputs(batch, given, hidden=draws < self._word_dropout)

    def _learn(self, batch: Layout, given: Floats | None, labels: NDArray[np.int32]) -> float:
        return self._trained().learn(self._inputs(batch, given, learning=True), labels)

    def _answers(self, encoded: Any, vectors: Vectors) -> Iterator[Answer]:
        model = self._trained()
        given = model.given.of_words(encoded.words, vectors)
        batches = list(self._batches(encoded))
        logits = model.predict([self._inputs(batch, given) for batch in batches])
        return zip(batches, logits, strict=True)

    def _labels_of(self, example: Example) -> set[str]:
        if holds_spans(self._layer):
            return {span.label for span in gold_spans(example, self._layer)}
        return {tag for tag in gold_tags(example, self._layer) if tag is not None}

    def _learned_lengths(self, encoded: Any) -> NDArray[Any]:
        """Return how many words each sequence has that is learned from by itself: a sentence."""
        lengths: NDArray[Any] = encoded.words.lengths
        return lengths

    def _gold_ids(
        self, examples: Sequence[Example], encoded: Encoded, lengths: NDArray[Any]
    ) -> NDArray[np.int64]:
        """(words,) label ids, of sequences of so many words; `UNKNOWN` where the gold says nothing."""
        if self._scheme is not None:
            spans = [self._known_spans(example) for example in examples]
            span_ids = _span_ids(spans, self._scheme, encoded.words, lengths)
            missing = [missing_tokens(example, self._layer) for example in examples]
            return np.where(encoded.words.gather(missing), UNKNOWN, span_ids)
        index: dict[str | None, int] = {label: i for i, label in enumerate(self.labels)}
        ids = [
            np.asarray([index.get(tag, UNKNOWN) for tag in gold_tags(example, self._layer)], dtype=int)
            for example in examples
        ]
        return encoded.words.gather(ids).astype(np.int64)

    def _known_spans(self, example: Example) -> list[GoldSpan]:
        return without_overlaps(
            span for span in gold_spans(example, self._layer) if span.label in self.labels
        )


def _span_ids(
    spans: Sequence[Sequence[GoldSpan]], scheme: SpanScheme, words: Words, lengths: NDArray[Any]
) -> NDArray[np.int64]:
    """Return the (words,) label ids of the gold spans of each Doc, on its tokens.

    `lengths` are those of the sequences that the words make, one after another. No sequence of labels spells
    a span that lies in several: its words are `UNKNOWN`.
    """
    places = [
        (*np.searchsorted(words.positions, [first + span.start, first + span.end]).tolist(), span.label)
        for first, of_doc in zip(words.doc_starts.tolist(), spans, strict=False)
        for span in of_doc
    ]
    places = [(start, end, label) for start, end, label in places if start < end]  # not of white space alone
    ids = scheme.encode(places, len(words.positions))
    sequences = np.repeat(np.arange(len(lengths)), lengths)
    for start, end, _ in places:
        if sequences[start] != sequences[end - 1]:
            ids[start:end] = UNKNOWN
    return ids


def _loss(network: keras.Model) -> Loss:
    from glossator_keras.learning import sequence_loss

    return sequence_loss(network)


def _laid_out(gold: NDArray[np.int64], batch: Layout) -> NDArray[np.int32]:
    """Return (batch, time) label ids, `UNKNOWN` in the padding."""
    return np.where(batch.mask, gold[batch.places], UNKNOWN).astype(np.int32)


def _softmax_nll(
    batch: Layout,
    logits: NDArray[np.float32],
    gold: NDArray[np.int32],
    chain: Chain | None,
    temperature: float,
) -> float:
    known = gold != UNKNOWN
    return softmax_nll(logits[known], gold[known], temperature)


def _chain_nll(
    batch: Layout,
    logits: NDArray[np.float32],
    gold: NDArray[np.int32],
    chain: Chain | None,
    temperature: float,
) -> float:
    """Negative log likelihood of the sentences whose words all have gold labels."""
    assert chain is not None
    whole = ((gold != UNKNOWN) == batch.mask).all(axis=1)
    emissions, lengths = logits[whole] / temperature, batch.lengths[whole]
    scaled = chain.divided_by(temperature)
    likely = path_score(emissions, lengths, gold[whole], *scaled)
    return float((log_partition(emissions, lengths, *scaled) - likely).sum())
