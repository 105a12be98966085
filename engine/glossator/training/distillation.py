"""Distillation: a small student learns from gold data and from a teacher's labels for unlabelled text.

Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network". The student learns the
teacher's uncertainty, too: probabilities of categories become the student's gold values unchanged. A span is
kept at random with its probability, so that on average the student learns this probability; so is a tag, and
a token whose tag is not kept has no gold tag.
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
from glossator.training.head_data import report_errors
from glossator.training.progress import Silent
from glossator.training.trainer import TrainingResult, train
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
    """Train a student on its gold data and on a teacher's labels, and save it.

    Example:
        teacher = glossator.load("models/bert")
        texts = [Record(line) for line in open("unlabelled.txt")]
        distil(teacher, read_config("student.cfg"), texts, "models/student")

    Args:
        teacher: A trained pipeline; for each trainable head of the student it has one that writes the same
            layer, under the same name if it has several.
        config: The student and its gold data.
        unlabelled: Texts for the teacher to label; those that cannot be read are reported and counted.
        output: The folder to save to.
        corpora: As in `train`.
        seeds: As in `train`.
        resume: As in `train`; the texts must be the same, and are labelled again.
        plugins: As in `train`.
        progress: Receives the progress.

    Raises:
        ConfigError: The teacher has no head for one of the student's, or one with other predictions.
        DataError: There is no text.

    Example:
        teacher, config = glossator.load("models/large"), glossator.read_config("small.cfg")
        texts = (Record(line) for line in open("letters.txt"))  # glossator.formats.Record
        glossator.distil(teacher, config, texts, "models/small")
    """
    errors: list[DataError] = []
    reports = progress or Silent()

    def label(heads: Sequence[Head]) -> dict[str, list[Record]]:
        pairs = {head.name: teacher_head(teacher, head.name, head.config.layer) for head in heads}
        for head in heads:
            _check_alike(head, pairs[head.name])
        texts = (record.text for record in _readable(unlabelled, errors))
        silver = silver_records(teacher, texts, pairs, seed=config.seed)
        report_errors(errors, "the unlabelled text", reports)
        if not any(silver.values()):
            raise DataError("there is no unlabelled text for the teacher to label")
        for name, labelled in silver.items():
            reports.message(f"{name}: {_labelling_summary(labelled, pairs[name])}")
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

    Example:
        teacher_head(teacher, "ner", ENTS).labels

    Raises:
        ConfigError: There is none, or several with other names.
    """
    candidates = [head for head in teacher.heads.values() if head.config.layer == layer]
    same_name = [head for head in candidates if head.name == name]
    if not same_name and len(candidates) != 1:
        heads = ", ".join(f"{head.name} ({head.config.layer})" for head in teacher.heads.values())
        raise ConfigError(
            f"the student's head {name!r} writes '{layer}': name it like the teacher's head that does; "
            f"the teacher has {heads or 'none'}"
        )
    return (same_name or candidates)[0]


def _check_alike(student: Head, teacher: Head) -> None:
    """Raise `ConfigError` if exactly one of two classifiers has exclusive categories."""
    if student.config.kind == "classifier" and student.exclusive != teacher.exclusive:
        number = "exactly one category" if teacher.exclusive else "any number of categories"
        raise ConfigError(
            f"the teacher's head {teacher.name!r} gives a document {number}, the student's {student.name!r} "
            f"does not: set classifiers.{student.name}.exclusive = {str(teacher.exclusive).lower()}"
        )


def _labelling_summary(silver: Sequence[Record], teacher: Head) -> str:
    """Return how much a teacher labelled, and its most frequent labels."""
    is_classifier = teacher.config.kind == "classifier"
    labels = Counter(_categories(silver, teacher) if is_classifier else _labels(silver))
    counts = join_first([f"{label} {count:,}" for label, count in labels.most_common()], MOST_LABELS_SHOWN)
    unit = ("text" if is_classifier else "sentence") + ("" if len(silver) == 1 else "s")
    return f"the teacher labelled {len(silver):,} {unit}: {counts or 'without any label'}"


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

    Example:
        silver_records(teacher, ["Mara lives in Oslo."], {"ner": teacher.heads["ner"]}, seed=0)["ner"]

    Args:
        teacher: The teacher.
        texts: The texts.
        pairs: The teacher's head for each of the student's heads, by the student's name.
        seed: The seed of the random choice of spans and tags.

    Returns:
        Records for each of the student's heads: one per text for a classifier, else one per sentence.
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
    is_kept = generator.random(len(scores)) < scores
    spans = [span for span, kept in zip(group, is_kept, strict=True) if kept] if layer.is_spans else []
    spans.sort(key=attrgetter("start"))
    starts = [span.start for span in spans]
    for sentence in doc.sents if doc.has_annotation("SENT_START") else [doc[:]]:
        if not sentence.text.isspace():
            begun = spans[bisect_left(starts, sentence.start) : bisect_left(starts, sentence.end)]
            yield _record(sentence, layer, begun, is_kept)


def _record(sentence: Span, layer: Layer, begun: Sequence[Span], is_kept: np.ndarray) -> Record:
    """Return a sentence with its tags, or with those of the spans `begun` in it that also end in it."""
    words = [token.text for token in sentence]
    spaces = [bool(token.whitespace_) for token in sentence]
    tokens = GoldTokens(words, spaces)
    if layer.is_spans:
        inside = [span for span in begun if span.end <= sentence.end]
        offset = sentence.start_char
        placed = [CharSpan(span.start_char - offset, span.end_char - offset, span.label_) for span in inside]
        return Record(_text(tokens), tokens=tokens, spans=placed, raw=False)
    tags = [layer.label_of(token) if is_kept[token.i] and not token.is_space else "" for token in sentence]
    tokens.tags, tokens.pos = (tags, None) if layer.kind == "tag" else (None, tags)
    return Record(_text(tokens), tokens=tokens, raw=False)


def _text(tokens: GoldTokens) -> str:
    return "".join(word + " " * space for word, space in zip(tokens.words, tokens.spaces, strict=True))
