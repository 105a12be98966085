"""Annotating files from the command line: a kill or an interrupt loses nothing that was kept."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from spacy.tokens import DocBin

import glossator
from glossator.config.text import parse_config
from glossator.training.trainer import train

pytestmark = pytest.mark.slow

MOOD = """
[glossator]
lang = "en"

[tokenizer]
stage = "whitespace"

[classifiers.mood]
stage = "linear"

[data.mood]
corpus = "samples_reviews"

[training]
max_epochs = 2
"""

# A command line whose zones are small, so that a small run has many checkpoints.
SMALL_ZONES = """
import glossator.jobs.record_stream
glossator.jobs.record_stream.BATCH_WORDS, glossator.jobs.record_stream.ZONE_WORDS = 1_000, 4_000
glossator.jobs.record_stream.ZONE_SECONDS = 600
from glossator.cli import main
main()
"""


@pytest.fixture(scope="module")
def mood(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("mood") / "mood"
    train(parse_config(MOOD, folder=Path()), output)
    return output


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
    while not (journal.exists() and json.loads(journal.read_text())["tally"]["written"]):
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    kept = len((tmp_path / "out.part.jsonl").read_text(encoding="utf-8").splitlines())
    assert f"{kept:,} documents are kept: " in err
    assert "is the unfinished output; --resume continues it" in err
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
