"""`glossator.convert`, called as a notebook calls it."""

from __future__ import annotations

import json

import pytest

import glossator
from glossator.errors import DataError, UsageError

COLUMNS = {"columns": ["token", "pos", "ner"]}


def test_the_bytes_and_the_account_are_those_of_the_command(cli, tmp_path, samples_folder):
    source = samples_folder / "sentences.dev.conll"
    conversion = glossator.convert(source, tmp_path / "called.jsonl", options=COLUMNS)
    typed = cli("convert", source, tmp_path / "typed.jsonl", "--from-option", 'columns=["token","pos","ner"]')
    printed = cli("convert", source, "-", "--to", "jsonl", "--from-option", 'columns=["token","pos","ner"]')
    assert (typed.code, printed.code) == (0, 0)
    assert (tmp_path / "called.jsonl").read_bytes() == (tmp_path / "typed.jsonl").read_bytes()
    assert (tmp_path / "called.jsonl").read_text(encoding="utf-8") == printed.out
    assert typed.err == printed.err == f"{conversion.summary()}\n"
    assert (conversion.written, conversion.failed) == (26, 0)
    gold = [json.loads(line) for line in printed.out.splitlines()]
    assert conversion.annotations["ents"] == sum(len(document["spans"]) for document in gold)
    assert conversion.alignment.exact == conversion.annotations["ents"]


def test_nothing_is_printed_and_no_good_document_is_lost(tmp_path, capfd):
    source = tmp_path / "in.jsonl"
    source.write_text(
        '{"text": "One.", "spans": [{"start": 0, "end": 2, "label": "X"}]}\n{broken\n{"text": "Two."}\n'
    )
    errors: list[Exception] = []
    conversion = glossator.convert(
        str(source), str(tmp_path / "out.jsonl"), lang="en", on_error=errors.append
    )
    assert (conversion.written, conversion.failed) == (2, 1)
    assert (conversion.alignment.exact, conversion.alignment.repaired) == (0, 1)
    assert [str(error).partition(": ")[0] for error in errors] == [f"{source}:2"]
    assert isinstance(errors[0], DataError)
    assert capfd.readouterr() == ("", "")
    texts = [json.loads(line)["text"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert texts == ["One.", "Two."]


def test_what_the_output_cannot_hold_is_a_message(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "Mara saw Oslo", "spans": [{"start": 0, "end": 4, "label": "PER"}]}\n')
    messages: list[str] = []
    glossator.convert(source, tmp_path / "out.data", to="conllu", on_message=messages.append)
    assert len(messages) == 1
    assert messages[0].startswith("conllu cannot hold 1 entities: they are not written")


def test_an_output_stays_where_there_is_nothing_to_write(tmp_path):
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("{broken\n")
    output.write_text("precious")
    messages: list[str] = []
    conversion = glossator.convert(source, output, on_message=messages.append)
    assert (conversion.written, conversion.failed) == (0, 1)
    assert messages == [f"no document was written: {output} is unchanged"]
    assert output.read_text() == "precious"


def test_misuse_is_typed_and_writes_nothing(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "One."}\n')
    with pytest.raises(UsageError, match="would be overwritten"):
        glossator.convert(source, source)
    with pytest.raises(UsageError, match="the output is a file or a folder"):
        glossator.convert(source, "-", to="jsonl")
    with pytest.raises(UsageError, match=r"out\.odd: no format has this ending"):
        glossator.convert(source, tmp_path / "out.odd")
    with pytest.raises(DataError, match="there is no folder"):
        glossator.convert(source, tmp_path / "no" / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
    assert source.read_text() == '{"text": "One."}\n'


def test_an_input_that_is_missing_counts_as_failed(tmp_path):
    errors: list[Exception] = []
    output = tmp_path / "out.jsonl"
    conversion = glossator.convert(tmp_path / "nowhere.conll", output, on_error=errors.append)
    assert (conversion.written, conversion.failed, len(errors)) == (0, 1, 1)
    assert not output.exists()
