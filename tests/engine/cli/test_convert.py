"""`glossator convert`: nothing that was there is lost, and what a format cannot hold is said."""

from __future__ import annotations

import json

import pytest


def lines_of(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_convert_keeps_every_layer(cli, tmp_path, samples_folder):
    columns = ("--from-option", 'columns=["token","pos","ner"]')
    source = samples_folder / "sentences.dev.conll"
    ended = cli("convert", source, tmp_path / "out.spacy", *columns)
    assert ended.code == 0, ended.err
    assert "26 documents converted" in ended.err
    ended = cli("convert", tmp_path / "out.spacy", tmp_path / "out.jsonl")
    assert ended.code == 0, ended.err
    direct = cli("convert", source, "-", *columns, "--to", "jsonl")
    assert direct.code == 0, direct.err
    through, straight = lines_of((tmp_path / "out.jsonl").read_text()), lines_of(direct.out)
    assert [line["text"] for line in through] == [line["text"] for line in straight]
    assert [line["spans"] for line in through] == [line["spans"] for line in straight]
    assert [line["tokens"] for line in through] == [line["tokens"] for line in straight]


def test_convert_loses_no_good_document(cli, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text(
        '{"text": "One.", "spans": [{"start": 0, "end": 2, "label": "X"}]}\n{broken\n{"text": "Two."}\n'
    )
    ended = cli("convert", source, tmp_path / "out.jsonl", "--lang", "en")
    assert ended.code == 3
    assert f"failed: {source}:2: " in ended.err
    assert "2 documents converted" in ended.err
    assert "1 gold spans: 0 exact, 1 repaired, 0 impossible" in ended.err
    assert [line["text"] for line in lines_of((tmp_path / "out.jsonl").read_text())] == ["One.", "Two."]


def test_convert_counts_what_cannot_be_written_and_goes_on(cli, tmp_path):
    (tmp_path / "in.json").write_text('{"train": [["good", "a"], ["bad \\ud800", "b"], ["more", "a"]]}')
    ended = cli("convert", tmp_path / "in.json", tmp_path / "out.jsonl", "--from", "clinc")
    assert ended.code == 3, ended.err
    assert "1 documents failed" in ended.err
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["good", "more"]


BAD_SOURCES = {"missing": None, "empty": "", "broken": "{broken\n"}


@pytest.mark.parametrize("content", BAD_SOURCES.values(), ids=BAD_SOURCES)
@pytest.mark.parametrize("name", ["out.jsonl", "out.spacy", "out.conllu"])
def test_convert_leaves_the_target_alone_where_there_is_nothing_to_write(cli, tmp_path, content, name):
    source, target = tmp_path / "in.jsonl", tmp_path / name
    if content is not None:
        source.write_text(content)
    for before in (None, "precious"):
        if before:
            target.write_text(before)
        there = sorted(tmp_path.iterdir())
        ended = cli("convert", source, target)
        assert (ended.code, f"{target} is unchanged" in ended.err) == (1, True)
        assert sorted(tmp_path.iterdir()) == there
    assert target.read_text() == "precious"


def test_convert_refuses_to_write_to_its_source(cli, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "One."}\n')
    ended = cli("convert", source, tmp_path / "sub" / ".." / "in.jsonl")
    assert (ended.code, "would be overwritten" in ended.err) == (2, True)
    assert source.read_text() == '{"text": "One."}\n'


def test_convert_replaces_a_target_and_fills_a_folder(cli, tmp_path):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"text": "One."}\n')
    target.write_text("old")
    assert cli("convert", source, target).code == 0
    assert [line["text"] for line in lines_of(target.read_text())] == ["One."]
    assert cli("convert", source, tmp_path / "shards", "--to", "docbin").code == 0
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["part-00001.spacy"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl", "shards"]


def test_what_the_target_cannot_hold_is_said(cli, tmp_path):
    source = tmp_path / "in.jsonl"
    spans = [{"start": 0, "end": 4, "label": "PER"}, {"start": 9, "end": 13, "label": "LOC"}]
    source.write_text(json.dumps({"text": "Mara saw Oslo", "spans": spans, "cats": {"trip": 1.0}}))
    lost = {"conllu": "2 entities, 1 categories", "conll": "1 categories", "iob2": "1 categories"}
    for name, what in lost.items():
        ended = cli("convert", source, "-", "--to", name)
        assert ended.code == 0, ended.err
        assert f"{name} cannot hold {what}: they are not written" in ended.err
    for name in ("out.jsonl", "out.spacy"):
        assert "cannot hold" not in cli("convert", source, tmp_path / name).err
    ended = cli("convert", tmp_path / "out.spacy", "-", "--to", "jsonl")
    assert "2 gold spans: 2 exact, 0 repaired" in ended.err
