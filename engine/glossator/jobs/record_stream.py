"""Annotates a stream of documents in constant memory; a bad document never loses the good ones.

While a thread annotates one batch, the next one is read and the one before it is written. Every
`ZONE_WORDS` words or `ZONE_SECONDS` seconds, whichever comes first, all batches are finished and
the pipeline may remove words from its vocab (`Pipeline.memory_zone`), so memory does not grow with the input.
At the same points, and when the user interrupts the run, the output is flushed and the journal
records the progress, so that the run can be resumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from glossator.data.examples import document_error, record_doc
from glossator.errors import DataError, GlossatorError
from glossator.formats.record import Record
from glossator.util.prefetch import prefetch_map

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from glossator.formats import Writer
    from glossator.pipeline.pipeline import Pipeline

BATCH_WORDS = 20_000
ZONE_WORDS = 300_000
ZONE_SECONDS = 10.0

Item = Record | DataError
Fail = Callable[[GlossatorError], None]


@dataclass(slots=True)
class Tally:
    """The progress of a run.

    Example:
        tally = glossator.annotate_files("letters/", "models/samples", "letters.jsonl")
        print(f"{tally.words / tally.seconds:,.0f} words per second")

    Attributes:
        read: Number of documents read, good or bad.
        written: Number of documents annotated and written.
        words: Number of tokens of the written documents.
        failed: Number of documents that could not be read, annotated or written.
        seconds: Time since the start.
    """

    read: int = 0
    written: int = 0
    words: int = 0
    failed: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class _Written:
    """The documents that the writer has received for certain.

    Attributes:
        tally: The progress after the last complete batch; None while a batch is written, as an
            interrupt may leave any part of it in the output.
    """

    tally: Tally | None


@dataclass(slots=True)
class _Batch:
    """Documents that are processed together, and the errors of those that failed.

    Attributes:
        read: Number of documents read, good or bad.
        words: Number of their tokens, plus one per document.
        more: Whether there may be documents after them.
        docs: The good documents.
        errors: The errors of the others.
    """

    read: int = 0
    words: int = 0
    more: bool = False
    docs: list[tuple[Record, Doc]] = field(default_factory=list)
    errors: list[GlossatorError] = field(default_factory=list)


def annotate_records(
    pipeline: Pipeline,
    items: Iterator[Item],
    writer: Writer,
    *,
    tally: Tally,
    on_batch: Callable[[Tally], None],
    on_error: Fail,
    on_checkpoint: Callable[[Tally], None],
) -> None:
    """Annotate and write documents until there are no more.

    On Ctrl-C, the complete batches are flushed to disk and counted in a last checkpoint.

    Example:
        tally = Tally()
        annotate_records(
            pipeline, records, writer, tally=tally, on_batch=print, on_error=print, on_checkpoint=ignore
        )

    Args:
        pipeline: The pipeline that annotates.
        items: Documents, and the errors of those that could not be read.
        writer: Writes the documents.
        tally: The counts, kept up to date.
        on_batch: Called with the counts after each batch.
        on_error: Called with the error of each document that failed.
        on_checkpoint: Called with the counts whenever all counted documents are on disk.
    """
    started = time.monotonic() - tally.seconds

    def fail(error: GlossatorError) -> None:
        tally.failed += 1
        on_error(error)

    written = _Written(replace(tally))

    def write(batch: _Batch) -> None:
        tally.read += batch.read
        for error in batch.errors:
            fail(error)
        written.tally = None
        for record, doc in batch.docs:
            _write(writer, record, doc, tally, fail)
        tally.seconds = time.monotonic() - started
        written.tally = replace(tally)
        on_batch(tally)

    def checkpoint(reached: Tally) -> None:
        written.tally = None
        writer.flush()
        on_checkpoint(reached)
        written.tally = reached

    more = True
    try:
        while more:
            with pipeline.memory_zone():
                # A separate call, so that the Docs are deleted before the zone that holds their words ends.
                more = _run_zone(pipeline, items, write)
            checkpoint(replace(tally))
    except KeyboardInterrupt:
        if written.tally is not None:
            checkpoint(replace(written.tally, seconds=time.monotonic() - started))
        raise


def _run_zone(pipeline: Pipeline, items: Iterator[Item], write: Callable[[_Batch], None]) -> bool:
    """Annotate and write the documents of one zone; return whether there may be more."""
    more = False
    with closing(prefetch_map(partial(_annotated, pipeline), _batches(pipeline, items))) as batches:
        for batch in batches:
            write(batch)
            more = batch.more
    return more


def _batches(pipeline: Pipeline, items: Iterator[Item]) -> Iterator[_Batch]:
    """Yield the tokenized documents of one zone: at least one batch, which may be empty."""
    ends = time.monotonic() + ZONE_SECONDS
    words, more = 0, True
    while more and words < ZONE_WORDS and time.monotonic() < ends:
        batch = _next_batch(pipeline, items)
        words, more = words + batch.words, batch.more
        yield batch


def _next_batch(pipeline: Pipeline, items: Iterator[Item]) -> _Batch:
    batch = _Batch()
    for item in items:
        batch.read += 1
        # Every document counts as a word, or a stream of empty or bad ones would be one endless batch.
        batch.words += 1
        if isinstance(item, DataError):
            batch.errors.append(item)
        else:
            _tokenize(pipeline, item, batch)
        if batch.words >= BATCH_WORDS:
            batch.more = True
            break
    return batch


def _tokenize(pipeline: Pipeline, record: Record, batch: _Batch) -> None:
    try:
        doc = record_doc(record, pipeline.tokenizer)
    except Exception as error:  # a plugin's tokenizer may raise anything
        batch.errors.append(document_error(record, error))
    else:
        batch.docs.append((record, doc))
        batch.words += len(doc)


def _annotated(pipeline: Pipeline, batch: _Batch) -> _Batch:
    """Annotate a batch; if this fails, annotate one by one, so that only bad documents are lost."""
    try:
        pipeline.annotate([doc for _, doc in batch.docs])
    except GlossatorError:
        return _annotated_one_by_one(pipeline, batch)
    return batch


def _annotated_one_by_one(pipeline: Pipeline, batch: _Batch) -> _Batch:
    docs, errors = [], list(batch.errors)
    for record, doc in batch.docs:
        try:
            pipeline.annotate([doc])
        except GlossatorError as error:
            errors.append(document_error(record, error))
        else:
            docs.append((record, doc))
    return replace(batch, docs=docs, errors=errors)


def _write(writer: Writer, record: Record, doc: Doc, tally: Tally, fail: Fail) -> None:
    try:
        writer.write(doc, record)
    except (DataError, ValueError, TypeError, RecursionError) as error:
        fail(document_error(record, error))
    else:
        tally.written += 1
        tally.words += len(doc)
