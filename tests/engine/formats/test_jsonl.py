from __future__ import annotations

import json
from pathlib import Path

import pytest
from spacy.tokens import Doc, Span, SpanGroup
from spacy.vocab import Vocab

from glossator.annotations.write import write_provenance
from glossator.errors import DataError
from glossator.formats.jsonl import JsonLines, as_json
from glossator.formats.record import CharSpan, Record


def read(folder: Path, *lines: str) -> list[Record | DataError]:
    path = folder / "given.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return list(JsonLines().read(path, name="given.jsonl", encoding="utf-8"))


def ada() -> Doc:
    return Doc(
        Vocab(),
        words=["Ada", "wrote", "to", "Mary", "Ann", "."],
        spaces=[True, True, True, True, False, False],
    )


TEXT = "Ada wrote to Mary Ann."


def test_all_that_is_read(tmp_path):
    given = {
        "id": [1, {"a": None}],
        "text": "Ada ran.\n\nFast!",
        "spans": [{"start": 0, "end": 3, "label": "PER", "token_start": 0, "score": 0.5}],
        "cats": {"sport": 1, "art": 0.25, "old": True},
        "tokens": [
            {"start": 0, "end": 3, "tag": "NNP", "pos": "PROPN", "id": 0, "ws": True},
            {"start": 4, "end": 7, "pos": "VERB"},
            {"start": 7, "end": 8},
            {"start": 10, "end": 14},
            {"start": 14, "end": 15},
        ],
        "é": "ü",
    }
    (record,) = read(tmp_path, json.dumps(given))
    assert record.text == given["text"]
    assert record.spans == [CharSpan(0, 3, "PER")]
    assert record.cats == {"sport": 1.0, "art": 0.25, "old": 1.0}
    assert record.tokens.words == ["Ada", "ran", ".", "\n\n", "Fast", "!"]
    assert record.tokens.spaces == [True, False, False, False, False, False]
    assert record.tokens.tags == ["NNP", "", "", "", "", ""]
    assert record.tokens.pos == ["PROPN", "VERB", "", "", "", ""]
    assert list(record.fields.items()) == [("id", [1, {"a": None}]), ("é", "ü")]
    assert (record.file, record.line, record.raw) == ("given.jsonl", 1, True)


BAD = {
    "{": "is not JSON",
    "[1]": "is not a JSON object",
    "[" * 100_000: "nested too deeply",
    '{"text": "a", "x": NaN}': "NaN",
    '{"note": "a"}': '"text" is missing',
    '{"text": 5}': '"text" is not a string',
    '{"text": "a\\ud800b"}': "surrogate",
    '{"text": "ab", "spans": {}}': '"spans" is not a list',
    '{"text": "ab", "spans": [3]}': "not an object",
    '{"text": "ab", "spans": [{"start": 0, "end": 3, "label": "X"}]}': "outside",
    '{"text": "ab", "spans": [{"start": -1, "end": 1, "label": "X"}]}': "outside",
    '{"text": "ab", "spans": [{"start": 2, "end": 1, "label": "X"}]}': "outside",
    '{"text": "ab", "spans": [{"start": true, "end": 2, "label": "X"}]}': "whole numbers",
    '{"text": "ab", "spans": [{"start": 0.0, "end": 2, "label": "X"}]}': "whole numbers",
    '{"text": "ab", "spans": [{"start": 0, "end": 2}]}': '"label" of a span is missing',
    '{"text": "ab", "spans": [{"start": 0, "end": 2, "label": ""}]}': "is empty",
    '{"text": "ab", "cats": ["X"]}': '"cats"',
    '{"text": "ab", "cats": {"X": "1"}}': "no number for 'X'",
    '{"text": "ab", "cats": {"X": 1e999}}': "the number 1e999 is too large",
    '{"text": "ab", "price": -1e999}': "the number -1e999 is too large",
    '{"text": "ab", "cats": {"X": 1' + "0" * 400 + "}}": "no number for 'X'",
    '{"text": "ab", "tokens": [{"start": 0, "end": 1}]}': "leave out 'b'",
    '{"text": "ab", "tokens": [{"start": 0, "end": 2}, {"start": 1, "end": 2}]}': "overlapping",
    '{"text": "ab", "tokens": [{"start": 0, "end": 2, "pos": "NN"}]}': "'NN' is not a universal",
    '{"text": "ab", "tokens": [{"start": 0, "end": 2, "tag": 1}]}': '"tag" of a token is not a string',
}


@pytest.mark.parametrize("line", BAD, ids=lambda line: line[:40])
def test_a_wrong_line_costs_itself_only(tmp_path, line):
    first, error, last = read(tmp_path, '{"text": "one"}', "  ", line, '{"text": "two", "spans": null}')
    assert (first.text, last.text, last.spans) == ("one", "two", None)
    assert isinstance(error, DataError)
    assert str(error).startswith("given.jsonl:3: ")
    assert BAD[line] in str(error)


def test_entities_are_written_with_their_scores():
    doc = ada()
    doc.set_ents([Span(doc, 0, 1, "PER"), Span(doc, 3, 5, "PER")])
    doc.spans["ner"] = SpanGroup(
        doc, name="ner", attrs={"layer": "ents", "scores": [0.5]}, spans=[Span(doc, 3, 5, "PER")]
    )
    assert as_json(doc, Record(TEXT)) == {
        "text": TEXT,
        "spans": [
            {"start": 0, "end": 3, "label": "PER"},
            {"start": 13, "end": 21, "label": "PER", "score": 0.5},
        ],
    }


def test_a_doc_without_entities_says_so():
    doc = ada()
    assert "spans" not in as_json(doc, Record(TEXT))
    doc.set_ents([])
    assert as_json(doc, Record(TEXT, spans=[CharSpan(0, 3, "OLD")]))["spans"] == []


def test_span_groups_are_written_by_key():
    doc = ada()
    both = [Span(doc, 0, 2, "A"), Span(doc, 1, 3, "B")]
    doc.spans["own"] = both
    doc.spans["sc"] = SpanGroup(
        doc, name="sc", attrs={"layer": "spans:sc", "scores": [0.75, 0.5]}, spans=both
    )
    doc.spans["tagger"] = SpanGroup(doc, name="tagger", attrs={"layer": "tag", "scores": [0.9] * 6})
    a, b = {"start": 0, "end": 9, "label": "A"}, {"start": 4, "end": 12, "label": "B"}
    written = as_json(doc, Record(TEXT, fields={"span_groups": {"old": [], "own": "gone"}}))
    assert written == {
        "text": TEXT,
        "span_groups": {"old": [], "own": [a, b], "sc": [{**a, "score": 0.75}, {**b, "score": 0.5}]},
    }


def test_categories_that_hold_are_written_by_classifier():
    doc = ada()
    doc.cats = {"news": 0.7, "joy": 0.4, "anger": 0.1}
    assert "labels" not in as_json(doc, Record(TEXT))
    write_provenance(doc, "p", "1", {"topic": ["news"], "emotion": []})
    written = as_json(doc, Record(TEXT, fields={"labels": "mine"}))
    assert written["labels"] == {"topic": ["news"], "emotion": []}
    assert written["labels_"] == "mine"
    assert written["cats"] == {"news": 0.7, "joy": 0.4, "anger": 0.1}


def test_tokens_are_written_where_there_are_tags():
    doc = Doc(Vocab(), words=["Hi", "\n", "you"], spaces=[False, False, False], tags=["UH", "_SP", ""])
    assert as_json(doc, Record(doc.text))["tokens"] == [
        {"start": 0, "end": 2, "tag": "UH"},
        {"start": 2, "end": 3, "tag": "_SP"},
        {"start": 3, "end": 6},
    ]
    assert "tokens" not in as_json(ada(), Record(TEXT))


def test_what_the_record_said_stays_where_the_doc_says_nothing():
    doc = ada()
    record = Record(TEXT, spans=[CharSpan(1, 2, "X")], cats={"a": 1.0})
    kept = as_json(doc, record)
    assert kept["spans"] == [{"start": 1, "end": 2, "label": "X"}]
    assert kept["cats"] == {"a": 1.0}
    doc.cats = {"b": 0.5}
    assert as_json(doc, record)["cats"] == {"b": 0.5}


def test_fields_do_not_collide_with_ours():
    doc = ada()
    doc.cats = {"a": 1.0}
    fields = {"text": "mine", "cats": 1, "cats_": 2, "spans": 3, "file": "f"}
    written = as_json(doc, Record(TEXT, fields=fields))
    assert written == {
        "text": TEXT,
        "text_": "mine",
        "cats__": 1,
        "cats_": 2,
        "spans_": 3,
        "file": "f",
        "cats": {"a": 1.0},
    }
    assert fields["text"] == "mine"


def test_appending_and_half_characters_in_fields(tmp_path):
    path = tmp_path / "out.jsonl"
    for append in (False, True):
        writer = JsonLines().writer(path, append=append)
        writer.write(ada(), Record(TEXT, fields={"odd": "\ud800 ü"}))
        writer.flush()
        writer.close()
    first, second = path.read_bytes().splitlines()
    assert first == second == b'{"text": "Ada wrote to Mary Ann.", "odd": "\\ud800 \xc3\xbc"}'
    records = list(JsonLines().read(path, name="out", encoding="utf-8"))
    assert [record.fields for record in records] == [{"odd": "\ud800 ü"}] * 2
