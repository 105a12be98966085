"""Annotating files: a stream of documents in constant memory, where the bad never loses the good.

Words first met are forgotten every `ZONE_WORDS` words or `ZONE_SECONDS` seconds, whichever comes
first (spaCy's memory zones), so a run's memory does not grow with its input. At the same points, and
where the user interrupts the run, what is written is flushed and the journal says how far the run is,
so that it can be resumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from glossator.data import document_error
from glossator.errors import DataError, GlossatorError
from glossator.formats.record import Record
from glossator.gold import record_doc

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from glossator.formats import Writer
    from glossator.pipeline import Pipeline

BATCH_WORDS = 20_000
ZONE_WORDS = 300_000
ZONE_SECONDS = 10.0

Item = Record | DataError
Batch = list[tuple[Record, "Doc"]]
Fail = Callable[[GlossatorError], None]


@dataclass(slots=True)
class Tally:
    """How far a run is.

    Attributes:
        read: Documents taken from the input, good or bad.
        written: Documents annotated and written.
        words: Their tokens.
        failed: Documents that could not be read, annotated or written.
        seconds: Time since the start.
    """

    read: int = 0
    written: int = 0
    words: int = 0
    failed: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class _Written:
    """What the writer holds for sure.

    Attributes:
        tally: How far the run was after the last batch written whole; None while the writer is at
            work, when an interrupt leaves nobody knowing what of a batch it holds.
    """

    tally: Tally | None


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

    On Ctrl-C the batches written whole are put on disk and counted in a last checkpoint.

    Args:
        pipeline: What annotates.
        items: Documents, and the errors of those that could not be read.
        writer: Where they go.
        tally: Counts, kept up to date.
        on_batch: Hears of every batch.
        on_error: Hears of every document that failed.
        on_checkpoint: Hears how far the run is whenever all that it counts is on disk.
    """
    started = time.monotonic() - tally.seconds

    def fail(error: GlossatorError) -> None:
        tally.failed += 1
        on_error(error)

    written = _Written(replace(tally))

    def checkpoint(reached: Tally) -> None:
        written.tally = None
        writer.flush()
        on_checkpoint(reached)
        written.tally = reached

    more = True
    try:
        while more:
            zone_ends = time.monotonic() + ZONE_SECONDS
            with pipeline.memory_zone():
                words = 0
                while more and words < ZONE_WORDS and time.monotonic() < zone_ends:
                    # A call of its own, so that the Docs are gone before the zone that holds their words.
                    batch_words, more = _run_batch(pipeline, items, writer, tally, fail, written)
                    words += batch_words
                    tally.seconds = time.monotonic() - started
                    on_batch(tally)
            checkpoint(replace(tally))
    except KeyboardInterrupt:
        if written.tally is not None:
            checkpoint(replace(written.tally, seconds=time.monotonic() - started))
        raise


def _run_batch(
    pipeline: Pipeline, items: Iterator[Item], writer: Writer, tally: Tally, fail: Fail, written: _Written
) -> tuple[int, bool]:
    """Annotate and write the next documents; return their words and whether there may be more."""
    batch, words, more = _next_batch(pipeline, items, tally, fail)
    annotated = _annotated(pipeline, batch, fail)
    written.tally = None
    for record, doc in annotated:
        _write(writer, record, doc, tally, fail)
    written.tally = replace(tally)
    return words, more


def _next_batch(
    pipeline: Pipeline, items: Iterator[Item], tally: Tally, fail: Fail
) -> tuple[Batch, int, bool]:
    """Tokenize the next documents; also return their words and whether there may be more."""
    batch: Batch = []
    words = 0
    for item in items:
        tally.read += 1
        if isinstance(item, DataError):
            fail(item)
            continue
        try:
            doc = record_doc(item, pipeline.tokenizer)
        except Exception as error:  # a stranger's tokenizer may raise anything
            fail(document_error(item, error))
        else:
            batch.append((item, doc))
            words += len(doc) + 1
        if words >= BATCH_WORDS:
            return batch, words, True
    return batch, words, False


def _annotated(pipeline: Pipeline, batch: Batch, fail: Fail) -> Batch:
    """Annotate a batch; where that fails, one by one, so that only the bad ones are lost."""
    try:
        pipeline.annotate([doc for _, doc in batch])
    except GlossatorError:
        return [(record, doc) for record, doc in batch if _annotate_alone(pipeline, record, doc, fail)]
    return batch


def _annotate_alone(pipeline: Pipeline, record: Record, doc: Doc, fail: Fail) -> bool:
    try:
        pipeline.annotate([doc])
    except GlossatorError as error:
        fail(document_error(record, error))
        return False
    return True


def _write(writer: Writer, record: Record, doc: Doc, tally: Tally, fail: Fail) -> None:
    try:
        writer.write(doc, record)
    except (DataError, ValueError, TypeError) as error:
        fail(document_error(record, error))
    else:
        tally.written += 1
        tally.words += len(doc)
