"""The answers of a stage: requested as by the engine, checked, and compared.

A *plain* answer consists of JSON values, so that another process can send it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.annotations.layer import ENTS
from glossator.config.schema import HeadConfig
from glossator.ml.words import has_words
from glossator.pipeline.batch import Batch
from glossator.pipeline.pipeline import Pipeline
from glossator.stages import TableEmbedder
from glossator.testing.subject import NAME, Subject

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc

ROUNDING = 1e-6
SUM_ROUNDING = 1e-4  # float32 probabilities of many labels add up to 1 only roughly
_NAMES_EMBEDDER = HeadConfig(name="any", kind="tagger", stage="any", layer=ENTS, vectors=(NAME,))
_TUNES_EMBEDDER = HeadConfig(name="any", kind="tagger", stage="any", layer=ENTS, vectors=(NAME,), tune=True)


def predictions(subject: Subject, pipeline: Pipeline, docs: Sequence[Doc]) -> list[Any]:
    """Return the stage's answer for each Doc of a batch; long Docs are cut as by the engine.

    Example:
        predictions(subject, pipeline, [pipeline.tokenizer("Mara Lind lives in Oslo.")])
    """
    if subject.kind == "tokenizer":
        return list(docs)
    batch = Batch(docs, pipeline.embedders)
    if subject.kind != "embedder":
        return list(pipeline.predict(pipeline.heads[NAME], batch))
    values = batch.vectors(_NAMES_EMBEDDER).values
    if not isinstance(subject.part(pipeline), TableEmbedder):
        return [(vectors, None) for vectors in values]
    return list(zip(values, batch.vectors(_TUNES_EMBEDDER).rows[0], strict=True))


def plain_answers(subject: Subject, pipeline: Pipeline, texts: Sequence[str]) -> list[Any]:
    """Return the plain answers to texts, all in one batch.

    Example:
        plain_answers(subject, pipeline, ["Mara Lind lives in Oslo."])  # [[[0, 2, "PERSON", 0.99]]]
    """
    docs = [pipeline.tokenizer(text) for text in texts]
    answers = predictions(subject, pipeline, docs)
    return [plain(subject, pipeline, doc, answer) for doc, answer in zip(docs, answers, strict=True)]


def plain(subject: Subject, pipeline: Pipeline, doc: Doc, answer: Any) -> Any:
    """Return the plain form of a prediction, without the values at white space, which the engine ignores.

    Example:
        plain(subject, pipeline, doc, predictions(subject, pipeline, [doc])[0])
    """
    if subject.kind == "tokenizer":
        return [[token.text, token.whitespace_, token.is_sent_start] for token in doc]
    if subject.kind == "embedder":
        vectors, rows = answer
        return {"vectors": vectors.tolist(), "rows": None if rows is None else rows.tolist()}
    labels = subject.part(pipeline).labels
    if subject.kind == "classifier":
        return {label: float(value) for label, value in zip(labels, answer, strict=True)}
    if subject.written.is_spans:
        return sorted([span.start, span.end, span.label, float(span.score)] for span in answer)
    words = _words(doc)
    return [
        [labels[i], float(p)] for i, p in zip(answer.ids[words], answer.probabilities[words], strict=True)
    ]


def fault(subject: Subject, pipeline: Pipeline, doc: Doc, answer: Any) -> str:
    """Return what is wrong with the shape or the values of a prediction; "" if nothing is.

    Example:
        fault(subject, pipeline, doc, answer)  # "a probability that is not finite"
    """
    stage = subject.part(pipeline)
    if subject.kind == "embedder":
        return _fault_of_vectors(stage, doc, *answer)
    if subject.kind == "classifier":
        return _fault_of_categories(stage, doc, np.asarray(answer))
    if subject.written.is_spans:
        faults = (_fault_of_span(stage.labels, doc, span) for span in answer)
        return next((each for each in faults if each), "")
    return _fault_of_tags(stage.labels, doc, answer)


def difference(texts: Sequence[str], expected: Sequence[Any], actual: Sequence[Any], tolerance: float) -> str:
    """Return the first difference between plain answers; "" if there is none.

    Example:
        difference(["a"], [0.5], [0.7], 0.1)  # "for 'a' it answers 0.7 instead of 0.5"

    Args:
        texts: The texts.
        expected: The plain answer expected for each.
        actual: The plain answers to compare with these.
        tolerance: The largest difference between two numbers that count as equal. Large numbers round in
            proportion: where the largest of a vector is above 1, it is a share of that one.
    """
    if len(expected) != len(actual):
        return f"{len(actual)} answers for {len(expected)} texts"
    for text, one, other in zip(texts, expected, actual, strict=True):
        if not _alike(one, other, tolerance):
            return f"for {_short(text)} it answers {_short(other)} instead of {_short(one)}"
    return ""


def _alike(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or abs(one - other) <= tolerance  # the difference of two infinities is NaN
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(one[key], other[key], tolerance) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        if one and all(isinstance(value, float) for value in one):
            tolerance *= max(1.0, max(abs(value) for value in one) if np.isfinite(one).all() else 1.0)
        return len(one) == len(other) and all(
            _alike(left, right, tolerance) for left, right in zip(one, other, strict=True)
        )
    return bool(one == other)


def _fault_of_vectors(
    stage: Any, doc: Doc, vectors: NDArray[np.float32], rows: NDArray[np.int64] | None
) -> str:
    if vectors.shape != (len(doc), stage.width):
        return f"vectors of shape {vectors.shape}, not {(len(doc), stage.width)}"
    if not np.isfinite(vectors).all():
        return "vectors that are not finite"
    if rows is None:
        return ""
    if stage.table.ndim != 2 or stage.table.shape[1] != stage.width:
        return f"a table of shape {stage.table.shape}, not (rows, {stage.width})"
    return _fault_of_ids(rows, len(doc), len(stage.table), "rows")


def _fault_of_categories(stage: Any, doc: Doc, row: NDArray[np.float32]) -> str:
    if row.shape != (len(stage.labels),):
        return f"probabilities of shape {row.shape}, not {(len(stage.labels),)}"
    # The engine answers for a Doc without words, with probabilities of 0.
    if stage.exclusive and has_words(doc) and abs(float(row.sum()) - 1) > SUM_ROUNDING:
        return f"probabilities that sum to {float(row.sum()):.6g}, not 1, although it is exclusive"
    return _fault_of_probabilities(row)


def _fault_of_span(labels: tuple[str, ...], doc: Doc, span: Any) -> str:
    if not 0 <= span.start < span.end <= len(doc):
        return f"a span [{span.start}, {span.end}) in a Doc of {len(doc)} tokens"
    if span.label not in labels:
        return f"the label {span.label!r}, which is not among its labels"
    return _fault_of_probabilities(np.asarray([span.score], dtype=float))


def _fault_of_tags(labels: tuple[str, ...], doc: Doc, tags: Any) -> str:
    if tags.probabilities.shape != (len(doc),):
        return f"probabilities of shape {tags.probabilities.shape}, not {(len(doc),)}"
    if tags.ids.shape != (len(doc),):
        return f"ids of shape {tags.ids.shape}, not {(len(doc),)}"
    words = _words(doc)
    wrong_ids = _fault_of_ids(tags.ids[words], len(words), len(labels), "ids")
    return wrong_ids or _fault_of_probabilities(tags.probabilities[words])


def _fault_of_ids(ids: NDArray[np.int64], length: int, limit: int, what: str) -> str:
    if ids.shape != (length,):
        return f"{what} of shape {ids.shape}, not {(length,)}"
    if not np.issubdtype(ids.dtype, np.integer):
        return f"{what} of type {ids.dtype}, not integers"
    if ((ids < 0) | (ids >= limit)).any():
        return f"{what} from {int(ids.min())} to {int(ids.max())}, outside the range from 0 to {limit - 1}"
    return ""


def _fault_of_probabilities(values: NDArray[np.floating[Any]]) -> str:
    if not np.isfinite(values).all():
        return "a probability that is not finite"
    if ((values < -ROUNDING) | (values > 1 + ROUNDING)).any():
        return f"probabilities from {values.min():.6g} to {values.max():.6g}"
    return ""


def _words(doc: Doc) -> NDArray[np.intp]:
    return np.asarray([token.i for token in doc if not token.is_space], dtype=np.intp)


def _short(value: Any, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
