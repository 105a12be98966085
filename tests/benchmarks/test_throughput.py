from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import click
import pytest
import spacy
from spacy.tokens import DocBin

FILE = Path(__file__).parents[2] / "benchmarks" / "throughput.py"
TEXTS = ["Ruth took the ferry.", "", "It rained in Lisbon\nall day."]


@pytest.fixture(scope="module")
def throughput():
    spec = importlib.util.spec_from_file_location("benchmark_of_throughput", FILE)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def test_both_sides_store_the_same_and_that_is_checked(throughput, tmp_path):
    nlp = spacy.blank("en")
    files = [tmp_path / "ours.spacy", tmp_path / "theirs.spacy"]
    throughput.save_ours(TEXTS, nlp.pipe(TEXTS), files[0])
    throughput.save_peer(TEXTS, nlp.pipe(TEXTS), files[1])
    for file in files:
        docs = DocBin().from_disk(file).get_docs(nlp.vocab)
        assert [doc.text for doc in docs] == TEXTS
    throughput.check_alike(files, 3)
    with pytest.raises(click.ClickException, match=r"of 4 documents .*: ours 3 Docs, theirs 3 Docs"):
        throughput.check_alike(files, 4)
    DocBin(attrs=["LEMMA"], docs=nlp.pipe(TEXTS)).to_disk(files[1])
    with pytest.raises(click.ClickException, match="different things"):
        throughput.check_alike(files, 3)
