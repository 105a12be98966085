from __future__ import annotations

import pytest
import transfer

SCORES = {
    "one": {"a": 0.9, "b": 0.8},
    "two": {"a": 0.5, "b": 0.7},
    "three": {"a": 0.6, "b": 0.7},
}


def test_a_corpus_does_not_choose_its_own_settings(monkeypatch):
    monkeypatch.setitem(transfer.GRIDS, "toy", [{"x": 1}, {"x": 2}])
    monkeypatch.setattr(transfer, "key_of", lambda settings: {1: "a", 2: "b"}[settings["x"]])
    rows = {row[1]: row[2:] for row in transfer.losses("toy", SCORES)}
    # Without one, b is better on average (0.7 to 0.55); without three, too (0.75 to 0.7).
    assert rows["one"] == ["90.00", "b", "80.00", "a", "90.00", "10.00"]
    assert rows["three"] == ["60.00", "b", "70.00", "b", "70.00", "0.00"]


def test_a_corpus_that_is_not_done_yet_counts_for_nothing(monkeypatch):
    monkeypatch.setitem(transfer.GRIDS, "toy", [{"x": 1}, {"x": 2}])
    monkeypatch.setattr(transfer, "key_of", lambda settings: {1: "a", 2: "b"}[settings["x"]])
    rows = transfer.losses("toy", {**SCORES, "three": {"a": 0.6}})
    assert [row[1] for row in rows] == ["one", "two"]


def test_grids_are_eight_settings_or_more_and_each_has_a_name():
    for settings in transfer.GRIDS.values():
        assert len(settings) >= 8
        assert len({transfer.key_of(each) for each in settings}) == len(settings)


@pytest.mark.slow
def test_settings_are_trained_once(tmp_path, monkeypatch):
    monkeypatch.setitem(transfer.GRIDS, "crf", [{"learn_rate": 0.1}, {"learn_rate": 0.2}])
    known = {"learn_rate=0.2": 0.25}
    saves = []
    transfer.train_grid("crf", "samples", "ents", known, lambda: saves.append(dict(known)))
    assert known["learn_rate=0.2"] == 0.25
    assert 0.5 < known["learn_rate=0.1"] <= 1
    assert saves == [known]
