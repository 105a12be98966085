"""Published corpora come out with the counts their publishers name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from glossator.errors import DataError
from glossator.formats.clinc import Clinc
from glossator.formats.conll import Columns
from glossator.formats.conllu import ConllU
from glossator.formats.csv_table import Table, tab_separated
from glossator.formats.iob2 import Iob2
from glossator.formats.labelled_text import LabelledLines
from glossator.formats.text import TextFiles

CORPORA = os.environ.get("GLOSSATOR_CORPORA")

pytestmark = pytest.mark.skipif(not CORPORA, reason="GLOSSATOR_CORPORA names no folder of corpora")

# File: sentences, then words and entities where they are published.
UD_EWT = {"train": (12544, 204577), "dev": (2001, 25147), "test": (2077, 25094)}
IOB2 = {
    "uner_ewt/en_ewt-ud-train.iob2": (12543, 7022),
    "uner_ewt/en_ewt-ud-dev.iob2": (2001, 966),
    "uner_ewt/en_ewt-ud-test.iob2": (2077, 1088),
    "uner_pt_bosque/pt_bosque-ud-train.iob2": (7018, None),
    "uner_pt_bosque/pt_bosque-ud-dev.iob2": (1172, None),
    "uner_pt_bosque/pt_bosque-ud-test.iob2": (1167, None),
    "uner_zh_gsd/zh_gsd-ud-train.iob2": (3997, None),
    "uner_zh_gsd/zh_gsd-ud-dev.iob2": (500, None),
    "uner_zh_gsd/zh_gsd-ud-test.iob2": (500, None),
}
COLUMNS = {
    "wnut17/wnut17train.conll": (3394, 1975),
    "wnut17/emerging.dev.conll": (1009, 836),
    "wnut17/emerging.test.annotated": (1287, 1079),
    "btc/btc.train": (6338, 8779),
    "btc/btc.dev": (1001, 1730),
    "btc/btc.test": (2001, 4376),
    "wikigold/wikigold.conll.txt": (1696, 3558),
}
LINES = {
    "mr/rt-polarity.neg": 5331,
    "mr/rt-polarity.pos": 5331,
    "subj/subj.objective": 5000,
    "subj/subj.subjective": 5000,
}


def read(file_format, file, encoding="utf-8"):
    path = Path(CORPORA) / file
    if not path.exists():
        pytest.skip(f"GLOSSATOR_CORPORA has no {file}")
    records = list(file_format.read(path, name=file, encoding=encoding))
    assert [str(item) for item in records if isinstance(item, DataError)] == []
    return records


@pytest.mark.parametrize("split", UD_EWT)
def test_universal_dependencies(split):
    records = read(ConllU(), f"ud_ewt/en_ewt-ud-{split}.conllu")
    assert (len(records), sum(len(record.tokens.words) for record in records)) == UD_EWT[split]
    assert all(record.tokens.pos and record.tokens.tags for record in records)


@pytest.mark.parametrize("file", IOB2)
def test_universal_ner(file):
    records = read(Iob2(), file)
    sentences, entities = IOB2[file]
    assert len(records) == sentences
    assert all(record.raw for record in records)
    assert entities in (None, sum(len(record.spans) for record in records))


@pytest.mark.parametrize("file", COLUMNS)
def test_columns(file):
    records = read(Columns(), file)
    assert (len(records), sum(len(record.spans) for record in records)) == COLUMNS[file]


@pytest.mark.parametrize("file", LINES)
def test_a_sentence_a_line_in_another_encoding(file):
    assert len(read(TextFiles("line"), file, "cp1252")) == LINES[file]


def test_what_is_not_utf8_costs_its_lines_only():
    path = Path(CORPORA) / "mr/rt-polarity.neg"
    if not path.exists():
        pytest.skip("GLOSSATOR_CORPORA has no mr")
    items = list(TextFiles("line").read(path, name="neg", encoding="utf-8"))
    bad = [item for item in items if isinstance(item, DataError)]
    assert len(items) == LINES["mr/rt-polarity.neg"]
    assert 0 < len(bad) < len(items)


TABLES = {
    "banking77/train.csv": (Table(label="category"), 10_003),
    "banking77/test.csv": (Table(label="category"), 3_080),
    "goemotions/train.tsv": (tab_separated(header=["text", "label", "id"]), 43_410),
    "goemotions/dev.tsv": (tab_separated(header=["text", "label", "id"]), 5_426),
    "goemotions/test.tsv": (tab_separated(header=["text", "label", "id"]), 5_427),
}


@pytest.mark.parametrize("file", TABLES)
def test_tables(file):
    table, documents = TABLES[file]
    records = read(table, file)
    assert len(records) == documents
    assert all(len(record.cats) == 1 for record in records)


def test_labelled_lines():
    records = read(LabelledLines(), "smsspam/SMSSpamCollection")
    assert [sum(label in record.cats for record in records) for label in ("ham", "spam")] == [4_827, 747]


CLINC = {"train": 15_000, "val": 3_000, "test": 4_500, "oos_train": 100, "oos_val": 100, "oos_test": 1_000}


@pytest.mark.parametrize("name", CLINC)
def test_clinc(name):
    assert len(read(Clinc([name]), "clinc150/data_full.json")) == CLINC[name]
