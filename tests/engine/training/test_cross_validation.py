"""Cross-validation: every document is scored once, by a head that never saw it."""

from __future__ import annotations

import json
from statistics import mean, stdev

import pytest

from glossator.config.text import parse_config
from glossator.errors import DataError, UsageError
from glossator.training.cross_validation import CrossValidation, cross_validate

CONFIG = """
[glossator]
lang = "en"

[classifiers.mood]
stage = "remembering"

[data.mood]
train = "train.jsonl"
dev = "dev.jsonl"

[training]
max_epochs = 2
"""


def write(folder, train: int, dev: int):
    for name, numbers in (("train", range(train)), ("dev", range(train, train + dev))):
        rows = [
            {"text": f"text {i}", "cats": {"good": float(i % 3 == 0), "bad": float(i % 3 > 0)}}
            for i in numbers
        ]
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def test_each_document_is_scored_by_one_that_never_saw_it(tmp_path, test_stages):
    write(tmp_path, 20, 10)
    result = cross_validate(parse_config(CONFIG, folder=tmp_path), folds=5)
    assert result.documents == {"mood": 30}
    scores = [fold["cats_acc"] for fold in result.folds["mood"]]
    # It says "bad" of all it does not know: right of two thirds of each fold, as the categories are spread.
    assert scores == [pytest.approx(2 / 3)] * 5
    assert result.summary("mood")["cats_acc"] == (pytest.approx(2 / 3), pytest.approx(0.0))


def test_the_summary_leaves_out_what_is_no_number_in_some_fold():
    folds = [{"a": 0.5, "b": 1.0, "c": {}, "d": 1.0}, {"a": 1.0, "b": None, "c": {}}]
    result = CrossValidation(folds={"h": folds})
    assert result.summary("h") == {"a": (mean([0.5, 1.0]), stdev([0.5, 1.0]))}


def test_what_cannot_be_dealt_out_is_refused(tmp_path, test_stages):
    write(tmp_path, 2, 1)
    config = parse_config(CONFIG, folder=tmp_path)
    with pytest.raises(UsageError, match="3"):
        cross_validate(config, folds=2)
    with pytest.raises(DataError, match="too few"):
        cross_validate(config, folds=4)


def test_the_command_prints_means_and_counts_what_failed(tmp_path, cli):
    config = tmp_path / "linear.cfg"
    config.write_text(CONFIG.replace("remembering", "linear"))
    write(tmp_path, 12, 6)
    with (tmp_path / "dev.jsonl").open("a") as file:
        file.write("no json\n")
    done = cli("cross-validate", config, "--folds", 3, "--json")
    assert done.code == 3
    answer = json.loads(done.out)
    assert answer["documents"] == {"mood": 18}
    assert len(answer["heads"]["mood"]) == 3
    assert "is not JSON" in done.err
    (tmp_path / "dev.jsonl").write_text((tmp_path / "dev.jsonl").read_text().replace("no json\n", ""))
    done = cli("cross-validate", config, "--folds", 3, "--set", "training.max_epochs=1")
    assert done.code == 0
    assert "3 folds of 18 documents" in done.out
    assert "cats_macro_f" in done.out
