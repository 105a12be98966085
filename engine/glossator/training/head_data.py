"""The examples that one head learns from: read, checked, and divided if no dev set is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glossator.annotations.layer import Layer
from glossator.data.categories import check_learnable
from glossator.data.examples import GoldData, read_gold
from glossator.data.faults import find_faults, with_words
from glossator.data.folds import set_aside
from glossator.data.labels import labels_of
from glossator.errors import DataError

if TYPE_CHECKING:
    from spacy.training import Example

    from glossator.data.source import DataSource
    from glossator.formats.record import Record
    from glossator.pipeline.head import Head
    from glossator.pipeline.pipeline import Pipeline
    from glossator.training.progress import TrainingProgress

MOST_ERRORS_SHOWN = 5
DEV_PARTS = 10  # one of which is set aside if no dev set is named ...
LEAST_DEV = 30  # ... unless it has fewer documents than this: the choices made on it would be accidents


@dataclass(frozen=True, slots=True)
class HeadData:
    """The examples that one head learns from.

    Example:
        data = read_head_data(pipeline, head, source, progress=Silent())
        task = head_task(pipeline, head, data.train, data.dev)

    Attributes:
        train: The training set.
        dev: The dev set; empty if there is none and the training set is too small to divide.
        failed: The number of documents that could not be read.
    """

    train: Sequence[Example]
    dev: Sequence[Example]
    failed: int


def read_head_data(
    pipeline: Pipeline,
    head: Head,
    source: DataSource,
    *,
    silver: Sequence[Record] = (),
    progress: TrainingProgress,
) -> HeadData:
    """Read the data of a head and report its faults.

    If no dev set is named, a tenth of the training set is set aside, or nothing if that would be too little.

    Example:
        data = read_head_data(pipeline, head, source, progress=Silent())

    Args:
        pipeline: The pipeline, whose tokenizer reads the texts.
        head: The head.
        source: Its data.
        silver: More training data, labelled by a teacher.
        progress: Receives the faults.

    Raises:
        DataError: There is nothing to learn from.
    """
    layer = head.config.layer
    gold = {split: _read(pipeline, head, source, split, progress) for split in source.splits}
    train, dev = gold["train"].examples, gold["dev"].examples if "dev" in gold else []
    if "dev" not in gold:
        train, dev = _divided(train, head, pipeline.config.seed, progress)
    train = train + read_gold(silver, layer, pipeline.tokenizer).examples

    _check_learnable(train, head)
    if not dev:
        _check_folds(with_words(train), head)
    for fault in find_faults(train, dev, layer, exclusive=head.exclusive):
        progress.message(f"{head.name}: {fault}")
    failed = sum(len(data.errors) for data in gold.values())
    return HeadData(with_words(train), with_words(dev), failed)


def report_errors(errors: Sequence[DataError], where: str, progress: TrainingProgress) -> None:
    """Report documents that cannot be read: the first errors one by one, and the number of all.

    Example:
        report_errors(data.errors, "ner, train", Silent())
    """
    for error in errors[:MOST_ERRORS_SHOWN]:
        progress.message(f"failed: {error}")
    if errors:
        progress.message(f"{where}: {len(errors):,} documents cannot be read and are skipped")


def _read(
    pipeline: Pipeline, head: Head, source: DataSource, split: str, progress: TrainingProgress
) -> GoldData:
    layer = head.config.layer
    data = read_gold(source.records(split), layer, pipeline.tokenizer)
    report_errors(data.errors, f"{head.name}, {split}", progress)
    if data.unannotated and data.examples:
        progress.message(
            f"{head.name}, {split}: {len(data.examples):,} documents have gold {layer!r}, "
            f"{data.unannotated:,} have none and are skipped"
        )
    if data.alignment.repaired or data.alignment.impossible:
        progress.message(f"{head.name}, {split}: {data.alignment.summary()}")

    if not data.examples:
        files = ", ".join(str(file) for file in source.files(split))
        raise DataError(f"the {split} set of {head.name!r} ({files}) has no document with gold '{layer}'")
    if not with_words(data.examples):
        raise DataError(f"the {split} set of {head.name!r} has no document with any word")
    return data


def _divided(
    examples: list[Example], head: Head, seed: int, progress: TrainingProgress
) -> tuple[list[Example], list[Example]]:
    """Return a training set and a dev set, which is empty if it would be too small, and say so."""
    train, dev = set_aside(with_words(examples), DEV_PARTS, head.config.layer, seed=seed)
    own = f"to name a dev set of your own: --dev FILE, or dev = FILE in [data.{head.name}]"
    if len(dev) >= LEAST_DEV:
        progress.message(
            f"{head.name}: no dev set is named: {len(dev):,} of {len(train) + len(dev):,} training documents "
            f"are set aside as one; {own}"
        )
        return train, dev
    progress.message(
        f"{head.name}: no dev set is named, and {len(examples):,} documents are too few to set some aside: "
        f"cross-validation chooses and scores, all are learned from, and no temperature is fitted; {own}"
    )
    return examples, []


def _check_learnable(train: Sequence[Example], head: Head) -> None:
    """Raise `DataError` if there are too few labels to learn."""
    layer = head.config.layer
    if layer.is_categories:
        gold = [example.reference.cats for example in train]
        check_learnable(gold, head.name, exclusive=head.exclusive)
    labels = {label for named in _named_labels(train, layer) for label in named}
    if len(labels) < _labels_needed(head):
        raise DataError(
            f"the training set of {head.name!r} has {_labels(labels, layer)}: there is nothing to learn; "
            "check that the right column or field is read, and add examples"
        )


def _check_folds(train: Sequence[Example], head: Head) -> None:
    """Raise `DataError` if too few labels are left to learn when any document is held out."""
    named = _named_labels(train, head.config.layer)
    counts = Counter(label for labels in named for label in labels)
    left = min(len(counts) - sum(counts[label] == 1 for label in labels) for labels in named)
    if left < _labels_needed(head):
        raise DataError(
            f"the training set of {head.name!r} has too few documents ({len(train):,}) to hold any out for "
            "cross-validation: add examples of each label, or name a dev set"
        )


def _named_labels(train: Sequence[Example], layer: Layer) -> list[set[str]]:
    """Return the labels of each example, and the categories that it says do not hold."""
    return [set(example.reference.cats) | labels_of(example.reference, layer) for example in train]


def _labels_needed(head: Head) -> int:
    return 2 if head.config.layer.is_categories and head.exclusive else 1


def _labels(labels: set[str], layer: Layer) -> str:
    kind = "category" if layer.is_categories else f"'{layer}'"
    return f"no other {kind} than {', '.join(labels)}" if labels else f"not a single {kind}"
