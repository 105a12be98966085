"""Annotating streams of documents and files: the bad loses nothing else, and a kill loses nothing at all."""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable, Iterable

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

import glossator
from glossator.builtin import tokenizers
from glossator.data.files import open_writer
from glossator.errors import DataError, GlossatorError
from glossator.formats import Record
from glossator.jobs import record_stream
from glossator.jobs.record_stream import Tally, annotate_records
from glossator.pipeline.pipeline import Pipeline


@pytest.fixture(autouse=True)
def _stages(test_stages):
    """The plugin of the test stages is there for every test."""


STRANGE = glossator.Stage(name="strange", factory=lambda lang: spacy.blank(lang).tokenizer)


class Kept:
    """A writer that keeps texts, and refuses some."""

    def __init__(self, refused: Callable[[str], bool] = lambda text: False) -> None:
        self.texts: list[str] = []
        self.flushed = 0
        self._refused = refused

    def write(self, doc, record) -> None:
        if self._refused(doc.text):
            raise ValueError("not this one")
        self.texts.append(doc.text)

    def flush(self) -> None:
        self.flushed += 1

    def close(self) -> None:
        pass


def run(pipeline: Pipeline, items: Iterable[Record | DataError], writer: Kept | None = None):
    """Return the tally, the writer, the errors and the tally as it was at each checkpoint."""
    tally, writer = Tally(), writer or Kept()
    errors: list[GlossatorError] = []
    checkpoints: list[tuple[int, int, int]] = []  # read, written, words
    annotate_records(
        pipeline,
        iter(items),
        writer,
        tally=tally,
        on_batch=lambda _: None,
        on_error=errors.append,
        on_checkpoint=lambda t: checkpoints.append((t.read, t.written, t.words)),
    )
    return tally, writer, errors, checkpoints


@functools.cache  # hypothesis calls a test many times with the same fixtures
def touchy_pipeline() -> Pipeline:
    return Pipeline("en", tokenizer="touchy").add_tagger("bad", "clumsy")


KINDS = ["good", "", "UNREADABLE", "POISON pill", "REFUSED", None]


@settings(max_examples=40, deadline=None)
@given(kinds=st.lists(st.sampled_from(KINDS), max_size=30), batch=st.sampled_from([1, 5, 20_000]))
def test_bad_documents_lose_no_others(kinds, batch):
    pipeline = touchy_pipeline()
    items = [
        DataError("broken line", file="in.jsonl", line=i)
        if kind is None
        else Record(f"{kind} {i}" if kind else "", file="in.jsonl", line=i)
        for i, kind in enumerate(kinds, start=1)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_stream, "BATCH_WORDS", batch)
        patch.setattr(record_stream, "ZONE_WORDS", 3 * batch)
        tally, writer, errors, checkpoints = run(pipeline, items, Kept(lambda text: "REFUSED" in text))
    good = [f"{kind} {i}" if kind else "" for i, kind in enumerate(kinds, start=1) if kind in ("good", "")]
    assert writer.texts == good
    assert (tally.read, tally.written, tally.failed) == (len(kinds), len(good), len(kinds) - len(good))
    assert tally.words == 2 * kinds.count("good")
    bad_lines = sorted(i for i, kind in enumerate(kinds, start=1) if kind not in ("good", ""))
    assert sorted(error.line for error in errors) == bad_lines
    assert all(str(error).startswith(f"in.jsonl:{error.line}: ") for error in errors)
    assert checkpoints[-1] == (tally.read, tally.written, tally.words)
    assert len(checkpoints) == writer.flushed
    assert [read for read, *_ in checkpoints] == sorted(read for read, *_ in checkpoints)


def test_errors_say_which_document_and_why():
    pipeline = touchy_pipeline()
    texts = ["UNREADABLE", "POISON", "fine"]
    _, _, errors, _ = run(pipeline, [Record(t, file="a.txt", line=i) for i, t in enumerate(texts, start=1)])
    assert str(errors[0]) == "a.txt:1: ValueError: I will not read this"
    assert str(errors[1]).startswith("a.txt:2: tagger 'bad' (stage 'clumsy', plugin 'test-stages') failed: ")
    assert "RuntimeError: poisoned" in str(errors[1])


def words_known(pipeline: Pipeline) -> tuple[int, int]:
    """Return how many lexemes and strings there are; `len(vocab)` counts those forgotten too."""
    return sum(1 for _ in pipeline.vocab), len(pipeline.vocab.strings)


@pytest.mark.parametrize("tokenizer", ["spacy", "whitespace", STRANGE])
def test_the_vocab_does_not_grow_with_new_words(monkeypatch, tokenizer):
    monkeypatch.setattr(record_stream, "BATCH_WORDS", 500)
    monkeypatch.setattr(record_stream, "ZONE_WORDS", 2_000)
    monkeypatch.setattr(tokenizers, "MOST_LEXEMES", 3_000)
    pipeline = Pipeline("en", tokenizer=tokenizer).add_tagger("bad", "clumsy")
    pipeline("A text to start with.")
    before = words_known(pipeline)
    made = (Record(" ".join(f"new{i}x{k}" for k in range(10))) for i in range(2_000))
    tally, *_ = run(pipeline, made)
    assert tally.words >= 20_000
    if tokenizer is STRANGE:
        assert words_known(pipeline) == before
    else:
        assert max(words_known(pipeline)) < 2 * 3_000
    assert [token.text for token in pipeline("new5x5 came back")] == ["new5x5", "came", "back"]


def test_the_vocab_does_not_grow_where_every_document_fails(monkeypatch):
    monkeypatch.setattr(record_stream, "BATCH_WORDS", 500)
    monkeypatch.setattr(record_stream, "ZONE_WORDS", 2_000)
    monkeypatch.setattr(tokenizers, "MOST_LEXEMES", 1_000)
    pipeline = Pipeline("en", tokenizer="whitespace").add_tagger("bad", "clumsy")
    sizes = []

    def made():
        for i in range(600):
            sizes.append(words_known(pipeline)[0])
            yield Record("POISON " + " ".join(f"new{i}x{k}" for k in range(10)))

    tally, *_ = run(pipeline, made())
    assert tally.failed == 600
    assert max(sizes) < min(sizes) + 4_000


def test_only_annotating_leaves_the_caller_s_thread(monkeypatch):
    monkeypatch.setattr(record_stream, "BATCH_WORDS", 5)
    annotating, elsewhere = set(), []

    class Watched(Pipeline):
        def annotate(self, docs):
            annotating.add(threading.current_thread())
            super().annotate(docs)

    def note(*_) -> None:
        elsewhere.append(threading.current_thread())

    class Noting(Kept):
        def write(self, doc, record) -> None:
            note()
            super().write(doc, record)

    def items():
        for i in range(40):
            note()
            yield Record("POISON" if i % 4 == 3 else f"good {i}")

    pipeline = Watched("en", tokenizer="touchy").add_tagger("bad", "clumsy")
    writer, before = Noting(), threading.active_count()
    annotate_records(
        pipeline, items(), writer, tally=Tally(), on_batch=note, on_error=note, on_checkpoint=note
    )
    assert len(writer.texts) == 30
    assert len(annotating) == 1
    assert set(elsewhere) == {threading.current_thread()}
    assert annotating.isdisjoint(elsewhere)
    assert threading.active_count() == before


def test_a_writer_that_gives_up_leaves_no_thread(monkeypatch):
    monkeypatch.setattr(record_stream, "BATCH_WORDS", 3)
    before = threading.active_count()

    class Full(Kept):
        def write(self, doc, record) -> None:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        run(touchy_pipeline(), (Record(f"good {i}") for i in range(40)), Full())
    assert threading.active_count() == before


def test_bad_documents_are_batches_too(monkeypatch):
    """Else a file of nothing but them would be one batch, and their errors held until its end."""
    monkeypatch.setattr(record_stream, "BATCH_WORDS", 10)
    tally, heard_at = Tally(), []

    def items():
        for i in range(100):
            heard_at.append(tally.failed)
            yield DataError("broken", line=i)

    hears = {"on_batch": lambda _: None, "on_checkpoint": lambda _: None}
    annotate_records(touchy_pipeline(), items(), Kept(), tally=tally, on_error=lambda _: None, **hears)
    assert tally.failed == tally.read == 100
    assert all(i - failed <= 30 for i, failed in enumerate(heard_at))


def test_nothing_at_all():
    tally, writer, errors, checkpoints = run(touchy_pipeline(), [])
    assert (tally.read, tally.written, tally.failed, errors, writer.texts) == (0, 0, 0, [], [])
    assert checkpoints == [(0, 0, 0)]


class OnDisk(Kept):
    """A writer that knows what a flush put on disk, and is interrupted at some text or flush."""

    def __init__(self, stop: str = "", stop_flush: int = 0) -> None:
        super().__init__()
        self.stop, self.stop_flush, self.on_disk = stop, stop_flush, 0

    def write(self, doc, record) -> None:
        if doc.text == self.stop:
            raise KeyboardInterrupt
        super().write(doc, record)

    def flush(self) -> None:
        super().flush()
        if self.flushed == self.stop_flush:
            raise KeyboardInterrupt
        self.on_disk = len(self.texts)


@settings(max_examples=60, deadline=None)
@given(
    where=st.sampled_from(["read", "write", "flush"]),
    at=st.integers(0, 29),
    batch=st.sampled_from([1, 7, 20_000]),
)
def test_an_interrupt_anywhere_keeps_the_batches_written_whole(where, at, batch):
    def items():
        for i in range(30):
            if where == "read" and i == at:
                raise KeyboardInterrupt
            yield DataError("broken", line=i) if i % 5 == 3 else Record(f"good {i}")

    writer = OnDisk(f"good {at}" if where == "write" else "", at + 1 if where == "flush" else 0)
    noted = [(0, 0)]

    def on_checkpoint(tally: Tally) -> None:
        assert tally.written == writer.on_disk == sum(i % 5 != 3 for i in range(tally.read))
        assert tally.read == tally.written + tally.failed
        noted.append((tally.read, writer.on_disk))

    hears = {"on_batch": lambda _: None, "on_error": lambda _: None, "on_checkpoint": on_checkpoint}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_stream, "BATCH_WORDS", batch)
        patch.setattr(record_stream, "ZONE_WORDS", 3 * batch)
        try:
            annotate_records(touchy_pipeline(), items(), writer, tally=Tally(), **hears)
        except KeyboardInterrupt:
            if where == "read":  # nothing was being written: all that was is kept
                assert noted[-1][1] == len(writer.texts)
        else:
            assert noted[-1] == (30, 24)


def test_a_slow_run_has_checkpoints_by_the_clock(monkeypatch):
    monkeypatch.setattr(record_stream, "BATCH_WORDS", 1)
    monkeypatch.setattr(record_stream, "ZONE_SECONDS", 0.02)

    def slow():
        for i in range(5):
            time.sleep(0.03)
            yield Record(f"good {i}")

    *_, checkpoints = run(touchy_pipeline(), slow())
    assert [written for _, written, _ in checkpoints[:5]] == [1, 2, 3, 4, 5]


def test_a_writer_that_fails_half_way_leaves_no_half_document(tmp_path):
    """A value JSON cannot hold fails before a byte of it is written."""
    pipeline = touchy_pipeline()
    writer = open_writer(tmp_path / "out.jsonl", "", pipeline.plugins)
    records = [Record("one"), Record("two", fields={"odd": object()}), Record("three")]
    tally, _, errors, _ = run(pipeline, records, writer)
    writer.close()
    lines = [json.loads(line)["text"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert lines == ["one", "three"]
    assert (tally.failed, len(errors)) == (1, 1)
