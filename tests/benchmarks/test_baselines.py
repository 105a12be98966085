from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.training import Example

import glossator
from glossator.config.schema import DataConfig
from glossator.config.text import read_config
from glossator.data.corpora import manifest, recipe
from glossator.evaluation.significance import accuracy_counts
from glossator.pipeline.pipeline import Pipeline
from glossator.stages import Vectors, VectorSpace

pytestmark = pytest.mark.slow

WANTED = "scikit-learn or CRFsuite is not installed: pip install 'glossator[benchmarks]'"
pytest.importorskip("pycrfsuite", reason=WANTED)
f1_score = pytest.importorskip("sklearn.metrics", reason=WANTED).f1_score
baseline_stages, fit_time, scoring, train_baseline = (
    importlib.import_module(name) for name in ("baseline_stages", "fit_time", "scoring", "train_baseline")
)

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NO_VECTORS = Vectors(VectorSpace(), [])
WORDS = st.lists(st.text("aB9-é", min_size=1, max_size=6), min_size=1, max_size=6)


def script(name, *arguments):
    done = subprocess.run(
        [sys.executable, BENCHMARKS / f"{name}.py", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "220", "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(table):
    return [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in table.splitlines()
        if line.startswith("│")
    ]


def fitted(name, layer):
    pipeline = train_baseline.baseline_pipeline(name, layer)
    train_baseline.fit(pipeline)
    (head,) = pipeline.heads.values()
    return pipeline, head


def test_the_features_of_a_word_are_itself_its_parts_and_its_neighbours():
    of_words = [set(each) for each in baseline_stages.features(["Ruth", "left", "Lisbon", "in", "1998"])]
    own = {"bias", "w=Lisbon", "l=lisbon", "s=Xxx"}
    affixes = {"p1=L", "p2=Li", "p3=Lis", "p4=Lisb", "x1=n", "x2=on", "x3=bon", "x4=sbon"}
    before = {"-2l=ruth", "-2s=Xxx", "-1l=left", "-1s=xx", "-1x3=eft", "b=left lisbon"}
    after = {"1l=in", "1s=xx", "1x3=in", "2l=1998", "2s=dd", "a=lisbon in"}
    assert of_words[2] == own | affixes | before | after
    assert {"-1none", "-2none"} < of_words[0]
    assert not any(name.startswith("b=") for name in of_words[0])


@given(words=WORDS, place=st.integers(0, 5))
def test_features_depend_on_no_word_that_is_more_than_two_places_away(words, place):
    place = min(place, len(words) - 1)
    lists = list(baseline_stages.features(words))
    assert len(lists) == len(words)
    assert all(len(set(found)) == len(found) for found in lists)
    near = words[max(place - 2, 0) : place + 3]
    if place >= 2 and place + 2 < len(words):
        assert list(baseline_stages.features(near))[2] == lists[place]


@given(st.text(max_size=20))
def test_a_shape_has_no_run_of_three(word):
    shape = baseline_stages.shape(word)
    assert all(
        not sign == after == last for sign, after, last in zip(shape, shape[1:], shape[2:], strict=False)
    )
    assert baseline_stages.shape("Boeing-747") == "Xxx-dd"


def test_entities_that_touch_are_told_apart():
    nlp = spacy.blank("en")
    examples = []
    for _ in range(5):
        doc = Doc(nlp.vocab, words=["saw", "Anna", "Maria", "Lisbon"], ents=["O", "B-PER", "I-PER", "B-LOC"])
        other = Doc(nlp.vocab, words=["met", "Anna", "Anna"], ents=["O", "B-PER", "B-PER"])
        examples += [Example(Doc(nlp.vocab, words=[t.text for t in each]), each) for each in (doc, other)]
    tagger = baseline_stages.CrfSuite("ents")
    tagger.fit(examples, NO_VECTORS, seed=0)
    first, second = tagger.predict([each.predicted for each in examples[:2]], NO_VECTORS)
    assert tagger.labels == ("LOC", "PER")
    assert [span[:3] for span in first] == [(1, 3, "PER"), (3, 4, "LOC")]
    assert [span[:3] for span in second] == [(1, 2, "PER"), (2, 3, "PER")]


@pytest.mark.parametrize(
    ("name", "layer"), [("samples", "ents"), ("samples", "pos"), ("samples_reviews", "cats")]
)
def test_a_baseline_that_is_loaded_answers_as_the_one_that_was_saved(name, layer, tmp_path):
    pipeline, head = fitted(name, layer)
    head.stage.to_disk(tmp_path)
    loaded = train_baseline.baseline_pipeline(name, layer)
    (other,) = loaded.heads.values()
    other.stage.from_disk(tmp_path)
    metric = scoring.metric_of(head)
    first, second = scoring.evaluate(pipeline), scoring.evaluate(loaded)
    assert first.scores[metric.name] == second.scores[metric.name] > 0.7
    np.testing.assert_array_equal(metric.counts(first), metric.counts(second))


def test_categories_are_scored_as_scikit_learn_does():
    pipeline, head = fitted("samples_reviews", "cats")
    examples = scoring.gold_examples(pipeline, "test")
    texts = [example.reference.text for example in examples]
    gold = [max(example.reference.cats, key=example.reference.cats.get) for example in examples]
    answers = [head.stage.labels[number] for number in head.stage._model.predict(texts)]
    evaluation = scoring.evaluate(pipeline)
    right, every = accuracy_counts(evaluation.matches, evaluation.documents).sum(axis=0)
    assert (right, every) == (sum(map(str.__eq__, answers, gold)), len(gold))
    assert evaluation.scores["cats_macro_f"] == pytest.approx(f1_score(gold, answers, average="macro"))


def test_each_of_several_categories_gets_its_threshold_on_the_dev_set(tmp_path):
    wet, cold = ["rain", "river", "sea"], ["snow", "ice", "frost"]
    texts = [f"{first} {second}" for first in [*wet, "desk"] for second in [*cold, "pen"]]
    lines = [
        json.dumps(
            {
                "text": text,
                "cats": {"wet": float(text.split()[0] in wet), "cold": float(text.split()[1] in cold)},
            }
        )
        for text in texts
    ]
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    data = DataConfig(train="train.jsonl", dev="dev.jsonl", test="test.jsonl")
    pipeline = train_baseline.new_baseline("cats", "en", data, exclusive=False, folder=tmp_path)
    train_baseline.fit(pipeline)
    scoring.choose_thresholds(pipeline)
    (head,) = pipeline.heads.values()
    assert set(head.thresholds) == {"wet", "cold"}
    # three of four documents have each: at 0.5, the others are taken for such
    assert scoring.evaluate(pipeline).scores["cats_macro_f"] == 1.0


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipelines")
    glossator.train(read_config(recipe("samples")), folder / "samples-seed0")
    return folder


def test_baselines_are_trained_once_and_set_beside_our_recipes(tmp_path, pipelines):
    file = tmp_path / "scores.json"
    options = (
        "-o",
        file,
        "--work",
        tmp_path / "work",
        "--pipelines",
        pipelines,
        "--recipe",
        "samples",
        "--markdown",
    )
    out = script("baselines", "samples", "samples_reviews", *options)
    found = {(row[1], row[2].split()[0]): row for row in rows(out)}
    assert set(found) == {
        (metric, system)
        for metric, model in (
            ("ents_f", "python-crfsuite"),
            ("pos_acc", "python-crfsuite"),
            ("cats_acc", "scikit-learn"),
        )
        for system in (model, "samples")
    }

    scores = json.loads(file.read_text(encoding="utf-8"))
    for name, layer, metric in (
        ("samples", "ents", "ents_f"),
        ("samples", "pos", "pos_acc"),
        ("samples_reviews", "cats", "cats_acc"),
    ):
        entry = scores[name][layer]
        pipeline, _ = fitted(name, layer)
        assert entry["scores"][metric] == pytest.approx(scoring.evaluate(pipeline).scores[metric], abs=1e-5)
        assert 0 < entry["fit_seconds"] < entry["training_seconds"]
        assert str(tmp_path) not in json.dumps(entry), "a path of this machine"
        ours = found[metric, "samples"]
        assert float(ours[4]) == pytest.approx(float(ours[3]) - 100 * entry["scores"][metric], abs=0.011)
        low, high = map(float, ours[5].split(" to "))
        assert low <= float(ours[4]) <= high
        assert (
            f"| `{name}` | `{metric}` | samples | {ours[3]} | {ours[4]} ({ours[5]}) | {ours[7]} |"
            in out.splitlines()
        )

    script("baselines", "samples", "-o", tmp_path / "again.json", "--work", tmp_path / "work")
    again = json.loads((tmp_path / "again.json").read_text(encoding="utf-8"))
    assert again["samples"] == scores["samples"], "it was trained again"


def test_the_times_of_learning_are_compared_stage_by_stage():
    data = {"compared": DataConfig(corpus="samples")}
    pipeline = Pipeline("en").add_tagger("compared", "crf", write="ents")
    pipeline.config = replace(pipeline.config, data=data)
    model, ours, theirs, ratio, _ = fit_time.compared(pipeline, rounds=1)
    assert model.startswith("python-crfsuite")
    first, second = (float(cell.split()[0]) for cell in (ours, theirs))
    assert float(ratio.split()[0]) == pytest.approx(first / second, rel=0.2)


def test_the_committed_scores_are_of_whole_corpora_and_name_no_path():
    entries = json.loads((BENCHMARKS / "baseline_scores.json").read_text(encoding="utf-8"))
    assert entries
    for name, layers in entries.items():
        assert name in manifest()
        for layer, entry in layers.items():
            kind = "scikit-learn" if layer == "cats" else "python-crfsuite"
            assert entry["model"].startswith(kind)
            assert entry["command"].split()[:3] == ["python", "baselines.py", name]
            assert entry["processor"]
            assert all(0 < score <= 1 for score in entry["scores"].values())
