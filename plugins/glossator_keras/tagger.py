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

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from glossator.annotations.gold import GoldSpan, gold_spans, gold_tags, missing_tokens
from glossator.annotations.layer import Layer
from glossator.annotations.overlaps import without_overlaps
from glossator.errors import ConfigError, StageError
from glossator.ml.chain_decoding import (
    Answer,
    Chain,
    decode_spans,
    decode_tags,
    join_sentences,
    log_likelihood,
)
from glossator.ml.chain_gradient import UNLABELLED
from glossator.ml.span_labels import span_labels
from glossator.ml.span_scheme import SpanScheme
from glossator.ml.temperature import fit_temperature, softmax_nll
from glossator.ml.word_sequences import Layout
from glossator.ml.words import Words, words_of
from glossator.stages import ScoredSpan, TokenTags, Vectors, VectorSpace
from glossator_keras.arrays import Floats, Ints
from glossator_keras.encoding.hashed_words import HashedWords
from glossator_keras.encoding.input_encoder import Encoded, SentenceEncoder
from glossator_keras.inference.runtime import Runtime
from glossator_keras.keras_stage import KerasStage, Pretrained, StageMetadata, read_metadata
from glossator_keras.network import WIDE_INPUT, BuildNetwork, NetworkSettings
from glossator_keras.saved_files import reading
from glossator_keras.stage_network import MakeOptimizer
from glossator_keras.training.tuned_vectors import WordVectors
from glossator_keras.wide.crf import WideCRF

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray
    from spacy.tokens import Doc
    from spacy.training import Example

    from glossator_keras.training.losses import Loss

METADATA = "tagger.json"

Scheme = Literal["bio", "bioes"]
_SCHEMES = {"bio": SpanScheme.bio, "bioes": SpanScheme.bioes}


class TaggerMetadata(StageMetadata):
    """The content of `tagger.json`.

    Attributes:
        scheme: The labels that spans are spelt in.

    Example:
        The labels of a saved tagger:

            metadata: TaggerMetadata = read_metadata(folder / METADATA)
            metadata["labels"]
    """

    scheme: Scheme


class KerasTagger(KerasStage):
    """Tags sentences with a network over their words.

    Args:
        build_network: Builds the network, from the encoder's inputs to logits, or to a CRF over them.
        encoder: Makes the network's inputs of Docs; by default `HashedWords`.
        write: The layer to predict.
        scheme: The labels that spans are spelt in.
        settings: The `settings` of the config that `build_network` gets.
        learn_rate: Adam's learning rate, also for vectors that are tuned.
        runtime: The runtime that annotates.
        optimizer: Returns another optimizer than Adam, from the network.
        pretrained: The checkpoint that the network starts from.
        wide: Whether a sparse CRF, fitted beforehand, is part of the network, which then takes its emissions
            as the input "wide": `network.add_logits` adds them to the network's own.

    Raises:
        ConfigError: For a layer that no tagger writes, an unknown scheme or runtime.

    Example:
        A factory for a `glossator.Stage`, with `build_network` as above:

            def make_tagger(write="ents", *, width=64):
                return KerasTagger(build_network, write=write, settings={"width": width})
    """

    _wide: WideCRF | None

    def __init__(
        self,
        build_network: BuildNetwork,
        encoder: SentenceEncoder[Any, Any] | None = None,
        *,
        write: str = "ents",
        scheme: Scheme = "bioes",
        settings: NetworkSettings | None = None,
        learn_rate: float = 0.002,
        runtime: Runtime = "onnx",
        optimizer: MakeOptimizer | None = None,
        pretrained: Pretrained | None = None,
        wide: bool = False,
    ) -> None:
        if scheme not in get_args(Scheme):
            raise ConfigError(f"scheme = {scheme!r}: use one of {', '.join(get_args(Scheme))}")
        self._encoder: SentenceEncoder[Any, Any] = encoder or HashedWords()
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
        self._layer = Layer.for_tagger(write)
        self._prefixes: Scheme = scheme

    def initialize(self, examples: Sequence[Example], space: VectorSpace, *, seed: int) -> None:
        """Collect the labels and start from fresh weights."""
        labels = {label for example in examples for label in self._labels_of(example)}
        if not labels:
            raise StageError(f"the training data has no gold '{self._layer}' to learn from")
        self._wide = WideCRF() if self._is_wide else None
        self._build(tuple(sorted(labels)), WordVectors.of_space(space, self._learn_rate))
        if self._wide is not None:
            self._fit_wide(self._wide, examples)
        self._start_training(seed)

    def update(self, examples: Sequence[Example], vectors: Vectors) -> float:
        """Take one step down the mean loss of the batch's words."""
        network = self.network
        docs = [example.predicted for example in examples]
        encoded = self._encoder.encode(docs)
        batches = list(self._encoder.sentence_batches(encoded, training=True))
        gold = self._gold_ids(examples, encoded.words, _sequence_lengths(batches))
        rows = network.vectors.of_words(encoded.words, vectors, training=True)
        emissions = self._wide.unseen_emissions(docs) if self._wide else None

        losses, counts = [0.0], [0]
        # There are several batches only where documents are long or their sentences differ much in length.
        for batch in batches:
            labels = _padded_labels(gold, batch)
            count = int((labels != UNLABELLED).sum())
            if count:
                inputs = self._encoder.inputs(batch, rows, network.generator())
                losses.append(network.learn({**inputs, **_wide_input(emissions, batch)}, labels))
                counts.append(count)
                network.tune(encoded.words, vectors, batch)
        return float(np.dot(losses, counts) / max(sum(counts), 1))

    def predict(
        self, docs: Sequence[Doc], vectors: Vectors
    ) -> Sequence[TokenTags] | Sequence[Sequence[ScoredSpan]]:
        """Return tags or spans, whichever the layer holds."""
        network, encoded = self.network, self._encoder.encode(docs)
        answers, scheme = self._answers(docs, encoded, vectors), network.config.scheme
        if scheme is None:
            return decode_tags(answers, encoded.words, network.chain, self._temperature)
        chain = network.chain or Chain.of_scheme(scheme)
        return decode_spans(answers, encoded.words, scheme, chain, self._temperature)

    def calibrate(self, examples: Sequence[Example], vectors: Vectors) -> None:
        """Fit the temperature that all potentials are divided by (Guo et al. 2017)."""
        chain = self.network.chain
        docs = [example.predicted for example in examples]
        encoded = self._encoder.encode(docs)
        gold = self._gold_ids(examples, encoded.words, encoded.words.lengths)
        batches = [
            (batch, logits, _padded_labels(gold, batch))
            for batch, logits in self._answers(docs, encoded, vectors)
        ]
        self._temperature = fit_temperature(
            lambda temperature: (
                -sum(
                    _chain_nll(*batch, chain, temperature) if chain else _softmax_nll(*batch, temperature)
                    for batch in batches
                )
            )
        )

    def to_disk(self, path: Path) -> None:
        """Write weights, labels and temperature, and the exported network where `finish` made one."""
        vectors = self.network.vectors
        metadata = TaggerMetadata(
            labels=self.labels,
            vectors=vectors.width,
            tuned=vectors.table_widths,
            scheme=self._prefixes,
            settings=self._settings,
            tables=self._tables,
            temperature=self._temperature,
            wide=self._wide is not None,
        )
        self._save(path, METADATA, metadata)

    def from_disk(self, path: Path) -> None:
        """Read what `to_disk` wrote."""
        metadata: TaggerMetadata = read_metadata(path / METADATA)
        with reading(path / METADATA):
            vectors = self._load_shared(path, metadata)
            self._prefixes = metadata["scheme"]
            self._wide = WideCRF() if metadata.get("wide") else None
            self._build(tuple(metadata["labels"]), vectors)
        self.network.from_disk(path)
        if self._wide is not None:
            self._wide.from_disk(path, self.network.config.outputs)

    def _build(self, labels: tuple[str, ...], vectors: WordVectors) -> None:
        self.labels = labels
        scheme = _SCHEMES[self._prefixes](labels) if self._layer.is_spans else None
        self._make_network(
            vectors,
            outputs=len(scheme.labels if scheme else labels),
            scheme=scheme,
            loss=_loss,
            label_shape=(None, None),
        )

    def _fit_wide(self, wide: WideCRF, examples: Sequence[Example]) -> None:
        docs = [example.predicted for example in examples]
        words, scheme = words_of(docs, ()), self.network.config.scheme
        count = len(self.labels)
        free = (np.zeros((count, count)), np.zeros(count), np.zeros(count))
        gold = self._gold_ids(examples, words, words.lengths)
        wide.fit(docs, gold, scheme.constraints() if scheme else free)

    def _answers(self, docs: Sequence[Doc], encoded: Encoded, vectors: Vectors) -> Iterator[Answer]:
        """Return all sentences of the Docs with their logits, in batches."""
        network = self.network
        rows = network.vectors.of_words(encoded.words, vectors)
        batches = list(self._encoder.sentence_batches(encoded, training=False))
        emissions = self._wide.emissions(docs) if self._wide else None
        logits = network.predict(
            [{**self._encoder.inputs(batch, rows), **_wide_input(emissions, batch)} for batch in batches]
        )
        answers = zip(batches, logits, strict=True)
        if self._encoder.whole_sentences:
            return answers
        return join_sentences(answers, encoded.words, network.config.outputs)

    def _labels_of(self, example: Example) -> set[str]:
        if self._layer.is_spans:
            return {span.label for span in gold_spans(example, self._layer)}
        return {tag for tag in gold_tags(example, self._layer) if tag is not None}

    def _gold_ids(self, examples: Sequence[Example], words: Words, lengths: Ints) -> NDArray[np.int64]:
        """Return (words,) label ids, of sequences of these lengths; `UNLABELLED` where gold is missing."""
        scheme = self.network.config.scheme
        if scheme is not None:
            spans = [self._known_spans(example) for example in examples]
            span_ids = span_labels(spans, scheme, words, lengths)
            missing = [missing_tokens(example, self._layer) for example in examples]
            return np.where(words.gather(missing), UNLABELLED, span_ids)

        index: dict[str | None, int] = {label: i for i, label in enumerate(self.labels)}
        ids = [
            np.asarray([index.get(tag, UNLABELLED) for tag in gold_tags(example, self._layer)], dtype=int)
            for example in examples
        ]
        return words.gather(ids).astype(np.int64)

    def _known_spans(self, example: Example) -> list[GoldSpan]:
        return without_overlaps(
            span for span in gold_spans(example, self._layer) if span.label in self.labels
        )


def _sequence_lengths(batches: Sequence[Layout]) -> Ints:
    """Return the lengths of the sequences of all batches, in the order of their words."""
    if not batches:
        return np.zeros(0, dtype=np.int32)
    starts = np.concatenate([batch.positions[:, 0] for batch in batches])
    lengths = np.concatenate([batch.lengths for batch in batches])
    return np.asarray(lengths[np.argsort(starts)])


def _loss(network: keras.Model) -> Loss:
    from glossator_keras.training.losses import sequence_loss

    return sequence_loss(network)


def _wide_input(emissions: Floats | None, batch: Layout) -> dict[str, Floats]:
    """Return (batch, time, labels) emissions as an input of the network; none without a linear model."""
    if emissions is None:
        return {}
    return {WIDE_INPUT: np.where(batch.mask[:, :, None], emissions[batch.positions], np.float32(0))}


def _padded_labels(gold: NDArray[np.int64], batch: Layout) -> Ints:
    """Return (batch, time) label ids, `UNLABELLED` in the padding."""
    return np.where(batch.mask, gold[batch.positions], UNLABELLED).astype(np.int32)


def _softmax_nll(batch: Layout, logits: Floats, gold: Ints, temperature: float) -> float:
    """Return the negative log likelihood of the words that have gold labels."""
    labelled = gold != UNLABELLED
    return softmax_nll(logits[labelled], gold[labelled], temperature)


def _chain_nll(batch: Layout, logits: Floats, gold: Ints, chain: Chain, temperature: float) -> float:
    """Return the negative log likelihood of the sentences whose words all have gold labels."""
    whole = ((gold != UNLABELLED) == batch.mask).all(axis=1)
    return -log_likelihood(logits[whole], batch.lengths[whole], gold[whole], chain, temperature)
