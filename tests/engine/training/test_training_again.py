"""Training a pipeline again from its own folder, with stages that do not learn beside those that do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from training_runs import config_of, weights_of

import glossator
from glossator.config.text import read_config
from glossator.training.trainer import train

GAZETTEER = """
[glossator]
lang = "en"
heads = ["cities", "mood"]

[taggers.cities]
stage = "gazetteer"
write = "spans:cities"
phrases = "lists/cities.jsonl"

[classifiers.mood]
stage = "linear"

[data.mood]
train = "lists/train.jsonl"
dev = "lists/dev.jsonl"

[training]
max_epochs = 1
"""

CRF = """
[glossator]
lang = "en"

[taggers.cities]
stage = "crf"
gazetteer = "lists/cities.jsonl"

[data.cities]
train = "train.jsonl"
dev = "dev.jsonl"
"""


@pytest.fixture
def with_gazetteer(tmp_path, samples_folder) -> Path:
    home = tmp_path / "home"
    (home / "lists").mkdir(parents=True)
    (home / "lists" / "cities.jsonl").write_text('{"label": "CITY", "phrase": "New York"}\n')
    for split in ("train", "dev"):
        shutil.copy(samples_folder / f"reviews.{split}.jsonl", home / "lists" / f"{split}.jsonl")
    result = train(config_of(GAZETTEER, home), tmp_path / "first")
    assert list(result.heads) == ["mood"]
    return tmp_path / "first"


def finds_cities(pipeline: Path) -> bool:
    doc = glossator.load(pipeline)("She moved to New York in May.")
    return [(span.text, span.label_) for span in doc.spans["cities"]] == [("New York", "CITY")]


def test_a_stage_that_does_not_learn_is_saved_beside_those_that_do(with_gazetteer, tmp_path, monkeypatch):
    (tmp_path / "home" / "lists" / "cities.jsonl").unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(with_gazetteer, elsewhere / "moved")
    monkeypatch.chdir("/")
    assert finds_cities(elsewhere / "moved")


@pytest.mark.slow
def test_a_pipeline_is_trained_again_from_its_own_folder(with_gazetteer, tmp_path, cli):
    ended = cli("train", with_gazetteer, "-o", tmp_path / "deeper" / "second")
    assert ended.code == 0, ended.err
    (tmp_path / "home" / "lists" / "cities.jsonl").unlink()  # from here on there are only copies
    ended = cli("train", tmp_path / "deeper" / "second", "-o", tmp_path / "third")
    assert ended.code == 0, ended.err
    for again in (tmp_path / "deeper" / "second", tmp_path / "third"):
        assert finds_cities(again)
        left, right = weights_of(with_gazetteer), weights_of(again)
        assert all(np.array_equal(left[name], right[name]) for name in left)


def test_a_tagger_that_learns_with_a_list_is_trained_again_from_its_own_folder(with_gazetteer, tmp_path):
    home = tmp_path / "home"
    rows = [
        {"text": f"He lives in {city} .", "spans": [{"start": 12, "end": 12 + len(city), "label": "CITY"}]}
        for city in ("New York", "Oslo", "New York")
    ]
    for split in ("train", "dev"):
        lines = [json.dumps(row | {"text": f"{row['text']} {split}"}) for row in rows]
        (home / f"{split}.jsonl").write_text("\n".join(lines))
    train(config_of(CRF, home), tmp_path / "first-crf")
    (home / "lists" / "cities.jsonl").unlink()
    again = read_config(tmp_path / "first-crf" / "config.cfg")
    train(again, tmp_path / "second-crf")
    left, right = weights_of(tmp_path / "first-crf"), weights_of(tmp_path / "second-crf")
    assert left
    assert all(np.array_equal(left[name], right[name]) for name in left)


def test_a_pipeline_is_trained_again_in_place(with_gazetteer, tmp_path, cli):
    before = weights_of(with_gazetteer)
    ended = cli("train", with_gazetteer, "-o", with_gazetteer, "--set", "classifiers.mood.strength=0.5")
    assert ended.code == 0, ended.err
    assert finds_cities(with_gazetteer)
    after = weights_of(with_gazetteer)
    assert any(not np.array_equal(before[name], after[name]) for name in before)
