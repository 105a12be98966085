"""What stands on disk after every epoch."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glossator.errors import PipelineError
from glossator.training.checkpoints import Checkpoints, Epoch
from glossator.util.files import replace_file


class Number:
    """A stage whose weight is a number."""

    def __init__(self, value: int = -1) -> None:
        self.value = value
        self.state: dict[str, np.ndarray] = {}

    def to_disk(self, path):
        (path / "value").write_text(str(self.value))

    def from_disk(self, path):
        self.value = int((path / "value").read_text())

    def restore(self, state):
        self.state = dict(state)


def add(checkpoints: Checkpoints, number: int, score: float) -> None:
    epoch = Epoch(number=number, loss=1.0, score=score, seconds=0.1)
    checkpoints.add(epoch, Number(number), {"steps": np.asarray([number]), "moment": np.full(3, score)})


@settings(max_examples=30, deadline=None)
@given(scores=st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=8))
def test_last_and_best_are_kept_and_read_back(tmp_path_factory, scores):
    folder = tmp_path_factory.mktemp("checkpoints")
    written = Checkpoints(folder)
    for number, score in enumerate(scores, start=1):
        add(written, number, score)
        read = Checkpoints(folder)
        best = max(range(1, number + 1), key=lambda n: (scores[n - 1], n))
        assert read.epochs == written.epochs
        assert read.best is not None
        assert read.best.number == best
        assert read.epochs_without_gain == number - best  # as their losses are equal
        stage = Number()
        read.restore_best(stage)
        assert stage.value == best
        read.restore_last(stage)
        assert stage.value == number
        assert stage.state["steps"].tolist() == [number]
        assert stage.state["moment"].tolist() == [score] * 3
        kept = {path.name for path in folder.glob("epoch-*")}
        assert kept == {f"epoch-{number:04d}", f"epoch-{best:04d}"}
        assert not read.finished
    written.finish()
    assert Checkpoints(folder).finished
    shutil.rmtree(folder)


def test_before_the_first_epoch(tmp_path):
    checkpoints = Checkpoints(tmp_path / "deep" / "er")
    assert (checkpoints.best, checkpoints.epochs_without_gain, checkpoints.finished) == (None, 0, False)
    stage = Number(5)
    checkpoints.restore_best(stage)
    assert stage.value == 5


def test_what_a_kill_left_half_written_is_written_over(tmp_path):
    """A kill may come while the next epoch is written, or between its folder and `progress.json`."""
    checkpoints = Checkpoints(tmp_path)
    add(checkpoints, 1, 0.5)
    for name in ("next/stage", "epoch-0002/stage"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "value").write_text("nonsense")
    again = Checkpoints(tmp_path)
    assert len(again.epochs) == 1
    add(again, 2, 0.6)
    stage = Number()
    Checkpoints(tmp_path).restore_last(stage)
    assert stage.value == 2


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"epochs": 3, "finished": false}', '{"epochs": [{"n": 1}], "finished": false}'],
)
def test_damaged_progress_is_named(tmp_path, content):
    (tmp_path / "progress.json").write_text(content)
    with pytest.raises(PipelineError, match=r"progress\.json is damaged: .*; train without --resume"):
        Checkpoints(tmp_path)


@pytest.mark.parametrize("cut", [0, 10, 100])
def test_damaged_state_is_named(tmp_path, cut):
    checkpoints = Checkpoints(tmp_path)
    add(checkpoints, 1, 0.5)
    file = tmp_path / "epoch-0001" / "state.npz"
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(PipelineError, match=r"state\.npz is missing or damaged: .*train without --resume"):
        checkpoints.restore_last(Number())
    file.unlink()
    with pytest.raises(PipelineError, match=r"state\.npz is missing or damaged"):
        checkpoints.restore_last(Number())


def test_pickles_are_not_read(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    add(checkpoints, 1, 0.5)
    objects = np.asarray([{"a": 1}], dtype=object)
    np.savez(tmp_path / "epoch-0001" / "state.npz", state=objects)
    with pytest.raises(PipelineError, match="damaged"):
        checkpoints.restore_last(Number())


def test_replace_file_leaves_nothing_beside_the_file(tmp_path):
    replace_file(tmp_path / "a.json", "old")
    replace_file(tmp_path / "a.json", json.dumps("ü"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == "ü"
