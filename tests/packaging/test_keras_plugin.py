"""A stranger's Keras network, installed by pip: trained, saved, and annotating where there is no Keras."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (find_spec("keras") and find_spec("tensorflow")), reason="needs glossator[train]"),
]

CLI = "from glossator.cli import main; main()"
CONFIG = """
[glossator]
lang = "en"

[taggers.ner]
stage = "neighbours"
write = "ents"
width = 16

[taggers.pos]
stage = "sample_keras/neighbours"
write = "pos"
width = 16
vectors = ["lengths"]

[embedders.lengths]
stage = "shouting/length"

[data.ner]
corpus = "samples"

[data.pos]
corpus = "samples"

[training]
max_epochs = 6
batch_words = 100
"""
BLOCKED = 'import sys; sys.modules["tensorflow"] = sys.modules["keras"] = None\n'
ANNOTATE = """
import json, sys
import glossator
pipeline = glossator.load("stranger")
docs = list(pipeline.pipe([
    "Mara Voss left Lisbon on Friday.",
    "",
    "The council of Larkfield met, and Mara Voss came by the night train from Lisbon.",
]))
scores = [[score for group in doc.spans.values() for score in group.attrs["scores"]] for doc in docs]
found = [[[[e.start, e.end, e.label_] for e in doc.ents], [token.pos_ for token in doc], sure]
         for doc, sure in zip(docs, scores)]
print(json.dumps([found, sorted({name.partition(".")[0] for name, module in sys.modules.items() if module})]))
"""


@pytest.fixture(scope="module")
def trained(third_party):
    """An environment in whose folder the pipeline `stranger` was trained from a command line."""
    (third_party.folder / "stranger.cfg").write_text(CONFIG, encoding="utf-8")
    done = third_party.run("-c", CLI, "train", "stranger.cfg", "-o", "stranger")
    assert done.returncode == 0, done.stderr
    return third_party


def test_a_network_of_a_stranger_learns(trained):
    meta = json.loads((trained.folder / "stranger" / "meta.json").read_text())
    assert meta["heads"]["ner"]["distribution"] == "sample-keras"
    assert meta["scores"]["ner"]["dev"] > 0.2
    assert meta["scores"]["pos"]["dev"] > 0.6


def test_it_annotates_without_keras_as_with_it(trained):
    with_keras, _ = trained.call("import keras\n" + ANNOTATE)
    without, loaded = trained.call(BLOCKED + ANNOTATE)
    assert "onnxruntime" in loaded
    assert not {"tensorflow", "keras", "tf2onnx", "onnx"} & set(loaded)
    assert without == with_keras
    assert any(ents for ents, _, _ in without)
    assert all(0 < score <= 1 for _, _, scores in without for score in scores)
    assert without[1] == [[], [], []]


def test_the_pipeline_checks_itself_without_keras(trained):
    done = trained.run("-c", BLOCKED + CLI, "info", "stranger", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_keeps_the_contract_of_every_stage(trained):
    checks = [
        "light import",
        "batch invariance",
        "odd documents",
        "damage is an error",
        "works in a spawned worker",
    ]
    chosen = [argument for check in checks for argument in ("--only", check)]
    done = trained.run("-c", CLI, "plugins", "check", "neighbours", "--set", "write=ents", *chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    for check in checks:
        assert check in done.stdout
