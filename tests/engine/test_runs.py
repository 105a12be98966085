"""Annotating streams of documents and files: the bad loses nothing else, and a kill loses nothing at all."""

from __future__ import annotations

import functools
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin

import glossator
from glossator import runs
from glossator.config import parse_config
from glossator.data import open_writer
from glossator.errors import DataError, GlossatorError
from glossator.formats import Record
from glossator.pipeline import Pipeline
from glossator.runs import Tally, annotate_records
from glossator.training import train

MOOD = """
[glossator]
lang = "en"

[tokenizer]
stage = "whitespace"

[classifiers.mood]
stage = "bow"
width = 8
rows = 500

[data.mood]
corpus = "samples_reviews"

[training]
max_epochs = 2
"""

# A command line whose zones are small, so that a small run has many checkpoints.
SMALL_ZONES = """
import glossator.runs
glossator.runs.BATCH_WORDS, glossator.runs.ZONE_WORDS = 1_000, 4_000
glossator.runs.ZONE_SECONDS = 600
from glossator.cli import main
main()
"""


@pytest.fixture(scope="module")
def mood(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("mood") / "mood"
    train(parse_config(MOOD, folder=Path()), output)
    return output


@pytest.fixture(autouse=True)
def _stages(test_stages):
    """The plugin of the test stages is there for every test."""


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
        patch.setattr(runs, "BATCH_WORDS", batch)
        patch.setattr(runs, "ZONE_WORDS", 3 * batch)
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


@pytest.mark.parametrize("tokenizer", ["spacy", "whitespace"])
def test_the_vocab_does_not_grow_with_new_words(monkeypatch, tokenizer):
    monkeypatch.setattr(runs, "BATCH_WORDS", 500)
    monkeypatch.setattr(runs, "ZONE_WORDS", 2_000)
    pipeline = Pipeline("en", tokenizer=tokenizer).add_tagger("bad", "clumsy")
    pipeline("A text to start with.")
    before = words_known(pipeline)
    made = (Record(" ".join(f"new{i}x{k}" for k in range(10))) for i in range(2_000))
    tally, *_ = run(pipeline, made)
    assert tally.words >= 20_000
    assert words_known(pipeline) == before
    assert [token.text for token in pipeline("new5x5 came back")] == ["new5x5", "came", "back"]


def test_the_vocab_does_not_grow_where_every_document_fails(monkeypatch):
    monkeypatch.setattr(runs, "BATCH_WORDS", 500)
    monkeypatch.setattr(runs, "ZONE_WORDS", 2_000)
    pipeline = Pipeline("en", tokenizer="whitespace").add_tagger("bad", "clumsy")
    sizes = []

    def made():
        for i in range(600):
            sizes.append(words_known(pipeline)[0])
            yield Record("POISON " + " ".join(f"new{i}x{k}" for k in range(10)))

    tally, *_ = run(pipeline, made())
    assert tally.failed == 600
    assert max(sizes) < min(sizes) + 4_000


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
        patch.setattr(runs, "BATCH_WORDS", batch)
        patch.setattr(runs, "ZONE_WORDS", 3 * batch)
        try:
            annotate_records(touchy_pipeline(), items(), writer, tally=Tally(), **hears)
        except KeyboardInterrupt:
            if where == "read":  # nothing was being written: all that was is kept
                assert noted[-1][1] == len(writer.texts)
        else:
            assert noted[-1] == (30, 24)


def test_a_slow_run_has_checkpoints_by_the_clock(monkeypatch):
    monkeypatch.setattr(runs, "BATCH_WORDS", 1)
    monkeypatch.setattr(runs, "ZONE_SECONDS", 0.02)

    def slow():
        for i in range(5):
            time.sleep(0.03)
            yield Record(f"good {i}")

    *_, checkpoints = run(touchy_pipeline(), slow())
    assert [written for _, written, _ in checkpoints[:5]] == [1, 2, 3, 4, 5]


# The command line over files


def words(count: int, seed: int) -> str:
    generator = random.Random(seed)
    return " ".join(
        f"{generator.choice(['good', 'awful', 'soup'])}{generator.randrange(999)}" for _ in range(count)
    )


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("many") / "many.jsonl"
    with file.open("w", encoding="utf-8") as opened:
        for i in range(5_000):
            line = {"id": i, "text": words(20, i), "meta": {"köy": ["ü", None]}}
            opened.write("{broken\n" if i % 1_000 == 7 else json.dumps(line) + "\n")
    return file


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SMALL_ZONES, "annotate", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def kill_at(process: subprocess.Popen[str], journal: Path, documents: int) -> None:
    """Kill a run once its journal says that so many documents are on disk."""
    deadline = time.monotonic() + 60
    while not (journal.is_file() and json.loads(journal.read_text())["tally"]["read"] >= documents):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def whole(tmp_path_factory, mood, many) -> Path:
    """The output of an undisturbed run."""
    output = tmp_path_factory.mktemp("whole") / "out.jsonl"
    process = start(many, "-p", mood, "-o", output)
    _, err = process.communicate()
    assert process.returncode == 3, err  # five lines are broken
    assert "5 of 5,000 documents failed" in err
    return output


def test_a_killed_run_is_resumed_to_the_same_bytes(mood, many, whole, tmp_path):
    output, journal = tmp_path / "out.jsonl", tmp_path / "out.jsonl.journal"
    for documents in (500, 1_500):
        process = start(many, "-p", mood, "-o", output, *(["--resume"] if journal.exists() else []))
        kill_at(process, journal, documents)
        assert not output.exists()
    with (tmp_path / "out.part.jsonl").open("a") as part:
        part.write('{"text": "cut o')  # what a kill leaves after the last checkpoint
    resumed = start(many, "-p", mood, "-o", output, "--resume")
    _, err = resumed.communicate()
    assert resumed.returncode == 3, err
    assert output.read_bytes() == whole.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
    assert "5 of 5,000 documents failed" in err


def test_a_killed_run_into_a_folder_is_resumed_to_the_same_documents(mood, many, tmp_path):
    some = tmp_path / "some.jsonl"
    some.write_text("".join(many.read_text(encoding="utf-8").splitlines(keepends=True)[:1_500]))
    output, journal = tmp_path / "out", tmp_path / "out.journal"
    kill_at(start(some, "-p", mood, "-o", output, "--to", "docbin"), journal, 300)
    (tmp_path / "out.part" / "part-99999.spacy").write_bytes(b"written after the last checkpoint")
    resumed = start(some, "-p", mood, "-o", output, "--to", "docbin", "--resume")
    _, err = resumed.communicate()
    assert resumed.returncode == 3, err
    undisturbed = start(some, "-p", mood, "-o", tmp_path / "whole", "--to", "docbin")
    undisturbed.communicate()
    shards = {path.name: path.read_bytes() for path in output.iterdir()}
    assert len(shards) > 5
    assert shards == {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    vocab = glossator.load(mood).vocab
    docs = [doc for name in sorted(shards) for doc in DocBin().from_bytes(shards[name]).get_docs(vocab)]
    assert [doc.text for doc in docs] == [words(20, i) for i in range(1_500) if i % 1_000 != 7]
    assert all(set(doc.cats) == {"positive", "negative"} for doc in docs)


def test_changed_input_or_pipeline_is_not_resumed(mood, many, tmp_path, cli):
    own = tmp_path / "own.jsonl"
    own.write_bytes(many.read_bytes())
    output, journal = tmp_path / "out.jsonl", tmp_path / "out.jsonl.journal"
    kill_at(start(own, "-p", mood, "-o", output), journal, 500)
    kept = journal.read_bytes(), (tmp_path / "out.part.jsonl").read_bytes()
    other = tmp_path / "other"
    train(parse_config(MOOD.replace("max_epochs = 2", "max_epochs = 1"), folder=Path()), other)
    ended = cli("annotate", own, "-p", other, "-o", output, "--resume")
    assert (ended.code, "had other pipeline: undo the change" in ended.err) == (1, True)
    ended = cli("annotate", own, "-p", mood, "-o", output, "--resume", "--encoding", "latin-1")
    assert (ended.code, "had other options" in ended.err) == (1, True)
    with own.open("a") as file:
        file.write('{"text": "one more"}\n')
    ended = cli("annotate", own, "-p", mood, "-o", output, "--resume")
    assert (ended.code, "had other inputs" in ended.err) == (1, True)
    assert (journal.read_bytes(), (tmp_path / "out.part.jsonl").read_bytes()) == kept


def test_an_interrupted_run_says_how_to_go_on(mood, many, whole, tmp_path):
    output, journal = tmp_path / "out.jsonl", tmp_path / "out.jsonl.journal"
    process = start(many, "-p", mood, "-o", output)
    while not journal.exists():
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    kept = len((tmp_path / "out.part.jsonl").read_text(encoding="utf-8").splitlines())
    assert f"{kept:,} documents are kept: " in err
    assert "is the unfinished output; --resume goes on with it" in err
    assert "Traceback" not in err
    resumed = start(many, "-p", mood, "-o", output, "--resume")
    resumed.communicate()
    assert output.read_bytes() == whole.read_bytes()


def test_fields_are_kept(whole, many):
    written = [json.loads(line) for line in whole.read_text(encoding="utf-8").splitlines()]
    assert len(written) == 4_995
    assert [line["id"] for line in written] == [i for i in range(5_000) if i % 1_000 != 7]
    assert all(line["meta"] == {"köy": ["ü", None]} for line in written)
    assert all(abs(sum(line["cats"].values()) - 1) < 1e-5 for line in written)
    assert "file" not in written[0]


def test_a_writer_that_fails_half_way_leaves_no_half_document(tmp_path, mood):
    """A value JSON cannot hold fails before a byte of it is written."""
    pipeline = glossator.load(mood)
    writer = open_writer(tmp_path / "out.jsonl", "", pipeline.plugins)
    records = [Record("one"), Record("two", fields={"odd": object()}), Record("three")]
    tally, _, errors, _ = run(pipeline, records, writer)
    writer.close()
    lines = [json.loads(line)["text"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert lines == ["one", "three"]
    assert (tally.failed, len(errors)) == (1, 1)
