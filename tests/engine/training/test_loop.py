"""The loop of one head, on a stage that writes down what it is given."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example

from glossator.config.schema import TrainingConfig
from glossator.errors import StageError
from glossator.stages import Vectors, VectorSpace
from glossator.training.checkpoints import Checkpoints
from glossator.training.dev_score import DevScore
from glossator.training.loop import STEPS, fit
from glossator.training.progress import Silent
from glossator.training.task import Task

VOCAB = spacy.blank("en").vocab


class Diary:
    """Learns by heart: its only weight is the sum of what it saw, in order, with noise of its own."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.initialized = 0

    def initialize(self, examples, space, *, seed):
        self.initialized += 1
        self.random = np.random.default_rng(seed)
        self.weight = np.zeros(1)

    def update(self, examples, vectors):
        texts = [example.predicted.text for example in examples]
        self.batches.append(texts)
        for values, example in zip(vectors.values, examples, strict=True):
            assert values.shape == (len(example.predicted), 2)
        self.weight = self.weight * 1.5 + len("".join(texts)) + self.random.normal()
        return float(abs(self.weight[0]))

    def training_state(self):
        state = self.random.bit_generator.state["state"]
        return {"random": np.asarray([str(state["state"]), str(state["inc"])])}

    def restore(self, state):
        values = self.random.bit_generator.state
        values["state"] = {"state": int(state["random"][0]), "inc": int(state["random"][1])}
        self.random.bit_generator.state = values

    def to_disk(self, path):
        np.save(path / "weight.npy", self.weight)

    def from_disk(self, path):
        self.weight = np.load(path / "weight.npy")


class Both(Diary):
    """Can learn in steps, but would rather learn at once."""

    fits = 0

    def fit(self, examples, vectors, *, seed):
        assert [len(values) for values in vectors.values] == [len(example.predicted) for example in examples]
        self.fits += 1
        self.weight = np.asarray([len(examples) + seed], dtype=float)


def examples(count: int) -> list[Example]:
    docs = [Doc(VOCAB, words=[f"w{i}"] * (1 + i % 7)) for i in range(count)]
    return [Example(doc, doc.copy()) for doc in docs]


def task(stage: Diary, scores: list[float | DevScore], count: int = 20) -> Task:
    given = (score if isinstance(score, DevScore) else DevScore(score, 1.0) for score in scores)

    def vectors(docs):
        return Vectors(VectorSpace(2), [np.ones((len(doc), 2), dtype=np.float32) for doc in docs])

    return Task(
        name="diary",
        section="taggers.diary",
        stage=stage,
        space=VectorSpace(2),
        vectors=vectors,
        examples=examples(count),
        score=lambda: next(given),
    )


def run(stage: Diary, scores, folder: Path, *, seed: int = 0, count: int = 20, **training) -> Checkpoints:
    config = TrainingConfig(**{"max_epochs": len(scores), "patience": 100, "batch_words": 12, **training})
    checkpoints = Checkpoints(folder)
    assert fit(
        task(stage, list(scores), count), config, seed=seed, checkpoints=checkpoints, progress=Silent()
    )
    return checkpoints


def test_every_example_is_learned_equally_often_in_bounded_batches(tmp_path):
    stage = Diary()
    run(stage, [0.1, 0.2, 0.3], tmp_path)
    texts = Counter(text for batch in stage.batches for text in batch)
    per_epoch = len(stage.batches) // 3
    assert texts.keys() == {example.predicted.text for example in examples(20)}
    assert len(set(texts.values())) == 1
    assert next(iter(texts.values())) % 3 == 0
    assert all(sum(len(text.split()) for text in batch) <= 12 for batch in stage.batches)
    assert stage.batches[:per_epoch] != stage.batches[-per_epoch:]


@pytest.mark.parametrize(("batch_words", "most"), [(12, 12), (1500, 200), (300, 200)])
def test_little_data_has_small_batches(tmp_path, batch_words, most):
    stage = Diary()
    run(stage, [0.1], tmp_path, count=140, batch_words=batch_words)  # of 560 words
    sizes = [sum(len(text.split()) for text in batch) for batch in stage.batches]
    assert sum(sizes) % 560 == 0
    assert most / 2 < max(sizes) <= most


@pytest.mark.parametrize("count", [1, 2, 20, 140, 900])
def test_an_epoch_of_little_data_takes_several_passes_each_in_another_order(tmp_path, count):
    stage, words = Diary(), []

    class Counting(Silent):
        def head_started(self, head, seed, number, max_epochs):
            words.append(number)

        def batch_done(self, number):
            words.append(-number)

    config = TrainingConfig(max_epochs=1)
    progress = Counting()
    fit(task(stage, [0.1], count), config, seed=0, checkpoints=Checkpoints(tmp_path), progress=progress)
    one_pass = [[example.predicted.text] for example in examples(count)]
    passes = Counter(text for batch in stage.batches for text in batch)[one_pass[0][0]]
    per_pass = len(stage.batches) / passes
    assert STEPS <= len(stage.batches) < 2 * STEPS + per_pass
    assert sum(words) == 0  # as many words are learned as the epoch was said to have
    if count > 100:
        assert stage.batches[: int(per_pass)] != stage.batches[int(per_pass) : 2 * int(per_pass)]


def test_a_twentieth_of_the_data_is_no_small_batch(tmp_path):
    stage = Diary()
    run(stage, [0.1], tmp_path, count=1750, batch_words=1500)  # of 7,000 words
    assert 20 <= len(stage.batches) <= 22


def test_the_order_of_an_epoch_does_not_depend_on_those_before(tmp_path):
    whole, parts = Diary(), Diary()
    run(whole, [0.1] * 4, tmp_path / "whole")
    run(parts, [0.1] * 2, tmp_path / "parts")
    # a second process goes on: another object, other scores still to come
    (file := tmp_path / "parts" / "progress.json").write_text(file.read_text().replace("true", "false"))
    second = Diary()
    config = TrainingConfig(max_epochs=4, patience=100, batch_words=12)
    fit(
        task(second, [0.1] * 2),
        config,
        seed=0,
        checkpoints=Checkpoints(tmp_path / "parts"),
        progress=Silent(),
    )
    assert parts.batches + second.batches == whole.batches
    last = [folder / "epoch-0004" / "stage" / "weight.npy" for folder in tmp_path.iterdir()]
    assert np.load(last[0]) == np.load(last[1])


def test_seeds_give_other_orders(tmp_path):
    one, other = Diary(), Diary()
    run(one, [0.1], tmp_path / "one", seed=1)
    run(other, [0.1], tmp_path / "other", seed=2)
    assert one.batches != other.batches


@pytest.mark.parametrize(
    ("scores", "patience", "epochs", "best"),
    [
        ([0.1, 0.5, 0.4, 0.3, 0.9], 2, 4, 2),
        ([0.1, 0.5, 0.5, 0.5, 0.4, 0.4, 0.9], 2, 6, 4),  # the last of equals
        ([0.1, 0.5, 0.4, 0.6, 0.5, 0.5], 2, 6, 4),
        ([0.0, 0.0, 0.0], 1, 3, 3),
        ([0.1, 0.2, 0.3], 1, 3, 3),
    ],
)
def test_patience_and_the_best_epoch(tmp_path, scores, patience, epochs, best):
    stage = Diary()
    checkpoints = run(stage, scores, tmp_path, patience=patience)
    assert [epoch.number for epoch in checkpoints.epochs] == list(range(1, epochs + 1))
    assert checkpoints.best.number == best
    assert checkpoints.finished
    until_best = Diary()
    run(until_best, scores[:best], tmp_path / "until-best")
    assert stage.weight == until_best.weight


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([(0.5, 0.9), (0.8, 0.7), (0.8, 0.6), (0.8, 0.65), (0.7, 0.1)], 3),  # not the lowest loss of all
        ([(0.8, 0.6), (0.8, 0.6 + 1e-9)], 2),  # the latest of what differs by rounding
        ([(0.8 + 1e-9, 0.6), (0.8, 0.5)], 2),
        ([(0.5, None), (0.5, None)], 1),  # the diary's own loss, which grows from epoch to epoch
    ],
)
def test_equal_scores_are_decided_by_the_loss(tmp_path, scores, best):
    checkpoints = run(Diary(), [DevScore(*score) for score in scores], tmp_path)
    assert checkpoints.best.number == best
    assert Checkpoints(tmp_path).best == checkpoints.best  # as read from disk by a run that is resumed


def test_a_loss_that_rises_does_not_use_up_the_patience(tmp_path):
    scores = [DevScore(0.5, loss) for loss in (0.1, 0.2, 0.3, 0.4, 0.5)]
    checkpoints = run(Diary(), scores, tmp_path, patience=2)
    assert (len(checkpoints.epochs), checkpoints.best.number) == (5, 1)


def test_a_finished_head_is_only_read_again(tmp_path):
    first = Diary()
    run(first, [0.3, 0.1], tmp_path)
    again = Diary()
    run(again, [0.3, 0.1], tmp_path)
    assert again.initialized == 0
    assert again.batches == []
    assert again.weight == first.weight


def test_a_stage_that_can_do_both_is_fitted_at_once(tmp_path):
    stage, words = Both(), []

    class Counting(Silent):
        def batch_done(self, number):
            words.append(number)

    checkpoints = Checkpoints(tmp_path)
    fit(task(stage, []), TrainingConfig(), seed=3, checkpoints=checkpoints, progress=Counting())
    assert (stage.fits, stage.initialized, stage.batches) == (1, 0, [])
    assert words == [sum(len(example.predicted) for example in examples(20))]
    assert checkpoints.epochs == []
    # what was fitted is not fitted again by a run that is resumed
    again = Both()
    run(again, [], tmp_path, seed=3, max_epochs=1)
    assert again.fits == 0
    assert again.weight == stage.weight == 23


def test_the_mean_loss_of_an_epoch_is_kept(tmp_path):
    losses = []

    class Noted(Diary):
        def update(self, examples, vectors):
            losses.append(super().update(examples, vectors))
            return losses[-1]

    checkpoints = run(Noted(), [0.5], tmp_path)
    assert checkpoints.epochs[0].loss == pytest.approx(np.mean(losses))
    assert checkpoints.epochs[0].seconds > 0


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_no_number_stops_the_loop(tmp_path, loss):
    class Diverging(Diary):
        def update(self, examples, vectors):
            return loss

    with pytest.raises(StageError, match=r"--set taggers\.diary\.learn_rate"):
        run(Diverging(), [0.5], tmp_path)
    assert Checkpoints(tmp_path).epochs == []


@pytest.mark.parametrize("method", ["initialize", "update"])
def test_a_stage_that_fails_is_named(tmp_path, method):
    stage = Diary()

    def fail(*args, **kwargs):
        raise ZeroDivisionError("of nothing")

    setattr(stage, method, fail)
    with pytest.raises(StageError, match=r"\[taggers\.diary\] failed in training: ZeroDivisionError"):
        run(stage, [0.5], tmp_path)


def test_an_interrupt_before_the_weights_are_there_is_passed_on(tmp_path):
    class Slow(Diary):
        def initialize(self, examples, space, *, seed):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Slow(), [0.5], tmp_path)


def test_an_interrupt_later_brings_the_best_epoch_back(tmp_path):
    stage = Diary()

    class Stop(Silent):
        def epoch_done(self, epoch, *, best):
            if epoch.number == 3:
                raise KeyboardInterrupt

    config = TrainingConfig(max_epochs=9, patience=9, batch_words=12)
    checkpoints = Checkpoints(tmp_path)
    assert not fit(task(stage, [0.2, 0.9, 0.4]), config, seed=0, checkpoints=checkpoints, progress=Stop())
    assert not checkpoints.finished
    best = Diary()
    run(best, [0.2, 0.9], tmp_path / "best")
    assert stage.weight == best.weight
