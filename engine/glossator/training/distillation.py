"""A small student learns from gold data and from what a teacher says of unlabelled text.

Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network". A teacher's doubt is passed
on: its probabilities of categories are the student's gold values as they are. A span is taken over as often
as its probability says, so that in the mean the student learns that too; so is a tag, of which the student
otherwise hears nothing: the sure ones count for more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from glossator.annotations.layer import Layer
from glossator.config.schema import PipelineConfig
from glossator.errors import ConfigError, DataError
from glossator.formats.record import CharSpan, GoldTokens, Record
from glossator.training.progress import Silent
from glossator.training.trainer import TrainingResult, report_errors, train
from glossator.util.messages import join_first

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span

    from glossator.pipeline.head import Head
    from glossator.pipeline.pipeline import Pipeline
    from glossator.plugins.manager import PluginManager
    from glossator.training.progress import TrainingProgress


MOST_LABELS_SHOWN = 5


def distil(
    teacher: Pipeline,
    config: PipelineConfig,
    unlabelled: Iterable[Record | DataError],
    output: str | Path,
    *,
    corpora: str | Path | None = None,
    seeds: int = 1,
    resume: bool = False,
    plugins: PluginManager | None = None,
    progress: TrainingProgress | None = None,
) -> TrainingResult:
    """Train a student on its gold data and on a teacher's answers, and save it.

    Args:
        teacher: A trained pipeline; for each head of the student that learns it has one that writes the same
            layer, under the same name where it has several.
        config: The student, and where its gold data is.
        unlabelled: Texts for the teacher to label; those that cannot be read are reported and counted.
        output: The folder to save to.
        corpora: As in `train`.
        seeds: As in `train`.
        resume: As in `train`; the texts must be the same, and are labelled anew.
        plugins: As in `train`.
        progress: Hears how it goes.

    Raises:
        ConfigError: The teacher has no head for one of the student's, or one of another kind of answers.
        DataError: There is no text.

    Example:
        teacher, config = glossator.load("models/large"), glossator.read_config("small.cfg")
        texts = (Record(line) for line in open("letters.txt"))  # glossator.formats.Record
        glossator.distil(teacher, config, texts, "models/small")
    """
    errors: list[DataError] = []
    hears = progress or Silent()

    def label(heads: Sequence[Head]) -> dict[str, list[Record]]:
        pairs = {head.name: teacher_head(teacher, head.name, head.config.layer) for head in heads}
        for head in heads:
            _check_alike(head, pairs[head.name])
        texts = (record.text for record in _readable(unlabelled, errors))
        silver = silver_records(teacher, texts, pairs, seed=config.seed)
        report_errors(errors, "the unlabelled text", hears)
        if not any(silver.values()):
            raise DataError("there is no unlabelled text for the teacher to label")
        for name, labelled in silver.items():
            hears.message(f"{name}: {_what_was_labelled(labelled, pairs[name])}")
        return silver

    result = train(
        config,
        output,
        corpora=corpora,
        seeds=seeds,
        resume=resume,
        plugins=plugins,
        progress=progress,
        silver=label,
    )
    result.failed += len(errors)
    return result


def teacher_head(teacher: Pipeline, name: str, layer: Layer) -> Head:
    """Return the teacher's head that writes a layer: the one of this name, or the only one.

    Raises:
        ConfigError: There is none, or several of other names.
    """
    fitting = [head for head in teacher.heads.values() if head.config.layer == layer]
    named = [head for head in fitting if head.name == name]
    if not named and len(fitting) != 1:
        there = ", ".join(f"{head.name} ({head.config.layer})" for head in teacher.heads.values())
        raise ConfigError(
            f"the student's head {name!r} writes '{layer}': name it like the teacher's head that does; "
            f"the teacher has {there or 'none'}"
        )
    return (named or fitting)[0]


def _check_alike(student: Head, teacher: Head) -> None:
    """Raise `ConfigError` where one takes a document to have exactly one category and the other does not."""
    if student.config.kind == "classifier" and student.exclusive != teacher.exclusive:
        number = "exactly one category" if teacher.exclusive else "any number of categories"
        raise ConfigError(
            f"the teacher's head {teacher.name!r} gives a document {number}, the student's {student.name!r} "
            f"does not: set classifiers.{student.name}.exclusive = {str(teacher.exclusive).lower()}"
        )


def _what_was_labelled(silver: Sequence[Record], teacher: Head) -> str:
    """Return how much a teacher labelled and what it found most."""
    is_classifier = teacher.config.kind == "classifier"
    found = Counter(_categories(silver, teacher) if is_classifier else _labels(silver))
    counts = join_first([f"{label} {count:,}" for label, count in found.most_common()], MOST_LABELS_SHOWN)
    unit = ("text" if is_classifier else "sentence") + ("" if len(silver) == 1 else "s")
    return f"the teacher labelled {len(silver):,} {unit}: {counts or 'it found nothing'}"


def _categories(silver: Sequence[Record], teacher: Head) -> Iterator[str]:
    names = [label.removeprefix(teacher.config.prefix) for label in teacher.labels]
    rows = [[cats[name] for name in names] for cats in (record.cats or {} for record in silver)]
    return chain.from_iterable(teacher.apply_thresholds(rows))


def _labels(silver: Sequence[Record]) -> Iterator[str]:
    for record in silver:
        yield from (span.label for span in record.spans or ())
        if record.tokens:
            yield from filter(None, record.tokens.tags or record.tokens.pos or ())


def silver_records(
    teacher: Pipeline, texts: Iterable[str], pairs: Mapping[str, Head], *, seed: int
) -> dict[str, list[Record]]:
    """Let a teacher label texts.

    Args:
        teacher: The teacher.
        texts: The texts.
        pairs: The teacher's head by the name of the student's.
        seed: Where the randomness of its doubt starts.

    Returns:
        Records for each of the student's heads: a text where it classifies, else a sentence.
    """
    generator = np.random.default_rng(seed)
    silver: dict[str, list[Record]] = {name: [] for name in pairs}
    for doc in teacher.pipe(texts):
        for name, head in pairs.items():
            silver[name] += _records(doc, head, generator)
    return silver


def _readable(records: Iterable[Record | DataError], errors: list[DataError]) -> Iterator[Record]:
    for record in records:
        if isinstance(record, DataError):
            errors.append(record)
        else:
            yield record


def _records(doc: Doc, head: Head, generator: np.random.Generator) -> Iterator[Record]:
    if head.config.kind == "classifier":
        prefix = head.config.prefix
        yield Record(doc.text, cats={label.removeprefix(prefix): doc.cats[label] for label in head.labels})
        return
    layer = head.config.layer
    group = doc.spans[layer.scores_key(head.name)]
    scores = np.asarray(group.attrs["scores"], dtype=float)
    believed = generator.random(len(scores)) < scores
    spans = [span for span, kept in zip(group, believed, strict=True) if kept] if layer.is_spans else []
    spans.sort(key=attrgetter("start"))
    starts = [span.start for span in spans]
    for sentence in doc.sents if doc.has_annotation("SENT_START") else [doc[:]]:
        if not sentence.text.isspace():
            begun = spans[bisect_left(starts, sentence.start) : bisect_left(starts, sentence.end)]
            yield _record(sentence, layer, begun, believed)


def _record(sentence: Span, layer: Layer, begun: Sequence[Span], believed: np.ndarray) -> Record:
    """Return a sentence with the spans that have `begun` in it, if they end in it, or its tags."""
    words = [token.text for token in sentence]
    spaces = [bool(token.whitespace_) for token in sentence]
    tokens = GoldTokens(words, spaces)
    if layer.is_spans:
        inside = [span for span in begun if span.end <= sentence.end]
        offset = sentence.start_char
        placed = [CharSpan(span.start_char - offset, span.end_char - offset, span.label_) for span in inside]
        return Record(_text(tokens), tokens=tokens, spans=placed, raw=False)
    tags = [layer.label_of(token) if believed[token.i] and not token.is_space else "" for token in sentence]
    tokens.tags, tokens.pos = (tags, None) if layer.kind == "tag" else (None, tags)
    return Record(_text(tokens), tokens=tokens, raw=False)


def _text(tokens: GoldTokens) -> str:
    return "".join(word + " " * space for word, space in zip(tokens.words, tokens.spaces, strict=True))
