"""A pipeline of a `bert` tagger: trained as a user trains it, used where no Keras is, and trained again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_bert import write_bert
from training_runs import config_of, weights_of

pytest.importorskip("keras_hub", reason="needs glossator[train]")
pytest.importorskip("tensorflow", reason="needs glossator[train]")

import glossator
from glossator.errors import StageError
from glossator.training.trainer import train

pytestmark = pytest.mark.slow

CONFIG = """
[glossator]
lang = "en"
name = "bert"

[taggers.ner]
stage = "bert"
write = "ents"
checkpoint = "tiny"
learn_rate = 0.003
head_learn_rate = 0.01

[data.ner]
corpus = "samples"

[training]
max_epochs = 6
patience = 6
batch_words = 100
"""
TEXTS = ["Mara Voss left Lisbon on Friday.", "", "The council of Larkfield met. Nobody came!"]

# Loads and annotates where what training needs cannot be imported.
WITHOUT_KERAS = """
import json, sys
for name in ("tensorflow", "keras", "keras_hub", "safetensors", "huggingface_hub", "onnx"):
    sys.modules[name] = None
import glossator

pipeline = glossator.load(sys.argv[1])
docs = [pipeline(text) for text in sys.argv[2:]]
print(json.dumps([list(doc.spans["ner"].attrs["scores"]) for doc in docs]))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """The folder of a pipeline, trained from a checkpoint that stands beside its config."""
    home = tmp_path_factory.mktemp("home")
    write_bert(home / "tiny")
    train(config_of(CONFIG, home), home / "bert")
    return home / "bert"


def test_a_trained_pipeline_annotates_without_keras_and_without_its_checkpoint(trained, tmp_path):
    moved = shutil.copytree(trained, tmp_path / "moved")
    pipeline = glossator.load(moved)
    wanted = [list(pipeline(text).spans["ner"].attrs["scores"]) for text in TEXTS]
    assert any(wanted)
    command = [sys.executable, "-c", WITHOUT_KERAS, str(moved), *TEXTS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    for scores, want in zip(json.loads(done.stdout.splitlines()[-1]), wanted, strict=True):
        assert scores == pytest.approx(want, abs=1e-6)


def test_it_is_trained_again_from_its_own_folder_if_its_checkpoint_is_there(trained, tmp_path):
    from glossator.config.text import read_config

    with pytest.raises(StageError, match=r"checkpoint.*absolute path"):
        train(read_config(trained / "config.cfg"), tmp_path / "again")
    checkpoint = str(trained.with_name("tiny"))
    config = read_config(trained / "config.cfg", overrides={"taggers.ner.checkpoint": checkpoint})
    train(config, tmp_path / "again")
    first, again = weights_of(trained), weights_of(tmp_path / "again")
    assert all(np.array_equal(first[name], again[name]) for name in first)
    train(read_config(tmp_path / "again" / "config.cfg"), tmp_path / "third")
    third = weights_of(tmp_path / "third")
    assert all(np.array_equal(first[name], third[name]) for name in first)
