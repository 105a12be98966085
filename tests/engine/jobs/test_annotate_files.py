"""`glossator.annotate_files`, called as a notebook calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import glossator
from glossator.errors import ConfigError, DataError, PipelineError, UsageError
from glossator.jobs import record_stream
from glossator.jobs.record_stream import Tally
from glossator.plugins.manager import PluginManager


@pytest.fixture
def letters(tmp_path) -> Path:
    folder = tmp_path / "letters"
    folder.mkdir()
    for name in ("a.txt", "b.txt", "picture.png"):
        (folder / name).write_text(f"Mara Voss left Lisbon with the letter {name}.\n")
    return folder


@pytest.fixture
def lines(tmp_path) -> Path:
    """Two hundred documents, of which every fiftieth cannot be read."""
    file = tmp_path / "lines.jsonl"
    documents = [json.dumps({"id": i, "text": f"Letter {i} came from Oslo to Lisbon."}) for i in range(200)]
    documents[7::50] = ["{broken"] * 4
    file.write_text("".join(f"{document}\n" for document in documents))
    return file


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(record_stream, "BATCH_WORDS", 100)
    monkeypatch.setattr(record_stream, "ZONE_WORDS", 400)


def test_the_bytes_are_those_of_the_command(cli, trained_samples, letters, tmp_path):
    messages: list[str] = []
    tally = glossator.annotate_files(
        letters, trained_samples, tmp_path / "called.jsonl", on_message=messages.append
    )
    ended = cli("annotate", letters, "-p", trained_samples, "-o", tmp_path / "typed.jsonl")
    assert ended.code == 0, ended.err
    assert (tmp_path / "called.jsonl").read_bytes() == (tmp_path / "typed.jsonl").read_bytes()
    assert (tally.read, tally.written, tally.failed) == (2, 2, 0)
    assert messages[0] == ended.err.splitlines()[0] == "skipped (no known format): picture.png"
    assert messages[1].startswith("2 documents, ")
    assert len(messages) == len(ended.err.splitlines()) == 2


def test_nothing_is_printed(trained_samples, letters, lines, tmp_path, capfd):
    for inputs, output in (
        (letters, "a.jsonl"),
        (str(lines), "b.conllu"),
        ([str(letters), lines], "c.jsonl"),
    ):
        glossator.annotate_files(inputs, str(trained_samples), str(tmp_path / output))
    assert capfd.readouterr() == ("", "")
    written = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text().splitlines()]
    assert len(written) == 2 + 196
    assert {Path(document["file"]).name for document in written} == {"a.txt", "b.txt", "lines.jsonl"}


def test_progress_and_errors_are_called_back(trained_samples, lines, tmp_path, small_batches):
    counts: list[tuple[int, int]] = []
    errors: list[Exception] = []
    tally = glossator.annotate_files(
        lines,
        trained_samples,
        tmp_path / "out.jsonl",
        on_batch=lambda so_far: counts.append((so_far.read, so_far.failed)),
        on_error=errors.append,
    )
    assert (tally.read, tally.written, tally.failed) == (200, 196, 4)
    assert len(counts) > 5
    assert counts == sorted(counts)
    assert counts[-1] == (200, 4)
    assert [error.line for error in errors] == [8, 58, 108, 158]
    assert all(isinstance(error, DataError) and error.file == str(lines) for error in errors)
    ids = [json.loads(line)["id"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert ids == [i for i in range(200) if i % 50 != 7]


def test_a_loaded_pipeline_and_chosen_heads(trained_samples, letters, tmp_path):
    pipeline = glossator.load(trained_samples, only=["ner"])
    glossator.annotate_files(letters, pipeline, tmp_path / "loaded.jsonl")
    glossator.annotate_files(letters, trained_samples, tmp_path / "only.jsonl", only=["ner"])
    glossator.annotate_files(letters, trained_samples, tmp_path / "without.jsonl", without=["pos", "mood"])
    written = {(tmp_path / f"{name}.jsonl").read_bytes() for name in ("loaded", "only", "without")}
    assert len(written) == 1
    with pytest.raises(UsageError, match="heads are chosen when a pipeline is loaded"):
        glossator.annotate_files(letters, pipeline, tmp_path / "x.jsonl", without=["ner"])
    with pytest.raises(ConfigError, match="no head 'nre'"):
        glossator.annotate_files(letters, trained_samples, tmp_path / "x.jsonl", only=["nre"])
    assert not (tmp_path / "x.jsonl").exists()


def test_formats_options_and_folders(trained_samples, tmp_path):
    table = tmp_path / "in.data"
    table.write_bytes("comment,n\nThe soup was gr\xfcn.,1\nAwful.,2\n".encode("latin-1"))
    arguments = {"format": "csv", "options": {"text": "comment"}, "encoding": "latin-1"}
    glossator.annotate_files(table, trained_samples, tmp_path / "out.jsonl", only=["mood"], **arguments)
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines())
    assert (first["text"], second["text"]) == ("The soup was grün.", "Awful.")
    assert first["cats"].keys() == {"positive", "negative"}
    messages: list[str] = []
    glossator.annotate_files(
        table, trained_samples, tmp_path / "docs", to="docbin", on_message=messages.append, **arguments
    )
    assert [path.name for path in (tmp_path / "docs").iterdir()] == ["part-00001.spacy"]
    assert messages[0].endswith("/docs")
    glossator.annotate_files(
        table, trained_samples, tmp_path / "out.conllu", on_message=messages.append, **arguments
    )
    assert messages[1].startswith("out.conllu cannot hold the annotations of 'ner' (ents), 'mood' (cats)")


def test_an_interrupted_run_is_resumed_to_the_same_bytes(trained_samples, lines, tmp_path, small_batches):
    pipeline = glossator.load(trained_samples)
    glossator.annotate_files(lines, pipeline, tmp_path / "whole.jsonl")
    messages: list[str] = []

    def interrupt(tally: Tally) -> None:
        if tally.read > 90:
            raise KeyboardInterrupt

    output = tmp_path / "out.jsonl"
    with pytest.raises(KeyboardInterrupt):
        glossator.annotate_files(lines, pipeline, output, on_batch=interrupt, on_message=messages.append)
    assert not output.exists()
    kept = len((tmp_path / "out.part.jsonl").read_text().splitlines())
    assert messages == [
        f"{kept} documents are kept: {tmp_path / 'out.part.jsonl'} is the unfinished output; "
        "--resume continues it"
    ]

    reads: list[int] = []
    tally = glossator.annotate_files(
        lines, pipeline, output, resume=True, on_batch=lambda tally: reads.append(tally.read)
    )
    assert reads[0] > 90
    assert (tally.read, tally.written, tally.failed) == (200, 196, 4)
    assert output.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lines.jsonl", "out.jsonl", "whole.jsonl"]


@pytest.mark.parametrize("name", ["out.jsonl", "out.spacy"])
def test_an_interrupt_before_anything_is_written(trained_samples, lines, tmp_path, name):
    messages: list[str] = []

    def interrupt(error: Exception) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        glossator.annotate_files(
            lines, trained_samples, tmp_path / name, on_error=interrupt, on_message=messages.append
        )
    assert messages == ["nothing was written that --resume could continue"]
    assert [path.name for path in tmp_path.iterdir()] == ["lines.jsonl"]


def test_another_run_is_not_resumed(trained_samples, lines, tmp_path, small_batches):
    def interrupt(tally: Tally) -> None:
        raise KeyboardInterrupt

    output = tmp_path / "out.jsonl"
    with pytest.raises(KeyboardInterrupt):
        glossator.annotate_files(lines, trained_samples, output, on_batch=interrupt)
    with pytest.raises(PipelineError, match="had other options"):
        glossator.annotate_files(lines, trained_samples, output, only=["ner"], resume=True)
    with pytest.raises(UsageError, match="cannot be resumed: save and load it"):
        glossator.annotate_files(lines, glossator.Pipeline("en"), output, resume=True)
    messages: list[str] = []
    glossator.annotate_files(
        lines, trained_samples, tmp_path / "new.jsonl", resume=True, on_message=messages.append
    )
    assert messages[0] == "there is no run to resume: starting a new one"


def test_where_all_fails_the_output_stays(trained_samples, tmp_path):
    (tmp_path / "bad.txt").write_bytes(b"\xff")
    (tmp_path / "out.jsonl").write_text("precious")
    messages: list[str] = []
    tally = glossator.annotate_files(
        tmp_path / "bad.txt", trained_samples, tmp_path / "out.jsonl", on_message=messages.append
    )
    assert (tally.written, tally.failed) == (0, 1)
    assert messages == [f"no document was written: {tmp_path / 'out.jsonl'} is unchanged"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.txt", "out.jsonl"]
    assert (tmp_path / "out.jsonl").read_text() == "precious"


def test_a_stage_that_fails_loses_only_its_documents(test_stages, tmp_path):
    pipeline = glossator.Pipeline("en", plugins=PluginManager()).add_tagger("ner", "clumsy")
    texts = ["Good.", "POISON", "Fine."]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    errors: list[Exception] = []
    tally = glossator.annotate_files(
        tmp_path / "in.jsonl", pipeline, tmp_path / "out.jsonl", on_error=errors.append
    )
    assert (tally.written, tally.failed) == (2, 1)
    assert "in.jsonl:2: " in str(errors[0])
    assert "poisoned" in str(errors[0])


def test_errors_are_typed(trained_samples, letters, tmp_path):
    output = tmp_path / "out.jsonl"
    with pytest.raises(UsageError, match="no such file or folder"):
        glossator.annotate_files(tmp_path / "gone.txt", trained_samples, output)
    with pytest.raises(UsageError, match="is an input too"):
        glossator.annotate_files(letters / "a.txt", trained_samples, letters / "a.txt", to="jsonl")
    with pytest.raises(UsageError, match="the output is a file or a folder"):
        glossator.annotate_files(letters, trained_samples, "-", to="jsonl")
    with pytest.raises(UsageError, match=r"out\.odd: no format has this ending"):
        glossator.annotate_files(letters, trained_samples, tmp_path / "out.odd")
    with pytest.raises(PipelineError, match="there is no such pipeline folder"):
        glossator.annotate_files(letters, "nowhere", output)
    with pytest.raises(DataError, match="there is no folder"):
        glossator.annotate_files(letters, trained_samples, tmp_path / "no" / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["letters"]


def test_files_skipped_for_the_format_that_was_named_are_said_to_be(trained_samples, tmp_path):
    (tmp_path / "a.txt").write_text("Ravi flew.", encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('{"text": "Ravi flew."}\n', encoding="utf-8")
    messages: list[str] = []
    output = tmp_path / "out.jsonl"
    glossator.annotate_files(tmp_path, trained_samples, output, format="text", on_message=messages.append)
    assert messages[0] == "skipped (not an ending of the format 'text'): b.jsonl"
