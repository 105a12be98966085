"""How good a pipeline's heads are: each annotates gold documents and is scored on its own layer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glossator.annotate import clear_ents, write_cats, write_spans, write_tags
from glossator.batching import by_words
from glossator.layers import holds_spans
from glossator.predict import Batch
from glossator.scoring import main_score, retokenized_scores, score_layer

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.training import Example

    from glossator.pipeline import Head, Pipeline

BATCH_WORDS = 20_000


@dataclass(slots=True)
class Evaluation:
    """The scores of one head.

    Attributes:
        scores: By spaCy's names, and `words_per_second`.
        documents: How many were scored.
        words: How many tokens they have.
    """

    scores: dict[str, Any] = field(default_factory=dict)
    documents: int = 0
    words: int = 0


def evaluate_head(pipeline: Pipeline, head: Head, examples: Sequence[Example]) -> Evaluation:
    """Let a head annotate the predicted side of examples, on gold tokens, and score it.

    Classifiers are scored on their own labels, without their prefix.
    """
    started = time.perf_counter()
    annotate_layer(pipeline, head, [example.predicted for example in examples])
    seconds = time.perf_counter() - started
    scores = score_layer(examples, head.config.layer, labels=head.stage.labels, exclusive=_is_exclusive(head))
    return _evaluation(scores, [example.predicted for example in examples], seconds)


def evaluate_from_raw_text(pipeline: Pipeline, head: Head, gold: Sequence[Doc]) -> Evaluation:
    """Tokenize the gold Docs' texts anew, annotate them and score by the CoNLL-18 rule."""
    started = time.perf_counter()
    docs = [pipeline.tokenizer(doc.text) for doc in gold]
    annotate_layer(pipeline, head, docs)
    seconds = time.perf_counter() - started
    return _evaluation(dict(retokenized_scores(gold, docs, head.config.layer)), docs, seconds)


def dev_score(pipeline: Pipeline, head: Head, examples: Sequence[Example]) -> float:
    """Return the score that training selects by, 0 to 1."""
    scores = evaluate_head(pipeline, head, examples).scores
    return float(scores[main_score(head.config.layer, exclusive=_is_exclusive(head))] or 0.0)


def annotate_layer(pipeline: Pipeline, head: Head, docs: Sequence[Doc]) -> None:
    """Write one head's layer to Docs, in place of what stood there; categories get no prefix."""
    for batch, predictions in _predictions(pipeline, head, docs):
        for doc, prediction in zip(batch, predictions, strict=True):
            _write(doc, head, prediction)


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


def _is_exclusive(head: Head) -> bool:
    return bool(getattr(head.stage, "exclusive", True))


def _evaluation(scores: dict[str, Any], docs: Sequence[Doc], seconds: float) -> Evaluation:
    words = sum(len(doc) for doc in docs)
    rate = words / seconds if seconds > 0 else 0.0
    return Evaluation(scores={**scores, "words_per_second": rate}, documents=len(docs), words=words)
