"""What gold categories say of themselves, before a classifier learns from them and beside its scores."""

from __future__ import annotations

import json

import pytest
from spacy.training import Example

import glossator
from glossator.config.text import parse_config
from glossator.data.categories import binarize, check_learnable, unknown_categories
from glossator.errors import DataError
from glossator.evaluation.evaluate import evaluate_head, own_categories
from glossator.pipeline.loading import Foreign
from glossator.training.dev_score import dev_score
from glossator.training.trainer import train

POSITIVE_ONLY = [{"bill": 1.0}, {"praise": 1.0}, {"bill": 1.0, "praise": 1.0}]
SPELT_OUT = [{"bill": 1.0, "praise": 0.0}, {"bill": 1.0, "praise": 1.0}]


def test_several_categories_where_one_is_expected_are_refused():
    with pytest.raises(DataError, match=r"1 of its 2 .* bill, praise: set classifiers\.x\.exclusive = false"):
        check_learnable(SPELT_OUT, "x", exclusive=True)
    check_learnable(SPELT_OUT[:1], "x", exclusive=True)
    check_learnable([{"bill": 0.7, "praise": 0.3}] * 3, "x", exclusive=True)  # a teacher's doubt


def test_categories_that_are_never_denied_are_refused():
    with pytest.raises(DataError, match=r"has no negative categories \(0\.0\): add them"):
        check_learnable(POSITIVE_ONLY, "x", exclusive=False)
    check_learnable(SPELT_OUT, "x", exclusive=False)
    check_learnable([], "x", exclusive=False)


def test_unknown_categories_are_counted_where_they_hold():
    gold = [{"bill": 1.0, "rain": 0.0}, {"rain": 1.0}, {"rain": 1.0, "snow": 1.0}]
    assert unknown_categories(gold, {"bill"}) == "rain (2), snow (1)"
    assert unknown_categories(gold, {"bill", "rain", "snow"}) == ""
    many = [{f"label{number}": 1.0} for number in range(8)]
    assert unknown_categories(many, ()).endswith("label4 (1) and 3 more")


class Fixed:
    labels = ("good", "bad")
    exclusive = True

    def predict(self, docs, vectors):
        return [[0.9, 0.1] for _ in docs]


def test_each_head_takes_its_own_of_gold_that_speaks_of_all():
    stage = glossator.Stage(name="fixed", factory=Fixed)
    pipeline = glossator.Pipeline("en").add_classifier("mood", stage)
    pipeline.add_classifier("food", stage, prefix="food:")
    mood, food = pipeline.heads.values()
    gold = {"good": 1.0, "bad": 0.0, "food:bad": 1.0, "food:odd": 1.0, "rain": 1.0}
    of_food = Foreign(labels=frozenset(food.labels), prefixes=("food:",))
    of_mood = Foreign(labels=frozenset(mood.labels), prefixes=())
    assert own_categories(gold, mood, of_food) == {"good": 1.0, "bad": 0.0, "rain": 1.0}
    assert own_categories(gold, food, of_mood) == {"bad": 1.0, "odd": 1.0, "rain": 1.0}
    assert own_categories({"good": 1.0}, food, Foreign(frozenset(), ())) == {"good": 1.0}


def test_probabilities_as_gold_are_decided():
    doubtful = {"good": 0.6, "bad": 0.5, "rain": 0.0}
    assert binarize(doubtful, exclusive=True) == {"good": 1.0, "bad": 0.0, "rain": 0.0}
    assert binarize(doubtful, exclusive=False) == {"good": 1.0, "bad": 1.0, "rain": 0.0}
    for sure in ({"good": 1.0, "bad": 1.0}, {"good": 0.0}, {}):
        assert binarize(sure, exclusive=True) == binarize(sure, exclusive=False) == sure


def test_probabilities_as_gold_are_scored_as_what_they_say():
    pipeline = glossator.Pipeline("en").add_classifier("mood", glossator.Stage(name="fixed", factory=Fixed))
    (head,) = pipeline.heads.values()
    scores = []
    for gold in ({"good": 0.8, "bad": 0.2}, {"good": 1.0, "bad": 0.0}):
        reference = pipeline.tokenizer("Fine.")
        reference.cats = gold
        examples = [Example(pipeline.tokenizer("Fine."), reference)]
        result = evaluate_head(pipeline, head, examples)
        scores.append((result.scores["cats_acc"], result.scores["cats_macro_auc"], result.scores["ece"]))
        assert dev_score(pipeline, head, examples).score == result.scores["cats_macro_f"]
        assert reference.cats == gold  # to be learned from as it is
    assert scores[0] == scores[1]


CONFIG = """
[glossator]
lang = "en"

[classifiers.topic]
stage = "linear"
exclusive = {exclusive}

[data.topic]
train = "train.jsonl"
dev = "dev.jsonl"

[training]
max_epochs = 1
"""


TONE = """
[classifiers.tone]
stage = "linear"
prefix = "tone:"

[data.tone]
train = "train.jsonl"
dev = "dev.jsonl"
"""


def written(path, cats):
    lines = [json.dumps({"text": f"Word {number}.", "cats": each}) for number, each in enumerate(cats)]
    path.write_text("\n".join(lines))
    return path


def test_a_classifier_is_scored_on_its_own_labels_of_one_file_of_gold(tmp_path, cli):
    for name in ("train", "dev"):
        written(tmp_path / f"{name}.jsonl", [{"bill": 1.0}, {"praise": 1.0}] * 4)
    train(parse_config(CONFIG.format(exclusive="true") + TONE, folder=tmp_path), tmp_path / "pipeline")
    pipeline = glossator.load(tmp_path / "pipeline")
    gold = []
    for number in range(6):
        held = pipeline(f"Word {number}.").user_data["glossator"]["labels"]
        gold.append({held["topic"][0]: 1.0, held["tone"][0]: 1.0} | ({"rain": 1.0} if number == 5 else {}))
    done = cli("evaluate", tmp_path / "pipeline", written(tmp_path / "gold.jsonl", gold[:5]), "--json")
    heads = json.loads(done.out)["heads"]
    assert [heads[name]["cats_acc"] for name in ("topic", "tone")] == [1.0, 1.0]
    assert "does not know" not in done.err


def test_training_and_scoring_say_what_labels_lack(tmp_path, cli):
    written(tmp_path / "train.jsonl", [{"bill": 1.0, "praise": 0.0}, {"bill": 0.0, "praise": 1.0}] * 4)
    written(tmp_path / "dev.jsonl", [{"bill": 1.0, "praise": 0.0}, {"rain": 1.0}])
    config = tmp_path / "topic.cfg"
    config.write_text(CONFIG.format(exclusive="false"))
    done = cli("train", config, "-o", tmp_path / "pipeline")
    assert done.code == 0, done.err
    assert "topic: labels of the dev set alone: rain (1); they are ignored" in done.err
    gold = written(tmp_path / "gold.jsonl", [{"bill": 1.0}, {"snow": 1.0}])
    done = cli("evaluate", tmp_path / "pipeline", gold)
    assert "categories of the gold that are not among its labels cannot be predicted: snow (1)" in done.err
    assert "the gold has no negative categories (0.0), so every prediction counts as correct" in done.err


@pytest.mark.parametrize(("exclusive", "cats"), [("false", POSITIVE_ONLY), ("true", SPELT_OUT)])
def test_what_cannot_be_learned_leaves_nothing_behind(tmp_path, exclusive, cats):
    for name in ("train", "dev"):
        written(tmp_path / f"{name}.jsonl", cats)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DataError, match="exclusive = "):
        train(parse_config(CONFIG.format(exclusive=exclusive), folder=tmp_path), tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == before
