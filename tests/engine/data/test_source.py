"""The labelled data of a head: where it is, what is read of it, and what could not be."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span

from glossator.annotations.layer import ENTS, Layer
from glossator.config.schema import DataConfig
from glossator.data.examples import document_error, has_gold, read_gold
from glossator.data.files import open_reader, open_writer, options_for, read_files
from glossator.data.source import DataSource
from glossator.errors import ConfigError, DataError, PluginError, StageError, UsageError
from glossator.formats import Record
from glossator.pipeline.pipeline import Pipeline
from glossator.plugins.manager import PluginManager

PLUGINS = PluginManager.from_environment()

RECORDS = [
    {"text": "Mara left Oslo.", "spans": [{"start": 0, "end": 4, "label": "PER"}], "cats": {"travel": 1}},
    {"text": "Nothing here.", "spans": []},
    {"text": "Only a category.", "cats": {"travel": 0}},
    {"text": "Raw."},
]


def source(folder: Path, corpora: Path | None = None, **config: object) -> DataSource:
    return DataSource(DataConfig(**config), folder, corpora, PLUGINS)


def write(path: Path, lines: list[object]) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def test_files_count_from_the_configs_folder_and_are_summed(tmp_path):
    file = write(tmp_path / "train.jsonl", RECORDS)
    found = source(tmp_path, train="train.jsonl", dev=str(file))
    assert found.files("train") == found.files("dev") == [file]
    assert found.checksums("train") == {"train.jsonl": hashlib.sha256(file.read_bytes()).hexdigest()}
    assert [record.text for record in found.records("train")] == [line["text"] for line in RECORDS]
    with pytest.raises(ConfigError, match="no test set"):
        found.files("test")
    with pytest.raises(DataError, match=r"gone\.jsonl: cannot read it"):
        source(tmp_path, train="gone.jsonl").checksums("train")


def test_a_corpus_of_the_manifest(samples_folder):
    found = source(Path(), corpus="samples")
    assert found.files("dev") == [samples_folder / "sentences.dev.conll"]
    records = list(found.records("dev"))
    assert records
    assert all(record.spans is not None and record.tokens is not None for record in records)
    with pytest.raises(ConfigError, match="no corpus 'smaples'"):
        source(Path(), corpus="smaples").files("train")


def test_each_layer_has_its_own_examples(tmp_path):
    found = source(tmp_path, train=write(tmp_path / "train.jsonl", RECORDS).name)
    pipeline = Pipeline("en", plugins=PLUGINS)
    counts = {
        layer: len(read_gold(found.records("train"), Layer.parse(layer), pipeline.tokenizer).examples)
        for layer in ("ents", "spans:x", "cats", "tag", "pos")
    }
    assert counts == {"ents": 2, "spans:x": 2, "cats": 2, "tag": 0, "pos": 0}
    data = read_gold(found.records("train"), ENTS, pipeline.tokenizer)
    example = data.examples[0]
    assert example.predicted.vocab is pipeline.vocab
    assert not example.predicted.has_annotation("ENT_IOB")
    assert [(ent.text, ent.label_) for ent in example.reference.ents] == [("Mara", "PER")]
    assert data.alignment.exact == 1


def test_docbins_have_gold_on_the_layers_their_docs_have(tmp_path):
    vocab = spacy.blank("en").vocab
    tagged = Doc(vocab, words=["Mara", "left"], tags=["NNP", "VBD"], pos=["PROPN", "VERB"])
    grouped = Doc(vocab, words=["Oslo"])
    grouped.spans["places"] = [Span(grouped, 0, 1, label="LOC")]
    classified = Doc(vocab, words=["Hm"])
    classified.cats = {"odd": 1.0}
    DocBin(docs=[tagged, grouped, classified], store_user_data=True).to_disk(tmp_path / "gold.spacy")
    records = list(source(tmp_path, train="gold.spacy").records("train"))
    layers = ("ents", "tag", "pos", "spans:places", "spans:other", "cats")
    found = {layer: [has_gold(record, Layer.parse(layer)) for record in records] for layer in layers}
    assert found == {
        "ents": [False, False, False],
        "tag": [True, False, False],
        "pos": [True, False, False],
        "spans:places": [False, True, False],
        "spans:other": [False, False, False],
        "cats": [False, False, True],
    }
    pipeline = Pipeline("en", plugins=PLUGINS)
    for layer, texts in (("tag", ["Mara left "]), ("spans:places", ["Oslo "])):
        examples = read_gold(iter(records), Layer.parse(layer), pipeline.tokenizer).examples
        assert [example.reference.text for example in examples] == texts


def test_bad_records_are_kept_as_errors_and_lose_no_others(tmp_path, test_stages):
    path = tmp_path / "train.jsonl"
    write(path, [*RECORDS[:1], {"text": "UNREADABLE", "spans": []}, *RECORDS[1:]])
    with path.open("ab") as file:
        file.write(b'{"text": "\xff"}\n{]\n')
    plugins = PluginManager.from_environment()
    pipeline = Pipeline("en", tokenizer="touchy", plugins=plugins)
    data = read_gold(source(tmp_path, train="train.jsonl").records("train"), ENTS, pipeline.tokenizer)
    assert [example.predicted.text for example in data.examples] == ["Mara left Oslo.", "Nothing here."]
    assert [(error.file, error.line) for error in data.errors] == [(str(path), line) for line in (2, 6, 7)]
    assert str(data.errors[0]) == f"{path}:2: ValueError: I will not read this"


def test_files_that_end_like_the_training_data_are_read_as_it_was():
    data = DataConfig(train="old/train.csv", options={"text": "message"})
    assert options_for([Path("new.csv"), Path("b/other.csv")], data) == {"text": "message"}
    assert options_for([Path("new.csv"), Path("new.tsv")], data) == {}
    assert options_for([Path("new.csv")], replace(data, format="tsv")) == {}
    assert options_for([Path("new")], DataConfig(corpus="samples")) == {}


def test_the_format_is_named_or_told_by_the_ending(tmp_path):
    path = tmp_path / "x.data"
    path.write_text("one\ntwo\n", encoding="utf-8")
    assert [record.text for record in read_files([path], "lines", {}, "utf-8", PLUGINS)] == ["one", "two"]
    with pytest.raises(UsageError, match="no format has this ending"):
        open_reader(path, "", {}, PLUGINS)
    with pytest.raises(PluginError, match="no format 'linse'"):
        open_reader(path, "linse", {}, PLUGINS)
    with pytest.raises(ConfigError, match="no setting 'colums'"):
        open_reader(path, "conll", {"colums": []}, PLUGINS)
    with pytest.raises(ConfigError, match="'lines' cannot be written"):
        open_writer(path, "lines", PLUGINS)


def test_a_file_of_no_format_is_an_error_among_others_and_misuse_alone(tmp_path):
    good, bad = tmp_path / "a.txt", tmp_path / "b.png"
    for file in (good, bad):
        file.write_text("Text.")
    first, second = read_files([bad, good], "", {}, "utf-8", PLUGINS)
    assert isinstance(first, DataError)
    assert "b.png: no format has this ending" in str(first)
    assert second.text == "Text."
    with pytest.raises(UsageError, match=r"b\.png: no format .* end in .*\.jsonl"):
        read_files([bad], "", {}, "utf-8", PLUGINS)


def test_a_part_file_is_written_in_the_format_of_its_final_name(tmp_path):
    writer = open_writer(tmp_path / "unfinished", "", PLUGINS, final=tmp_path / "out.jsonl")
    writer.write(spacy.blank("en")("Oslo"), Record("Oslo"))
    writer.close()
    assert json.loads((tmp_path / "unfinished").read_text())["text"] == "Oslo"


def test_errors_get_the_place_of_their_document():
    record = Record("x", file="in.txt", line=3)
    assert str(document_error(record, StageError("it failed"))) == "in.txt:3: it failed"
    assert str(document_error(record, KeyError("k"))) == "in.txt:3: KeyError: 'k'"
    placed = DataError("bad", file="other.txt", line=1)
    assert document_error(record, placed) is placed
