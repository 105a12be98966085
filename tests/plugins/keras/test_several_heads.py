"""Several classifiers and a tagger in one pipeline: each learns its own data and writes its own labels."""

from __future__ import annotations

import pytest
from training_runs import config_of

pytest.importorskip("keras", reason="needs glossator[train]")
pytest.importorskip("tensorflow", reason="needs glossator[train]")

import glossator
from glossator.data.examples import read_gold
from glossator.data.source import data_source
from glossator.errors import ConfigError
from glossator.evaluation.evaluate import evaluate_head
from glossator.training.trainer import train

pytestmark = pytest.mark.slow

CONFIG = """
[glossator]
lang = "en"
name = "heads"

[taggers.ner]
stage = "bilstm-crf"
width = 12
learn_rate = 0.02

[classifiers.mood]
stage = "cnn"
filters = 12
embedding_width = 12
learn_rate = 0.02

[classifiers.tone]
stage = "lstm"
prefix = "tone:"
exclusive = false
widths = [8]
embedding_width = 12
learn_rate = 0.02

[data.ner]
corpus = "samples"

[data.mood]
corpus = "samples_reviews"

[data.tone]
corpus = "samples_reviews"

[training]
max_epochs = 5
batch_words = 100
"""
TEXT = "Mara Voss left Lisbon on Friday. The soup was awful and the waiter rude."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    output = tmp_path_factory.mktemp("heads") / "heads"
    train(config_of(CONFIG), output)
    return output


def test_each_head_is_scored_on_its_own_labels(folder):
    pipeline = glossator.load(folder)
    for name, metric in (("ner", "ents_f"), ("mood", "cats_acc"), ("tone", "cats_macro_f")):
        head = pipeline.heads[name]
        gold = read_gold(
            data_source(pipeline.config, head.name, corpora=None, plugins=pipeline.plugins).records("test"),
            head.config.layer,
            pipeline.tokenizer,
        )
        scores = evaluate_head(pipeline, head, gold.examples).scores
        assert scores[metric] > 0.4
        if name != "ner":
            assert scores["cats_f_per_type"].keys() == {"positive", "negative"}


def test_a_doc_has_what_all_of_them_say(folder):
    pipeline = glossator.load(folder)
    doc = pipeline(TEXT)
    assert doc.cats.keys() == {"negative", "positive", "tone:negative", "tone:positive"}
    labels = doc.user_data["glossator"]["labels"]
    assert labels["mood"] == [max(("negative", "positive"), key=doc.cats.__getitem__)]
    least = pipeline.heads["tone"].thresholds
    assert set(labels["tone"]) == {f"tone:{x}" for x in least if doc.cats[f"tone:{x}"] >= least[x]}
    assert "ner" in doc.spans


def test_heads_are_chosen_and_answer_the_same_alone(folder):
    whole = glossator.load(folder)(TEXT)
    only = glossator.load(folder, only=["tone"])(TEXT)
    assert only.cats == {
        label: pytest.approx(whole.cats[label]) for label in ("tone:negative", "tone:positive")
    }
    without = glossator.load(folder, without=["mood", "ner"])(TEXT)
    assert without.cats == only.cats


def test_labels_that_collide_are_an_error_that_says_how_to_part_them(tmp_path):
    config = CONFIG.replace('prefix = "tone:"\n', "").replace("max_epochs = 5", "max_epochs = 1")
    with pytest.raises(ConfigError, match=r"'mood' and 'tone' both write .* give one a prefix"):
        train(config_of(config), tmp_path / "colliding")
