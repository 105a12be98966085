"""The `window` tagger: a baseline that trains in minutes and needs no framework but thinc."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from spacy.attrs import LOWER, PREFIX, SHAPE, SUFFIX
from thinc.api import Optimizer, Ragged

from glossator.annotations.gold import gold_spans, gold_tags, missing_tokens
from glossator.annotations.layer import Layer
from glossator.annotations.overlaps import without_overlaps
from glossator.builtin import thinc_training
from glossator.builtin.window_network import build_network
from glossator.errors import ConfigError, StageError
from glossator.ml.activations import softmax
from glossator.ml.batching import bucket_by_length
from glossator.ml.linear_chain import forward_backward, span_posteriors, viterbi
from glossator.ml.span_scheme import SpanScheme
from glossator.ml.temperature import fit_temperature, softmax_nll
from glossator.ml.words import Words, words_of
from glossator.stages import ScoredSpan, TokenTags, Vectors, VectorSpace
from glossator.util.threads import on_one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc
    from spacy.training import Example
    from thinc.types import Floats2d

    from glossator.stages import TrainingState

ATTRIBUTES = (LOWER, PREFIX, SUFFIX, SHAPE)
TABLE_ROWS = (5000, 1000, 2500, 2500)
NETWORK_WORDS = 500  # in one call: their activations fit into a processor's cache
DECODE_WORDS = 8192
UNLABELLED = -1  # the gold id of words without a gold label


class WindowTagger:
    """Tags each word from its own features and those of its neighbours, with one softmax per word.

    Entities and spans are decoded as BIO: the best well-formed sequence, each span with its exact
    posterior under the same model.

    Example:
        Pipeline("en").add_tagger("ner", "window", write="ents", width=128)

    Args:
        write: The layer to predict.
        width: Width of all hidden layers.
        depth: Number of layers that combine a word with its neighbours.
        window: Neighbours that such a layer sees on each side; `depth * window` in all.
        dropout: Dropout rate of all hidden layers in training.
        learn_rate: Learning rate of Adam.
    """

    def __init__(
        self,
        write: str = "ents",
        width: int = 96,
        depth: int = 4,
        window: int = 1,
        dropout: float = 0.1,
        learn_rate: float = 0.001,
    ) -> None:
        for name, value in (("width", width), ("depth", depth), ("window", window)):
            if value < 1:
                raise ConfigError(f"window: {name} must be at least 1, not {value}")

        self._layer = Layer.for_tagger(write)
        self._shape: dict[str, Any] = {
            "width": width,
            "depth": depth,
            "window": window,
            "dropout": dropout,
        }
        self._learn_rate = learn_rate
        self._temperature = 1.0
        self.labels: tuple[str, ...] = ()

    def initialize(self, examples: Sequence[Example], space: VectorSpace, *, seed: int) -> None:
        """Collect the labels and draw fresh weights."""
        if space.tables:
            raise ConfigError("window does not tune vectors: remove tune = true")
        labels = {label for example in examples for label in self._gold_labels(example)}
        if not labels:
            raise StageError(f"window: the training data has no gold '{self._layer}' to learn from")
        self._build(tuple(sorted(labels)), space.width)
        self._temperature = 1.0
        thinc_training.draw_weights(self._network, seed)

    @on_one_thread
    def update(self, examples: Sequence[Example], vectors: Vectors) -> float:
        """Take one step down the mean cross-entropy of the batch's words."""
        words = words_of([example.predicted for example in examples], ATTRIBUTES)
        gold = self._gold_ids(examples, words)
        has_gold = gold != UNLABELLED
        if not has_gold.any():
            return 0.0

        logits, backprop = self._network.begin_update(self._inputs(words, vectors))
        probabilities = softmax(np.asarray(logits.dataXd))
        positions = np.flatnonzero(has_gold)
        loss = -np.log(probabilities[positions, gold[positions]] + 1e-12).mean()

        # The gradient of the cross-entropy: probabilities less 1 at the gold labels.
        gradient = probabilities
        gradient[positions, gold[positions]] -= 1
        gradient[~has_gold] = 0
        backprop(Ragged(cast("Floats2d", gradient / len(positions)), logits.lengths))
        self._network.finish_update(self._optimizer)
        return float(loss)

    @on_one_thread
    def predict(
        self, docs: Sequence[Doc], vectors: Vectors
    ) -> Sequence[TokenTags] | Sequence[Sequence[ScoredSpan]]:
        """Return the tags or the spans of each Doc, depending on the layer."""
        words = words_of(docs, ATTRIBUTES)
        logits = self._logits(words, vectors) / self._temperature
        if self._scheme is not None:
            return self._decode_spans(self._scheme, logits, words)
        ids = logits.argmax(axis=1)
        best = softmax(logits)[np.arange(len(ids)), ids]
        tags = zip(words.scatter(ids), words.scatter(best), strict=True)
        return [TokenTags(ids=ids, probabilities=probabilities) for ids, probabilities in tags]

    @on_one_thread
    def calibrate(self, examples: Sequence[Example], vectors: Vectors) -> None:
        """Fit the temperature of the softmax (Guo et al. 2017)."""
        words = words_of([example.predicted for example in examples], ATTRIBUTES)
        gold = self._gold_ids(examples, words)
        logits = self._logits(words, vectors)[gold != UNLABELLED]
        gold = gold[gold != UNLABELLED]
        self._temperature = fit_temperature(lambda t: -softmax_nll(logits, gold, t))

    def training_state(self) -> TrainingState:
        """Return Adam's moments and the random state."""
        return thinc_training.training_state(self._network, self._optimizer)

    def restore(self, state: TrainingState) -> None:
        """Restore a training state."""
        thinc_training.restore(self._network, self._optimizer, state)

    def to_disk(self, path: Path) -> None:
        """Write weights, labels and temperature."""
        if not self.labels:
            raise StageError("window: it is not trained yet, there is nothing to save")
        metadata = {"labels": self.labels, "vectors": self._vector_width, "temperature": self._temperature}
        thinc_training.write_weights(path, self._network, {**metadata, **self._shape})

    def from_disk(self, path: Path) -> None:
        """Read what `to_disk` wrote."""
        metadata = thinc_training.read_metadata(path)
        self._shape = {name: metadata[name] for name in self._shape}
        self._build(tuple(metadata["labels"]), metadata["vectors"])
        self._temperature = float(metadata["temperature"])
        self._network.initialize()
        thinc_training.read_weights(path, self._network)

    def _build(self, labels: tuple[str, ...], vector_width: int) -> None:
        self.labels = labels
        self._scheme = SpanScheme.bio(labels) if self._layer.is_spans else None
        self._vector_width = vector_width
        with thinc_training.fast_ops():
            self._network = build_network(
                rows=TABLE_ROWS,
                labels=len(self._scheme.labels if self._scheme else labels),
                vectors=vector_width,
                **self._shape,
            )
        self._optimizer: Optimizer = thinc_training.adam(self._learn_rate)

    def _inputs(self, words: Words, vectors: Vectors) -> tuple[Any, Any, Any]:
        values = (
            words.gather(vectors.values).astype(np.float32)
            if self._vector_width
            else np.zeros((len(words.features), 0), dtype=np.float32)
        )
        return words.features, values, words.lengths

    def _logits(self, words: Words, vectors: Vectors) -> NDArray[np.float32]:
        if not self.labels:
            raise StageError("window: it is not trained yet")
        if not len(words.features):
            outputs = len(self._scheme.labels if self._scheme else self.labels)
            return np.zeros((0, outputs), dtype=np.float32)

        attributes, values, lengths = self._inputs(words, vectors)
        starts = words.sentence_starts
        # Batches of whole sentences: a sentence sees no neighbours of another.
        cuts = np.unique(
            np.searchsorted(starts, np.arange(0, len(attributes) + NETWORK_WORDS, NETWORK_WORDS))
        )
        cuts = np.minimum(cuts, len(lengths))

        logits = [
            np.asarray(
                self._network.predict(
                    (attributes[starts[a] : starts[b]], values[starts[a] : starts[b]], lengths[a:b])
                ).dataXd
            )
            for a, b in pairwise(cuts)
            if a < b
        ]
        return np.concatenate(logits)

    def _gold_labels(self, example: Example) -> set[str]:
        if self._layer.is_spans:
            return {span.label for span in gold_spans(example, self._layer)}
        return {tag for tag in gold_tags(example, self._layer) if tag is not None}

    def _gold_ids(self, examples: Sequence[Example], words: Words) -> NDArray[np.int64]:
        """Return the (words,) label ids, `UNLABELLED` for words without a gold label."""
        if self._scheme is not None:
            ids = [self._span_ids(self._scheme, example) for example in examples]
        else:
            index: dict[str | None, int] = {label: i for i, label in enumerate(self.labels)}
            ids = [
                np.asarray([index.get(tag, UNLABELLED) for tag in gold_tags(example, self._layer)], dtype=int)
                for example in examples
            ]
        return words.gather(ids).astype(np.int64)

    def _span_ids(self, scheme: SpanScheme, example: Example) -> NDArray[np.intp]:
        # Dev examples can have labels that the training examples lack.
        spans = [span for span in gold_spans(example, self._layer) if span.label in self.labels]
        ids = scheme.encode(without_overlaps(spans), len(example.predicted))
        return np.where(missing_tokens(example, self._layer), UNLABELLED, ids)

    def _decode_spans(
        self, scheme: SpanScheme, logits: NDArray[np.float32], words: Words
    ) -> list[list[ScoredSpan]]:
        """Return the spans of the best well-formed sequences, one list per Doc, in tokens."""
        transitions, start, end = scheme.constraints()
        begins = words.sentence_starts[:-1]
        word_spans, posteriors = [], []

        for batch in bucket_by_length(words.lengths, DECODE_WORDS):
            lengths = words.lengths[batch]
            emissions = _padded(logits, begins[batch], lengths)
            best = viterbi(emissions, lengths, transitions, start, end)
            spans = scheme.decode_batch(best, lengths)
            messages = forward_backward(emissions, lengths, transitions, start, end)
            posteriors.append(span_posteriors(messages, scheme, spans))
            offsets = begins[batch][spans[:, 0]]
            word_spans.append(np.column_stack([spans[:, 1] + offsets, spans[:, 2] + offsets, spans[:, 3]]))

        if not word_spans:
            return [[] for _ in range(len(words.doc_starts) - 1)]
        return words.spans(np.concatenate(word_spans), np.concatenate(posteriors), self.labels)


def _padded(logits: NDArray[np.float32], begins: NDArray[np.intp], lengths: NDArray[np.int32]) -> Any:
    """Lay sentences out as (sentences, longest, labels); the padding repeats a row's last word."""
    positions = begins[:, None] + np.minimum(np.arange(lengths.max()), lengths[:, None] - 1)
    return logits[positions]
