from __future__ import annotations

import io
from pathlib import Path

import pytest
from spacy.tokens import Doc, DocBin, Span, SpanGroup
from spacy.vocab import Vocab

from glossator.errors import DataError, UsageError
from glossator.formats import docbin
from glossator.formats.docbin import DocBinFiles
from glossator.formats.record import CharSpan, Record


def annotated(vocab: Vocab, *words: str) -> Doc:
    doc = Doc(vocab, words=list(words), tags=["TAG"] * len(words))
    doc.set_ents([Span(doc, 0, 1, "FIRST")])
    doc.cats = {"c": 0.5}
    group = SpanGroup(
        doc, name="g", attrs={"layer": "spans:g", "scores": [0.25]}, spans=[Span(doc, 0, 1, "G")]
    )
    doc.spans["g"] = group
    doc.user_data["version"] = "1"
    return doc


def read(path: Path) -> list[Record | DataError]:
    return list(DocBinFiles().read(path, name=path.name, encoding="utf-8"))


def write(path: Path, docs: list[Doc], append: bool = False) -> None:
    writer = DocBinFiles().writer(path, append=append)
    for doc in docs:
        writer.write(doc, Record(doc.text))
    writer.close()


def test_everything_comes_back(tmp_path):
    doc = annotated(Vocab(), "Ada", "ran")
    fields = {"id": [1, {"a": [2, 3]}], "file": "x.txt"}
    path = tmp_path / "out.spacy"
    writer = DocBinFiles().writer(path)
    writer.write(doc, Record(doc.text, fields=fields))
    assert not path.exists()
    writer.close()
    (record,) = read(path)
    assert record.doc.to_json() == doc.to_json()
    assert record.doc.user_data == doc.user_data == {"version": "1"}
    assert record.doc.spans["g"].attrs == doc.spans["g"].attrs
    assert (record.text, record.spans, record.cats) == ("Ada ran ", [CharSpan(0, 3, "FIRST")], {"c": 0.5})
    assert record.fields == fields
    assert [path.name for path in tmp_path.iterdir()] == ["out.spacy"]


def test_docs_that_say_nothing(tmp_path):
    write(tmp_path / "out.spacy", [Doc(Vocab(), words=["a"]), Doc(Vocab())])
    word, empty = read(tmp_path / "out.spacy")
    assert (word.text, word.spans, word.cats) == ("a ", None, None)
    assert (empty.text, empty.spans, empty.cats) == ("", None, None)


def test_a_file_of_no_docs(tmp_path):
    write(tmp_path / "out.spacy", [])
    assert read(tmp_path / "out.spacy") == []


@pytest.mark.parametrize("damage", [b"", b"nonsense", "cut", "flip"])
def test_a_damaged_file_is_a_data_error(tmp_path, damage):
    data = DocBin(docs=[annotated(Vocab(), *"abcdefgh")]).to_bytes()
    if damage == "cut":
        damage = data[: len(data) // 2]
    elif damage == "flip":
        middle = len(data) // 2
        damage = data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]
    (tmp_path / "bad.spacy").write_bytes(damage)
    (error,) = read(tmp_path / "bad.spacy")
    assert isinstance(error, DataError)
    assert "DocBin" in str(error)
    assert isinstance(read(tmp_path / "absent.spacy")[0], DataError)


def test_standard_input(monkeypatch):
    data = DocBin(docs=[annotated(Vocab(), "a", "b")]).to_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert [record.text for record in read(Path("-"))] == ["a b "]
    with pytest.raises(UsageError, match="standard output"):
        DocBinFiles().writer(Path("-"))


def test_shards_hold_about_so_many_words_and_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(docbin, "SHARD_WORDS", 4)
    folder = tmp_path / "out"
    docs = [annotated(Vocab(), *f"{n} two three".split()) for n in range(5)]
    write(folder, docs[:3])
    write(folder, docs[3:], append=True)
    shards = sorted(folder.iterdir())
    assert [shard.name for shard in shards] == ["part-00001.spacy", "part-00002.spacy", "part-00003.spacy"]
    assert [[record.text for record in read(shard)] for shard in shards] == [
        [docs[0].text, docs[1].text],
        [docs[2].text],
        [docs[3].text, docs[4].text],
    ]


def test_a_flush_puts_everything_on_disk(tmp_path):
    writer = DocBinFiles().writer(tmp_path / "out")
    writer.flush()
    assert list((tmp_path / "out").iterdir()) == []
    writer.write(annotated(Vocab(), "a"), Record("a "))
    writer.flush()
    (shard,) = (tmp_path / "out").iterdir()
    assert [record.text for record in read(shard)] == ["a "]
    writer.close()
    assert list((tmp_path / "out").iterdir()) == [shard]


def test_output_that_is_there_is_not_mixed_with_new(tmp_path):
    write(tmp_path / "out", [annotated(Vocab(), "a")])
    with pytest.raises(UsageError, match="already holds shards"):
        DocBinFiles().writer(tmp_path / "out")
    write(tmp_path / "one.spacy", [annotated(Vocab(), "a")])
    with pytest.raises(UsageError, match="write to a folder"):
        DocBinFiles().writer(tmp_path / "one.spacy", append=True)
    write(tmp_path / "one.spacy", [annotated(Vocab(), "b")])
    assert [record.text for record in read(tmp_path / "one.spacy")] == ["b "]
    for path in (tmp_path / "no" / "one.spacy", tmp_path / "one.spacy" / "out"):
        with pytest.raises(DataError):
            DocBinFiles().writer(path)


def test_a_doc_that_cannot_be_stored_spoils_no_other(tmp_path):
    first, bad, last = (annotated(Vocab(), word) for word in "abc")
    bad.user_data["thing"] = object()
    last.user_data["version"] = "3"
    writer = DocBinFiles().writer(tmp_path / "out.spacy")
    writer.write(first, Record(first.text))
    with pytest.raises(DataError, match=r"in\.jsonl:5: the Doc cannot be stored: its user_data"):
        writer.write(bad, Record(bad.text, file="in.jsonl", line=5))
    writer.write(last, Record(last.text))
    writer.close()
    records = read(tmp_path / "out.spacy")
    assert [(record.text, record.doc.user_data) for record in records] == [
        ("a ", {"version": "1"}),
        ("c ", {"version": "3"}),
    ]


def test_docs_outlive_their_memory_zone(tmp_path):
    vocab = Vocab()
    writer = DocBinFiles().writer(tmp_path / "out.spacy")
    for batch in range(3):
        with vocab.memory_zone():
            doc = annotated(vocab, f"unseen{batch}", f"word{batch}")
            doc[1].tag_ = f"TAG{batch}"
            doc.spans[f"key{batch}"] = [Span(doc, 0, 2, f"LABEL{batch}")]
            writer.write(doc, Record(doc.text))
            del doc
    writer.close()
    for batch, record in enumerate(read(tmp_path / "out.spacy")):
        assert record.text == f"unseen{batch} word{batch} "
        assert record.doc[1].tag_ == f"TAG{batch}"
        (span,) = record.doc.spans[f"key{batch}"]
        assert (span.start, span.end, span.label_) == (0, 2, f"LABEL{batch}")
