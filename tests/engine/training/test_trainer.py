"""Training whole pipelines: the best is kept, the data is accounted for, and the test set stays shut."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from training_runs import MAJORITY, MOOD, TWO_HEADS, Heard, config_of, weights_of

import glossator
from glossator.annotations.layer import CATS
from glossator.data import corpora
from glossator.data.corpora import Corpus, corpus, owner_of, read_split
from glossator.data.examples import read_gold
from glossator.data.source import DataSource
from glossator.errors import ConfigError, DataError, PipelineError, StageError, UsageError
from glossator.pipeline.pipeline import Pipeline
from glossator.plugins.manager import PluginManager
from glossator.training.dev_score import dev_score
from glossator.training.trainer import train
from glossator.util.files import sha256_of


@pytest.fixture(scope="module", autouse=True)
def _without_pictures():
    """As without the extra `plots`: drawing takes longer than this training does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib.figure", None)
        yield


def test_what_is_saved(tmp_path):
    saved = tmp_path / "two"
    train(config_of(TWO_HEADS), saved)
    pipeline = glossator.load(saved)
    assert list(pipeline.heads) == ["ner", "mood"]
    assert pipeline("Mara Voss left Lisbon.").has_annotation("ENT_IOB")
    assert not saved.with_name("two.training").exists()
    rows = [json.loads(line) for line in (saved / "training.jsonl").read_text().splitlines()]
    assert [(row["head"], row["seed"], row["number"]) for row in rows] == [
        (head, 0, number) for head in ("ner", "mood") for number in range(1, 6)
    ]
    scores = json.loads((saved / "meta.json").read_text())["scores"]
    for head in ("ner", "mood"):
        best = max(row["score"] for row in rows if row["head"] == head)
        assert scores[head] == {"dev": best, "dev_mean": best, "seeds": {"0": best}}
        assert best > 0
    assert all(row["seconds"] > 0 and row["loss"] > 0 for row in rows)


def test_a_seed_gives_the_same_pipeline_again_and_another_one_another(tmp_path):
    for name, seed in (("one", 0), ("again", 0), ("other", 1)):
        train(config_of(MOOD, glossator__seed=seed), tmp_path / name)
    one, again, other = (weights_of(tmp_path / name) for name in ("one", "again", "other"))
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert any(not np.array_equal(one[name], other[name]) for name in one)


def test_seeds_keep_the_best_and_report_all(tmp_path):
    config = config_of(MOOD)
    heard = Heard()
    result = train(config, tmp_path / "two", seeds=3, progress=heard)
    assert heard.started == [("mood", seed) for seed in range(3)]
    meta = json.loads((tmp_path / "two" / "meta.json").read_text())
    rows = (tmp_path / "two" / "training.jsonl").read_text().splitlines()
    assert [json.loads(row)["seed"] for row in rows] == [0] * 5 + [1] * 5 + [2] * 5
    for head, seeds in result.heads.items():
        scores = [seed.score for seed in seeds]
        assert meta["scores"][head]["dev"] == max(scores)
        assert meta["scores"][head]["dev_mean"] == pytest.approx(sum(scores) / 3)
        assert meta["scores"][head]["seeds"] == {str(seed): scores[seed] for seed in range(3)}
        best = scores.index(max(scores))
        alone = train(config_of(MOOD, glossator__seed=best), tmp_path / f"{head}-alone")
        assert alone.heads[head][0].score == scores[best]
        own = {k: v for k, v in weights_of(tmp_path / "two").items() if k.startswith(head)}
        of_best = weights_of(tmp_path / f"{head}-alone")
        assert all(np.array_equal(own[name], of_best[name]) for name in own)


def test_patience_stops_and_the_best_epoch_comes_back(tmp_path):
    config = config_of(MOOD, training__max_epochs=60, training__patience=2)
    result = train(config, tmp_path / "two")
    for seeds in result.heads.values():
        epochs = seeds[0].epochs
        best = max(epochs, key=lambda epoch: (epoch.score, epoch.number))  # of equals the last
        assert len(epochs) == 60 or len(epochs) - best.number == 2
        assert seeds[0].score == best.score
    assert any(len(seeds[0].epochs) < 60 for seeds in result.heads.values())
    # the saved weights score on dev as the best epoch did
    pipeline = glossator.load(tmp_path / "two")
    for head in pipeline.heads.values():
        source = DataSource(config.data[head.name], Path(), None, pipeline.plugins)
        dev = read_gold(source.records("dev"), head.config.layer, pipeline.tokenizer).examples
        assert dev_score(pipeline, head, dev).score == pytest.approx(result.heads[head.name][0].score)


WATCHED = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from pathlib import Path
from glossator.config.text import read_config
from glossator.training.trainer import train
train(read_config(Path(sys.argv[1])), sys.argv[2])
print("\\n".join(opened))
"""


@pytest.mark.slow
def test_the_test_set_is_never_opened(tmp_path, samples_folder):
    for split in ("train", "dev", "test"):
        shutil.copy(samples_folder / f"reviews.{split}.jsonl", tmp_path)
    own = (
        '\n[data.mood]\ntrain = "reviews.train.jsonl"\ndev = "reviews.dev.jsonl"\ntest = "reviews.test.jsonl"'
    )
    text = TWO_HEADS.replace('\n[data.mood]\ncorpus = "samples_reviews"', own)
    (tmp_path / "two.cfg").write_text(text.replace("max_epochs = 5", "max_epochs = 1"))
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(tmp_path / "two.cfg"), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    opened = {Path(name).name for name in done.stdout.splitlines()}
    assert {"reviews.train.jsonl", "reviews.dev.jsonl", "sentences.train.conll"} <= opened
    assert not {name for name in opened if ".test." in name}


def test_test_items_of_a_shared_file_do_not_reach_training(tmp_path, monkeypatch):
    """Every tenth document is the test set's and names itself so, as a label would show."""
    folder = tmp_path / "shared"
    folder.mkdir()
    lines = []
    for number in range(60):
        owner = owner_of(number, {"train", "dev", "test"})
        label = "hidden" if owner == "test" else ("odd" if number % 2 else "even")
        lines.append(json.dumps({"text": f"{label} {number}", "cats": {label: 1.0}}))
    file = folder / "all.jsonl"
    file.write_text("\n".join(lines) + "\n")
    shared = Corpus(
        name="shared",
        title="",
        task="topic",
        lang="en",
        format="jsonl",
        licence="",
        splits=dict.fromkeys(("train", "dev", "test"), ("all.jsonl",)),
        sha256={"all.jsonl": sha256_of(file)},
        tenths=True,
    )
    monkeypatch.setattr(corpora, "manifest", lambda: {"shared": shared})
    seen: list[str] = []
    text = """
[glossator]
lang = "en"
[tokenizer]
stage = "whitespace"
[classifiers.topic]
stage = "linear"
[data.topic]
corpus = "shared"
[training]
max_epochs = 1
"""
    config = config_of(text)
    pipeline = Pipeline.from_config(config)
    source = DataSource(config.data["topic"], Path(), tmp_path, pipeline.plugins)
    for split in ("train", "dev"):
        data = read_gold(source.records(split), CATS, pipeline.tokenizer)
        seen += [example.predicted.text for example in data.examples]
    assert len(seen) == 54
    assert not [text for text in seen if "hidden" in text]
    result = train(config, tmp_path / "out", corpora=tmp_path)
    assert result.pipeline.heads["topic"].labels == ("even", "odd")


def test_bad_training_data_are_reported_and_the_good_is_learned(tmp_path, samples_folder):
    lines = (samples_folder / "reviews.train.jsonl").read_text().splitlines()
    bad = ['{"text": 5}', "not json", *["{"] * 6]
    (tmp_path / "train.jsonl").write_text("\n".join([*lines[:20], *bad, *lines[20:]]) + "\n")
    shutil.copy(samples_folder / "reviews.dev.jsonl", tmp_path / "dev.jsonl")
    text = """
[glossator]
lang = "en"
[classifiers.mood]
stage = "linear"
[data.mood]
train = "train.jsonl"
dev = "dev.jsonl"
[training]
max_epochs = 2
"""
    heard = Heard()
    assert train(config_of(text, tmp_path), tmp_path / "out", progress=heard).failed == 8
    assert sum("train.jsonl:" in message for message in heard.messages) == 5
    assert heard.messages[0].startswith(f"failed: {tmp_path / 'train.jsonl'}:21: ")
    assert "8 documents cannot be read and are skipped" in heard.messages[5]
    (tmp_path / "train.jsonl").write_text("\n".join(lines) + "\n")
    train(config_of(text, tmp_path), tmp_path / "clean")
    bad_run, clean = weights_of(tmp_path / "out"), weights_of(tmp_path / "clean")
    assert all(np.array_equal(bad_run[name], clean[name]) for name in clean)


def test_a_tokenizer_that_fails_on_a_text_loses_that_text_alone(tmp_path, samples_folder, test_stages):
    lines = (samples_folder / "reviews.train.jsonl").read_text().splitlines()
    poison = '{"text": "UNREADABLE", "cats": {"positive": 1.0, "negative": 0.0}}'
    (tmp_path / "train.jsonl").write_text("\n".join([poison, *lines]))
    shutil.copy(samples_folder / "reviews.dev.jsonl", tmp_path / "dev.jsonl")
    text = """
[glossator]
lang = "en"
[tokenizer]
stage = "touchy"
[classifiers.mood]
stage = "linear"
[data.mood]
train = "train.jsonl"
dev = "dev.jsonl"
[training]
max_epochs = 1
"""
    heard = Heard()
    train(config_of(text, tmp_path), tmp_path / "out", progress=heard)
    assert heard.messages[0] == f"failed: {tmp_path / 'train.jsonl'}:1: ValueError: I will not read this"


def test_data_without_gold_and_missing_data_are_named(tmp_path):
    (tmp_path / "empty.jsonl").write_text('{"text": "nothing is said of this"}\n')
    text = TWO_HEADS.split("[data.ner]")[0]
    both = '\n[data.ner]\ntrain = "{0}"\ndev = "{0}"\n[data.mood]\ntrain = "{0}"\ndev = "{0}"\n'
    with pytest.raises(DataError, match=r"the train set of 'ner' \(.*empty\.jsonl\) has no document"):
        train(config_of(text + both.format("empty.jsonl"), tmp_path), tmp_path / "out")
    with pytest.raises(DataError, match=r"gone\.jsonl: cannot read it"):
        train(config_of(text + both.format("gone.jsonl"), tmp_path), tmp_path / "out")
    with pytest.raises(ConfigError, match=r"\[data\.ner\] is missing"):
        train(config_of(text, tmp_path), tmp_path / "out")
    both = '[data.ner]\ndev = "empty.jsonl"\n[data.mood]\ndev = "empty.jsonl"\n'
    with pytest.raises(ConfigError, match="no train set"):
        train(config_of(text + both, tmp_path), tmp_path / "out")


def test_an_output_that_is_no_pipeline_is_refused_before_anything_is_learned(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("do not touch")
    heard = Heard()
    with pytest.raises(PipelineError, match="contains files but is not a pipeline"):
        train(config_of(TWO_HEADS), tmp_path / "precious", progress=heard)
    assert not heard.started


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_the_users_is_never_taken_for_a_runs(tmp_path, resume):
    (tmp_path / "out.training").mkdir()
    (tmp_path / "out.training" / "thesis.txt").write_text("do not touch")
    with pytest.raises(UsageError, match="is in the way"):
        train(config_of(TWO_HEADS), tmp_path / "out", resume=resume)
    assert (tmp_path / "out.training" / "thesis.txt").read_text() == "do not touch"


def test_colliding_labels_are_found_before_anything_is_learned(tmp_path):
    text = TWO_HEADS + '\n[classifiers.mood2]\nstage = "linear"\n[data.mood2]\ncorpus = "samples_reviews"\n'
    text = text.replace('heads = ["ner", "mood"]', 'heads = ["mood", "mood2", "ner"]')
    heard = Heard()
    with pytest.raises(ConfigError, match=r"'mood' and 'mood2' both write .* give one a prefix"):
        train(config_of(text, training__max_epochs=1), tmp_path / "out", progress=heard)
    assert not heard.started
    assert not (tmp_path / "out.training").exists()


def test_a_stage_that_learns_at_once(tmp_path, test_stages):
    heard = Heard()
    result = train(config_of(MAJORITY), tmp_path / "out", progress=heard)
    assert heard.started == [("tags", 0)]
    assert 0.5 < result.heads["tags"][0].score < 1
    assert result.heads["tags"][0].epochs == []
    pipeline = glossator.load(tmp_path / "out")
    assert [token.pos_ for token in pipeline("The night train left .")][:3] == ["DET", "NOUN", "NOUN"]
    assert (tmp_path / "out" / "training.jsonl").read_text() == ""


def test_frozen_vectors_are_made_once(tmp_path, test_stages):
    log = tmp_path / "embedded.jsonl"
    text = f"""
[glossator]
lang = "en"
[embedders.lengths]
stage = "counted"
log = {json.dumps(str(log))}
[taggers.ner]
stage = "stepwise"
write = "ents"
vectors = ["lengths"]
[data.ner]
corpus = "samples"
[training]
max_epochs = 4
patience = 4
"""
    config = config_of(text)
    seen: list[int] = []

    class Counting(Heard):
        def epoch_done(self, epoch, *, best: bool) -> None:
            seen.append(len(log.read_text().splitlines()))

    train(config, tmp_path / "out", progress=Counting())
    plugins = PluginManager.from_environment()
    documents = sum(
        len(list(read_split(corpus("samples"), split, root=None, plugins=plugins)))
        for split in ("train", "dev")
    )
    assert seen == [documents] * 4


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([1.0, float("nan")], r"\[taggers\.tags\] the loss became nan: try a smaller learning rate"),
        ([float("inf")], "the loss became inf"),
        ([], r"\[taggers\.tags\] failed in training: IndexError"),
    ],
)
def test_a_loss_that_is_no_number_and_a_stage_that_fails_stop_the_run(tmp_path, test_stages, losses, message):
    text = MAJORITY.replace('"majority"', '"diverging"')
    config = config_of(text, training__batch_words=300)
    object.__setattr__(config.heads[0], "settings", {"losses": losses})  # NaN is not JSON
    with pytest.raises(StageError, match=message):
        train(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()
