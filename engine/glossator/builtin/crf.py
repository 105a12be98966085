"""The `crf` tagger: a linear-chain CRF over sparse features of words and their neighbours.

Lafferty et al. 2001, "Conditional random fields"; Okazaki 2007, CRFsuite.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.annotations.gold import gold_spans, gold_tags, missing_tokens
from glossator.annotations.layer import Layer
from glossator.annotations.overlaps import without_overlaps
from glossator.builtin.gazetteer import Gazetteer
from glossator.errors import ConfigError, PipelineError, StageError
from glossator.ml.batching import bucket_by_length
from glossator.ml.chain_decoding import decode_spans, decode_tags, log_likelihood
from glossator.ml.chain_gradient import UNLABELLED
from glossator.ml.crf_emissions import CRFEmissions
from glossator.ml.crf_training import AdaGrad, CRFSettings, LabelledWords, fit_crf
from glossator.ml.crf_weights import CRFWeights
from glossator.ml.feature_table import FeatureTable
from glossator.ml.phrase_features import named_phrases, phrase_hashes
from glossator.ml.span_labels import span_labels
from glossator.ml.span_scheme import SpanScheme
from glossator.ml.temperature import fit_temperature
from glossator.ml.token_features import VECTOR_OFFSETS, TokenFeatures, vectors_around
from glossator.ml.word_sequences import WordSequences
from glossator.stages import Contribution, ScoredSpan, TokenTags, Vectors, VectorSpace
from glossator.util.arrays import read_arrays, write_arrays
from glossator.util.json_files import read_json_object
from glossator.util.threads import on_one_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from spacy.tokens import Doc
    from spacy.training import Example

    from glossator.ml.crf_weights import Floats
    from glossator.ml.feature_table import Hashes
    from glossator.ml.words import Words
    from glossator.stages import TrainingState

ARRAYS, METADATA = "weights.npz", "crf.json"

_DECODE_WORDS = 8192  # decoded at a time, padding included


class CRFTagger:
    """Tags sentences by the words, their shapes, prefixes and suffixes, and those of the words around them.

    Each span or tag has its exact posterior probability.

    Example:
        Pipeline("en").add_tagger("ner", "crf", write="ents")

    Args:
        write: The layer to predict.
        gazetteer: A file of phrases as for the `gazetteer` tagger, relative to the config's folder: to be
            part of one is a feature.
        strength: The strength of the regularization.
        learn_rate: The rate of AdaGrad's steps: of `update` (by default 0.1), and of `fit` where data is
            large (by default the best of three on a part of the training data).
    """

    def __init__(
        self, write: str = "ents", gazetteer: str = "", strength: float = 1.0, learn_rate: float | None = None
    ) -> None:
        for name, value in (("strength", strength), ("learn_rate", learn_rate)):
            if value is not None and not value > 0:
                raise ConfigError(f"crf: {name} must be more than 0, not {value}")
        self._settings = CRFSettings(strength=strength, learn_rate=learn_rate)
        self._layer = Layer.for_tagger(write)
        self._phrases = Gazetteer(gazetteer) if gazetteer else None
        self._temperature = 1.0
        self._model: CRFEmissions | None = None
        self.labels: tuple[str, ...] = ()
        self._table: FeatureTable
        self._weights: CRFWeights
        self._squares: CRFWeights  # AdaGrad's sums of squared gradients

    def prepare(self, folder: Path) -> None:
        """Read the list of phrases, if there is one."""
        if self._phrases is not None:
            self._phrases.prepare(folder)

    @on_one_thread
    def fit(self, examples: Sequence[Example], vectors: Vectors, *, seed: int) -> None:
        """Learn from all examples; nothing is drawn at random, so that the seed changes nothing."""
        tokens = self._begin(examples, vectors.space)
        data = self._data(examples, tokens, vectors)
        self._weights = fit_crf(data, self._weights, self._constraints, self._settings)
        self.finish()

    def initialize(self, examples: Sequence[Example], space: VectorSpace, *, seed: int) -> None:
        """Collect labels and features, and start from weights of 0."""
        self._begin(examples, space)

    @on_one_thread
    def update(self, examples: Sequence[Example], vectors: Vectors) -> float:
        """Take one step of AdaGrad (Duchi et al. 2011) from the present weights; new words are learned."""
        self._expect_trained()
        tokens = TokenFeatures.of([example.predicted for example in examples])
        self._learn_features(tokens)
        data = self._data(examples, tokens, vectors)
        self._model = None
        if not (data.gold != UNLABELLED).any():
            return 0.0
        return AdaGrad(self._squares, self._settings).step(self._weights, data, self._constraints)

    @on_one_thread
    def predict(
        self, docs: Sequence[Doc], vectors: Vectors
    ) -> Sequence[TokenTags] | Sequence[Sequence[ScoredSpan]]:
        """Return the tags or the spans of each Doc, depending on the layer."""
        words, emissions = self._emissions(docs, vectors)
        chain = self._weights.chain(self._constraints)
        answers = _sentences(words, emissions)
        if self._scheme is None:
            return decode_tags(answers, words, chain, self._temperature)
        return decode_spans(answers, words, self._scheme, chain, self._temperature)

    @on_one_thread
    def calibrate(self, examples: Sequence[Example], vectors: Vectors) -> None:
        """Fit the temperature that all potentials are divided by (Guo et al. 2017)."""
        words, emissions = self._emissions([example.predicted for example in examples], vectors)
        gold = self._gold(examples, words)
        chain = self._weights.chain(self._constraints)
        batches = []
        for sentences, logits in _sentences(words, emissions):
            labels = np.where(sentences.mask, gold[sentences.positions], 0)
            whole = (labels != UNLABELLED).all(axis=1)
            batches.append((logits[whole], sentences.lengths[whole], labels[whole]))
        self._temperature = fit_temperature(
            lambda temperature: sum(log_likelihood(*batch, chain, temperature) for batch in batches)
        )

    def finish(self) -> None:
        """Leave out features that add next to nothing, and round the weights to half precision."""
        self._expect_trained()
        kept = self._weights.influential()
        self._table = self._table.some(kept)
        self._squares = self._squares.some(kept)
        self._weights = self._weights.some(kept).rounded()
        self._model = None

    def strongest(self, label: str, count: int) -> list[Contribution]:
        """Return the features with the largest weights; for spans, those of their first and later words."""
        self._expect_trained()
        found: list[tuple[str, float]] = []
        for column in dict.fromkeys(self._columns(label, 2).tolist()):
            ending = f" → {self._chain_labels[column]}" if self._scheme else ""
            weights = self._weights.sparse[:-1, column]
            names = (f"{self._table.names[i]}{ending}" for i in _largest(weights, count))
            found += zip(names, weights[_largest(weights, count)].tolist(), strict=True)
        return [Contribution(*pair) for pair in sorted(found, key=lambda pair: -abs(pair[1]))[:count]]

    def explain(
        self, doc: Doc, vectors: Vectors, label: str, start: int, end: int, count: int
    ) -> list[Contribution]:
        """Return what the features of the words of a span or tag add to the potential of their labels."""
        self._expect_trained()
        tokens = TokenFeatures.of([doc])
        positions = tokens.words.positions
        words = np.flatnonzero((positions >= start) & (positions < end))
        if not len(words):
            return []
        columns = self._columns(label, len(words))
        rows = self._rows([doc], tokens)[words]
        given = _vectors_of(tokens.words, vectors)
        dense = vectors_around(given, tokens.words.lengths)[words]

        added: dict[str, float] = {}
        for word, features, column in zip(words.tolist(), rows, columns.tolist(), strict=True):
            place = f" ({tokens.strings[tokens.index[word]]})" if len(words) > 1 else ""
            for feature in features[features < len(self._table)].tolist():
                # Affixes of several sizes are the same text in a short word.
                name = f"{self._table.names[feature]}{place}"
                added[name] = added.get(name, 0.0) + float(self._weights.sparse[feature, column])
        if dense.size:
            added["(vectors)"] = float((dense * self._weights.dense[:, columns].T).sum())
        ranked = sorted(added.items(), key=lambda pair: -abs(pair[1]))[:count]
        return [Contribution(name, value) for name, value in ranked if value]

    def training_state(self) -> TrainingState:
        """Return AdaGrad's sums."""
        return dict(self._squares.arrays())

    def restore(self, state: TrainingState) -> None:
        """Restore a training state."""
        self._squares = CRFWeights(**{name: np.array(array) for name, array in state.items()})

    def to_disk(self, path: Path) -> None:
        """Write features, weights, labels, temperature and the list of phrases."""
        self._expect_trained()
        arrays = {name: _smallest(array) for name, array in self._weights.arrays().items()}
        write_arrays(path / ARRAYS, {**self._table.to_arrays(), **arrays})
        metadata = {
            "labels": self.labels,
            "temperature": self._temperature,
            "phrases": self._phrases is not None,
        }
        (path / METADATA).write_text(json.dumps(metadata, ensure_ascii=False, indent=1), encoding="utf-8")
        if self._phrases is not None:
            self._phrases.to_disk(path)

    def from_disk(self, path: Path) -> None:
        """Read what `to_disk` wrote."""
        metadata = read_json_object(path / METADATA)
        arrays = read_arrays(path / ARRAYS)
        try:
            self._read(metadata, arrays)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise PipelineError(f"{path}: {METADATA} or {ARRAYS} is damaged: {error}") from error
        if metadata.get("phrases"):
            self._phrases = self._phrases or Gazetteer()
            self._phrases.from_disk(path)

    def _begin(self, examples: Sequence[Example], space: VectorSpace) -> TokenFeatures:
        """Forget everything, collect labels and features."""
        if space.tables:
            raise ConfigError("crf does not tune vectors: remove tune = true")
        labels = {label for example in examples for label in self._gold_labels(example)}
        if not labels:
            raise StageError(f"crf: the training data has no gold '{self._layer}' to learn from")
        tokens = TokenFeatures.of([example.predicted for example in examples])
        self._set_labels(tuple(sorted(labels)))
        self._table = FeatureTable.of(self._named(tokens))
        self._weights, self._squares = (
            CRFWeights.zeros(
                features=len(self._table),
                width=space.width * len(VECTOR_OFFSETS),
                labels=len(self._chain_labels),
            )
            for _ in range(2)
        )
        self._temperature = 1.0
        self._model = None
        return tokens

    def _set_labels(self, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self._scheme = SpanScheme.bio(labels) if self._layer.is_spans else None
        self._chain_labels = self._scheme.labels if self._scheme else labels
        count = len(labels)
        free = (np.zeros((count, count)), np.zeros(count), np.zeros(count))
        self._constraints = self._scheme.constraints() if self._scheme else free

    def _named(self, tokens: TokenFeatures) -> dict[int, str]:
        phrases = named_phrases(self._phrases.labels) if self._phrases is not None else {}
        return tokens.named() | phrases

    def _learn_features(self, tokens: TokenFeatures) -> None:
        """Add the features that words have and the table lacks, with weights of 0."""
        self._table, places = self._table.extended(self._named(tokens))
        self._weights = self._weights.moved(places, len(self._table))
        self._squares = self._squares.moved(places, len(self._table))

    def _data(self, examples: Sequence[Example], tokens: TokenFeatures, vectors: Vectors) -> LabelledWords:
        docs = [example.predicted for example in examples]
        return LabelledWords(
            rows=self._rows(docs, tokens),
            vectors=_vectors_of(tokens.words, vectors),
            gold=self._gold(examples, tokens.words),
            lengths=tokens.words.lengths,
            outside=-1 if self._scheme is None else 0,
        )

    def _rows(self, docs: Sequence[Doc], tokens: TokenFeatures) -> NDArray[np.int32]:
        """Return the (words, slots) numbers of all sparse features."""
        phrases = self._table.find(self._phrase_hashes(docs, tokens.words))
        return np.concatenate([tokens.rows(self._table), phrases], axis=1)

    def _columns(self, label: str, words: int) -> NDArray[np.intp]:
        """Return the labels of the chain that so many words with a label have."""
        if self._scheme is None:
            return np.full(words, self.labels.index(label))
        return self._scheme.encode([(0, words, label)], words)

    def _phrase_hashes(self, docs: Sequence[Doc], words: Words) -> Hashes:
        if self._phrases is None:
            return np.zeros((len(words.positions), 0), dtype=np.uint64)
        spans = [[span[:3] for span in of_doc] for of_doc in self._phrases.predict(docs, _NO_VECTORS)]
        return phrase_hashes(spans, words, self._phrases.labels)

    def _emissions(self, docs: Sequence[Doc], vectors: Vectors) -> tuple[Words, Floats]:
        self._expect_trained()
        if self._model is None:
            self._model = CRFEmissions(self._table, self._weights)
        words, emissions = self._model.of(docs)
        if self._phrases is not None:
            rows = self._table.find(self._phrase_hashes(docs, words))
            emissions += self._weights.sparse[rows].sum(axis=1)
        if self._weights.dense.size:
            dense = vectors_around(_vectors_of(words, vectors), words.lengths)
            emissions += dense @ self._weights.dense
        return words, emissions

    def _gold_labels(self, example: Example) -> set[str]:
        if self._layer.is_spans:
            return {span.label for span in gold_spans(example, self._layer)}
        return {tag for tag in gold_tags(example, self._layer) if tag is not None}

    def _gold(self, examples: Sequence[Example], words: Words) -> NDArray[np.int64]:
        """Return (words,) labels of the chain, `UNLABELLED` where gold is missing."""
        if self._scheme is not None:
            # Dev examples can have labels that the training examples lack.
            spans = [
                without_overlaps(
                    span for span in gold_spans(example, self._layer) if span.label in self.labels
                )
                for example in examples
            ]
            ids = span_labels(spans, self._scheme, words, words.lengths)
            missing = words.gather([missing_tokens(example, self._layer) for example in examples])
            return np.where(missing.astype(bool), UNLABELLED, ids)
        index: dict[str | None, int] = {label: i for i, label in enumerate(self.labels)}
        tags = [
            np.asarray([index.get(tag, UNLABELLED) for tag in gold_tags(example, self._layer)], dtype=int)
            for example in examples
        ]
        return words.gather(tags).astype(np.int64)

    def _expect_trained(self) -> None:
        if not self.labels:
            raise StageError("crf: it is not trained yet")

    def _read(self, metadata: dict[str, Any], arrays: dict[str, Any]) -> None:
        table, weights = FeatureTable.from_arrays(arrays), CRFWeights.from_arrays(arrays)
        self._set_labels(tuple(metadata["labels"]))
        if weights.sparse.shape != (len(table) + 1, len(self._chain_labels)):
            raise PipelineError(f"{ARRAYS} is damaged: its arrays do not fit the labels")
        self._temperature = float(metadata["temperature"])
        self._table, self._weights = table, weights
        self._squares = CRFWeights.zeros(
            features=len(table), width=len(weights.dense), labels=len(self._chain_labels)
        )
        self._model = None


_NO_VECTORS = Vectors(space=VectorSpace(), values=[])


def _largest(values: Floats, count: int) -> NDArray[np.intp]:
    """Return the indices of the values farthest from 0."""
    return np.argsort(-np.abs(values), kind="stable")[:count]


def _sentences(words: Words, emissions: Floats) -> Iterator[tuple[WordSequences, Floats]]:
    """Yield all sentences in batches of like length, with their emissions."""
    starts = words.sentence_starts
    for batch in bucket_by_length(words.lengths, _DECODE_WORDS):
        sentences = WordSequences.between(starts[batch], starts[batch + 1])
        yield sentences, emissions[sentences.positions]


def _vectors_of(words: Words, vectors: Vectors) -> Floats:
    """Return the (words, width) vectors of the words."""
    if not vectors.space.width:
        return np.zeros((len(words.positions), 0), dtype=np.float32)
    return words.gather(vectors.values).astype(np.float32, copy=False)


def _smallest(array: Floats) -> Any:
    """Return the array in half precision if that loses nothing, as after `finish`."""
    half = array.astype(np.float16)
    return half if np.array_equal(half.astype(np.float32), array) else array
