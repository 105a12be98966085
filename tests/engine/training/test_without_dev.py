"""Training without a dev set: a part is set aside, or cross-validation chooses and everything is learned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from training_runs import Heard, config_of, weights_of

import glossator
from glossator.errors import DataError
from glossator.training.trainer import train

REMEMBERING = """
[glossator]
lang = "en"

[classifiers.mood]
stage = "remembering"

[data.mood]
train = "train.jsonl"

[training]
max_epochs = 6
patience = 2
"""
STEPWISE = REMEMBERING.replace('"remembering"', '"stepwise"')


class Watched(Heard):
    """Keeps the epochs, too, and is interrupted after as many as it was told."""

    def __init__(self, stop: int = 0) -> None:
        super().__init__()
        self.epochs: list[int] = []
        self.stop = stop

    def epoch_done(self, epoch, *, best):
        self.epochs.append(epoch.number)
        if len(self.epochs) == self.stop:
            raise KeyboardInterrupt


def write(folder: Path, number: int) -> None:
    """Write documents, a third of them good, whose first word is right about it in nine of ten."""
    rows = []
    for i in range(number):
        good = i % 3 == 0
        word = "fine" if good != (i % 10 == 0) else "dire"
        rows.append({"text": f"{word} text {i}", "cats": {"good": float(good), "bad": float(not good)}})
    (folder / "train.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def seen(pipeline: Path) -> dict[str, dict[str, float]]:
    """Return the categories of the texts that the stage `remembering` has learned."""
    file = pipeline / "classifiers" / "mood" / "seen.json"
    return json.loads(file.read_text())


def test_a_tenth_is_set_aside_and_said(tmp_path, test_stages):
    write(tmp_path, 400)
    heard = Heard()
    result = train(config_of(REMEMBERING, tmp_path), tmp_path / "out", progress=heard)
    said = heard.messages[0]
    assert said.startswith("mood: no dev set is named: 40 of 400 training documents are set aside as one; ")
    assert "--dev FILE, or dev = FILE in [data.mood]" in said
    learned = seen(tmp_path / "out")
    assert len(learned) == 360
    assert sum(cats["good"] for cats in learned.values()) == pytest.approx(120, abs=1)
    # It says "bad" of what it never saw, which is right of two thirds: an F1 of 0.8, and of 0 for "good".
    assert result.heads["mood"][0].score == pytest.approx(0.4, abs=0.01)


def test_of_little_data_everything_is_learned(tmp_path, test_stages):
    write(tmp_path, 60)
    heard = Heard()
    result = train(config_of(REMEMBERING, tmp_path), tmp_path / "out", progress=heard)
    assert "60 documents are too few to set some aside" in heard.messages[0]
    assert len(seen(tmp_path / "out")) == 60
    # As above: each document is scored by a stage that never saw it.
    assert result.heads["mood"][0].score == pytest.approx(0.4)
    assert "mood: fold 5 of 5" in heard.messages
    assert heard.messages[-1].startswith("mood: the dev score of 0.4000 is no better than guessing")


def test_the_folds_choose_the_number_of_epochs(tmp_path):
    write(tmp_path, 60)
    watched = Watched()
    result = train(config_of(STEPWISE, tmp_path), tmp_path / "out", progress=watched)
    starts = [i for i, number in enumerate(watched.epochs) if number == 1]
    runs = [watched.epochs[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]
    assert len(runs) == 6  # five folds, then all
    [seed] = result.heads["mood"]
    assert [epoch.number for epoch in seed.epochs] == runs[-1]
    assert len(runs[-1]) <= max(map(len, runs[:-1]))
    assert 0.7 < seed.score < 1
    assert not [message for message in watched.messages if "guessing" in message]
    pipeline = glossator.load(tmp_path / "out")
    assert pipeline("fine").cats["good"] > 0.5 > pipeline("dire").cats["good"]


def test_thresholds_come_from_documents_that_were_not_learned(tmp_path):
    write(tmp_path, 60)
    text = STEPWISE.replace('"stepwise"', '"stepwise"\nexclusive = false')
    train(config_of(text, tmp_path), tmp_path / "out")
    thresholds = glossator.load(tmp_path / "out").heads["mood"].thresholds
    assert thresholds.keys() == {"good", "bad"}
    assert all(0 < threshold < 1 for threshold in thresholds.values())


@pytest.mark.parametrize("stop", [3, 14])
def test_an_interrupted_run_ends_like_an_undisturbed_one(tmp_path, stop):
    write(tmp_path, 60)
    config = config_of(STEPWISE, tmp_path)
    undisturbed = Watched()
    train(config, tmp_path / "one", progress=undisturbed)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "two", progress=Watched(stop))
    assert not (tmp_path / "two").exists()
    rest = Watched()
    train(config, tmp_path / "two", resume=True, progress=rest)
    assert len(rest.epochs) == len(undisturbed.epochs) - stop
    one, two = weights_of(tmp_path / "one"), weights_of(tmp_path / "two")
    assert all(np.array_equal(one[name], two[name]) for name in one)
    meta = [json.loads((tmp_path / name / "meta.json").read_text()) for name in ("one", "two")]
    assert meta[0]["scores"] == meta[1]["scores"]


@pytest.mark.parametrize(
    ("cats", "message"),
    [
        ([{"good": 1.0, "bad": 0.0}], r"too few documents \(1\) to hold any out"),
        ([{"good": 1.0}, {"good": 1.0}, {"bad": 1.0}], r"too few documents \(3\) to hold any out"),
        ([{"good": 1.0}] * 3, "no other category than good: there is nothing to learn"),
    ],
)
def test_what_is_too_little_is_said_before_anything_is_learned(tmp_path, cats, message):
    rows = [{"text": f"text {i}", "cats": each} for i, each in enumerate(cats)]
    (tmp_path / "train.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    heard = Heard()
    with pytest.raises(DataError, match=message):
        train(config_of(STEPWISE, tmp_path), tmp_path / "out", progress=heard)
    assert heard.started == []
    assert list(tmp_path.iterdir()) == [tmp_path / "train.jsonl"]


def test_two_documents_of_each_category_are_enough(tmp_path):
    rows = [{"text": f"{label} {i}", "cats": {label: 1.0}} for i in range(2) for label in ("good", "bad")]
    (tmp_path / "train.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    train(config_of(STEPWISE, tmp_path), tmp_path / "out")
    assert set(glossator.load(tmp_path / "out").heads["mood"].labels) == {"good", "bad"}


def test_the_command_line_needs_no_dev_set(tmp_path, cli):
    write(tmp_path, 320)
    done = cli("train", "--classifier", "linear", "--train", tmp_path / "train.jsonl", "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert "32 of 320 training documents" in done.err
    done = cli("evaluate", tmp_path / "out", "--split", "dev")
    assert "no dev set" in done.err
