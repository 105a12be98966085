"""Scores the heads of a pipeline: each annotates gold documents and is scored on its own layer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spacy.training import Example

from glossator.annotations.layer import ENTS
from glossator.annotations.write import clear_ents, write_prediction
from glossator.data.categories import Cats, binarize
from glossator.evaluation.matching import (
    Confusion,
    Match,
    confusion,
    match_categories,
    match_spans,
    scores_and_truth,
)
from glossator.evaluation.reliability import CENTRED_BINS, ReliabilityBin, calibration_error, reliability
from glossator.evaluation.scores import retokenized_scores, score_layer
from glossator.ml.batching import batch_by_words
from glossator.pipeline.batch import Batch
from glossator.pipeline.loading import Foreign

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from glossator.pipeline.head import Head
    from glossator.pipeline.pipeline import Pipeline


BATCH_WORDS = 20_000


@dataclass(slots=True)
class Evaluation:
    """The evaluation of one head.

    Example:
        evaluation = evaluate_head(pipeline, pipeline.heads["ner"], examples)
        print(evaluation.scores["ents_f"], evaluation.scores["ece"])

    Attributes:
        scores: Scores under spaCy's names, `words_per_second`, and `ece`: the expected calibration error
            over the rows of `reliability`.
        documents: Number of scored documents.
        words: Number of tokens of these documents.
        matches: Each prediction matched with its gold annotation.
        reliability: Accuracy by predicted probability (`CENTRED_BINS`): of spans and tags; of the most
            probable category if they are exclusive, else of each category.
        confusion: Counts of gold and predicted tags or categories; None for spans and for categories that
            are not exclusive.
    """

    scores: dict[str, Any] = field(default_factory=dict)
    documents: int = 0
    words: int = 0
    matches: list[Match] = field(default_factory=list)
    reliability: list[ReliabilityBin] = field(default_factory=list)
    confusion: Confusion | None = None


def evaluate_head(pipeline: Pipeline, head: Head, examples: Sequence[Example]) -> Evaluation:
    """Let a head annotate the predicted side of examples, on gold tokens, and score it.

    Classifiers are scored on their own labels, without their prefix.

    Example:
        data = read_gold(records, head.config.layer, pipeline.tokenizer)
        evaluation = evaluate_head(pipeline, head, data.examples)
    """
    examples = binarized(head, examples)
    gold, docs = [example.reference for example in examples], [example.predicted for example in examples]
    seconds = _timed_annotation(pipeline, head, docs)
    return _evaluation(head, layer_scores(head, examples), gold, docs, seconds)


def evaluate_from_raw_text(pipeline: Pipeline, head: Head, gold: Sequence[Doc]) -> Evaluation:
    """Tokenize the texts of gold Docs again, annotate them and score them by the CoNLL-18 rule.

    Example:
        evaluation = evaluate_from_raw_text(pipeline, pipeline.heads["pos"], gold_docs)
        evaluation.scores["token_f"]
    """
    started = time.perf_counter()
    docs = [pipeline.tokenizer(doc.text) for doc in gold]
    seconds = time.perf_counter() - started + _timed_annotation(pipeline, head, docs)
    return _evaluation(head, dict(retokenized_scores(gold, docs, head.config.layer)), gold, docs, seconds)


def annotate_layer(pipeline: Pipeline, head: Head, docs: Sequence[Doc]) -> None:
    """Write one head's layer to Docs, replacing the layer's annotations; categories get no prefix.

    Example:
        annotate_layer(pipeline, pipeline.heads["ner"], [example.predicted for example in examples])
    """
    for batch, predictions in _predictions(pipeline, head, docs):
        for doc, prediction in zip(batch, predictions, strict=True):
            _write(doc, head, prediction)


def binarized(head: Head, examples: Sequence[Example]) -> list[Example]:
    """Return the examples with gold categories of 0 or 1 in place of probabilities.

    Example:
        examples = binarized(pipeline.heads["topic"], examples)
    """
    return [_with_binarized(example, exclusive=head.exclusive) for example in examples]


def _with_binarized(example: Example, *, exclusive: bool) -> Example:
    cats = binarize(example.reference.cats, exclusive=exclusive)
    if cats == example.reference.cats:
        return example
    gold = example.reference.copy()  # the example may also be used for training, with its probabilities
    gold.cats = cats
    return Example(example.predicted, gold)


def _predictions(
    pipeline: Pipeline, head: Head, docs: Sequence[Doc]
) -> Iterator[tuple[Sequence[Doc], Sequence[Any]]]:
    for batch in batch_by_words(((doc, len(doc)) for doc in docs), BATCH_WORDS):
        yield batch, pipeline.predict(head, Batch(batch, pipeline.embedders))


def _write(doc: Doc, head: Head, prediction: Any) -> None:
    layer = head.config.layer
    if layer.is_categories:
        doc.cats.clear()
    elif layer == ENTS:
        clear_ents(doc)
    write_prediction(doc, head.name, layer, prediction, head.stage.labels)


def _timed_annotation(pipeline: Pipeline, head: Head, docs: Sequence[Doc]) -> float:
    started = time.perf_counter()
    annotate_layer(pipeline, head, docs)
    return time.perf_counter() - started


def layer_scores(head: Head, examples: Sequence[Example]) -> dict[str, Any]:
    """Return the scores of a head whose predictions are on the predicted side of examples.

    Example:
        annotate_layer(pipeline, head, [example.predicted for example in examples])
        scores = layer_scores(head, examples)
    """
    return score_layer(
        examples,
        head.config.layer,
        labels=head.stage.labels,
        exclusive=head.exclusive,
        thresholds=head.thresholds,
    )


def _matches(head: Head, gold: Sequence[Doc], docs: Sequence[Doc]) -> list[Match]:
    layer = head.config.layer
    if layer.is_categories:
        return match_categories(
            gold, docs, head.stage.labels, exclusive=head.exclusive, thresholds=head.thresholds
        )
    return match_spans(gold, docs, layer, head.name)


def _evaluation(
    head: Head, scores: dict[str, Any], gold: Sequence[Doc], docs: Sequence[Doc], seconds: float
) -> Evaluation:
    words = sum(len(doc) for doc in docs)
    matches = _matches(head, gold, docs)
    rows = reliability(*scores_and_truth(matches), CENTRED_BINS)
    measured = {
        "ece": calibration_error(rows) if rows else None,
        "words_per_second": words / seconds if seconds > 0 else 0.0,
    }
    one_label = head.exclusive and not head.config.layer.is_spans
    return Evaluation(
        scores={**scores, **measured},
        documents=len(docs),
        words=words,
        matches=matches,
        reliability=rows,
        confusion=confusion(matches) if one_label else None,
    )


def own_categories(gold: Cats, head: Head, foreign: Foreign) -> dict[str, float]:
    """Return the gold categories of a head, without its prefix, from gold that may include other heads'.

    A category that another head writes, or that begins with another head's prefix, is excluded; one that no
    head writes is kept.

    Example:
        own_categories({"topic:news": 1.0, "mood:sad": 1.0}, pipeline.heads["topic"], foreign)
    """
    return {
        label.removeprefix(head.config.prefix): value
        for label, value in gold.items()
        if label in head.labels or not (label in foreign.labels or label.startswith(foreign.prefixes))
    }
