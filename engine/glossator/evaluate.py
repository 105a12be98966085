"""How good a pipeline's heads are: each annotates gold documents and is scored on its own layer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spacy.training import Example

from glossator.annotations.layer import holds_spans, spans_key
from glossator.annotations.write import clear_ents, write_cats, write_spans, write_tags
from glossator.calibration import CENTRED_BINS, ReliabilityBin, calibration_error, reliability
from glossator.gold_categories import decided
from glossator.ml.batching import by_words
from glossator.ml.thresholds import choose_thresholds
from glossator.pipeline.batch import Batch
from glossator.scoring import main_score, retokenized_scores, score_layer
from glossator.verdicts import (
    Confusion,
    Verdict,
    category_verdicts,
    confusion,
    scores_and_truth,
    tagger_verdicts,
)

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from glossator.pipeline.head import Head
    from glossator.pipeline.pipeline import Pipeline

BATCH_WORDS = 20_000


@dataclass(slots=True)
class Evaluation:
    """How one head did.

    Attributes:
        scores: By spaCy's names, `words_per_second`, and `ece`: the expected calibration error over
            the rows of `reliability`.
        documents: How many were scored.
        words: How many tokens they have.
        verdicts: What became of each prediction.
        reliability: How often the head was right, by the probability it gave (`CENTRED_BINS`): to a
            span or a word's tag; to the likeliest category or, where there may be several, to each.
        confusion: Which tag or category was taken for which; None for spans and where there may be
            several categories.
    """

    scores: dict[str, Any] = field(default_factory=dict)
    documents: int = 0
    words: int = 0
    verdicts: list[Verdict] = field(default_factory=list)
    reliability: list[ReliabilityBin] = field(default_factory=list)
    confusion: Confusion | None = None


def evaluate_head(pipeline: Pipeline, head: Head, examples: Sequence[Example]) -> Evaluation:
    """Let a head annotate the predicted side of examples, on gold tokens, and score it.

    Classifiers are scored on their own labels, without their prefix.
    """
    examples = _decided(head, examples)
    gold, docs = [example.reference for example in examples], [example.predicted for example in examples]
    seconds = _timed_annotation(pipeline, head, docs)
    return _evaluation(head, _scores(head, examples), gold, docs, seconds)


def evaluate_from_raw_text(pipeline: Pipeline, head: Head, gold: Sequence[Doc]) -> Evaluation:
    """Tokenize the gold Docs' texts anew, annotate them and score by the CoNLL-18 rule."""
    started = time.perf_counter()
    docs = [pipeline.tokenizer(doc.text) for doc in gold]
    seconds = time.perf_counter() - started + _timed_annotation(pipeline, head, docs)
    return _evaluation(head, dict(retokenized_scores(gold, docs, head.config.layer)), gold, docs, seconds)


def dev_score(pipeline: Pipeline, head: Head, examples: Sequence[Example]) -> float:
    """Return the score that training selects by, 0 to 1."""
    examples = _decided(head, examples)
    annotate_layer(pipeline, head, [example.predicted for example in examples])
    return float(_scores(head, examples)[main_score(head.config.layer, exclusive=head.exclusive)] or 0.0)


def fit_thresholds(pipeline: Pipeline, head: Head, examples: Sequence[Example]) -> None:
    """Choose, on dev examples, from which probability each category of a classifier holds."""
    head.thresholds = {}
    examples = _decided(head, examples)
    annotate_layer(pipeline, head, [example.predicted for example in examples])
    head.thresholds = choose_thresholds(examples, head.stage.labels, exclusive=head.exclusive)


def annotate_layer(pipeline: Pipeline, head: Head, docs: Sequence[Doc]) -> None:
    """Write one head's layer to Docs, in place of what stood there; categories get no prefix."""
    for batch, predictions in _predictions(pipeline, head, docs):
        for doc, prediction in zip(batch, predictions, strict=True):
            _write(doc, head, prediction)


def _decided(head: Head, examples: Sequence[Example]) -> list[Example]:
    """Return the examples, with gold categories that hold or do not where it gives probabilities."""
    return [_with_decided(example, exclusive=head.exclusive) for example in examples]


def _with_decided(example: Example, *, exclusive: bool) -> Example:
    cats = decided(example.reference.cats, exclusive=exclusive)
    if cats == example.reference.cats:
        return example
    gold = example.reference.copy()  # the example may be learned from, probabilities and all
    gold.cats = cats
    return Example(example.predicted, gold)


def _predictions(
    pipeline: Pipeline, head: Head, docs: Sequence[Doc]
) -> Iterator[tuple[Sequence[Doc], Sequence[Any]]]:
    for batch in by_words(((doc, len(doc)) for doc in docs), BATCH_WORDS):
        yield batch, pipeline.predict(head, Batch(batch, pipeline.embedders))


def _write(doc: Doc, head: Head, prediction: Any) -> None:
    layer = head.config.layer
    if layer == "cats":
        doc.cats.clear()
        write_cats(doc, head.stage.labels, prediction)
    elif holds_spans(layer):
        if layer == "ents":
            clear_ents(doc)
        write_spans(doc, head.name, layer, prediction)
    else:
        write_tags(doc, head.name, layer, prediction, head.stage.labels)


def _timed_annotation(pipeline: Pipeline, head: Head, docs: Sequence[Doc]) -> float:
    started = time.perf_counter()
    annotate_layer(pipeline, head, docs)
    return time.perf_counter() - started


def _scores(head: Head, examples: Sequence[Example]) -> dict[str, Any]:
    return score_layer(
        examples,
        head.config.layer,
        labels=head.stage.labels,
        exclusive=head.exclusive,
        thresholds=head.thresholds,
    )


def _verdicts(head: Head, gold: Sequence[Doc], docs: Sequence[Doc]) -> list[Verdict]:
    layer = head.config.layer
    if layer == "cats":
        return category_verdicts(
            gold, docs, head.stage.labels, exclusive=head.exclusive, thresholds=head.thresholds
        )
    key = spans_key(layer) if layer.startswith("spans:") else head.name
    return tagger_verdicts(gold, docs, layer, key)


def _evaluation(
    head: Head, scores: dict[str, Any], gold: Sequence[Doc], docs: Sequence[Doc], seconds: float
) -> Evaluation:
    words = sum(len(doc) for doc in docs)
    verdicts = _verdicts(head, gold, docs)
    rows = reliability(*scores_and_truth(verdicts), CENTRED_BINS)
    measured = {
        "ece": calibration_error(rows) if rows else None,
        "words_per_second": words / seconds if seconds > 0 else 0.0,
    }
    one_label = head.exclusive and not holds_spans(head.config.layer)
    return Evaluation(
        scores={**scores, **measured},
        documents=len(docs),
        words=words,
        verdicts=verdicts,
        reliability=rows,
        confusion=confusion(verdicts) if one_label else None,
    )
