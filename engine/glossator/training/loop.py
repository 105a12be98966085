"""The training loop of one head: batches, early stopping, the best epoch, and resuming."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from glossator.errors import GlossatorError, StageError
from glossator.ml.batching import shuffled_batches
from glossator.stages import Fittable
from glossator.training.checkpoints import Checkpoints, Epoch
from glossator.training.task import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glossator.config.schema import TrainingConfig
    from glossator.training.progress import TrainingProgress


# Small data has small batches: an epoch at least BATCHES of them, but none of fewer words than SMALL_BATCH.
BATCHES = 20
SMALL_BATCH = 200
# Where that is fewer than STEPS batches, an epoch goes through the data several times: a network learns by
# steps, and patience for five epochs of two steps would end its training before it learned anything.
STEPS = 20


def fit(
    task: Task, training: TrainingConfig, *, seed: int, checkpoints: Checkpoints, progress: TrainingProgress
) -> bool:
    """Fit a head at once, or train it until its dev score stops rising and restore its best epoch.

    A `Fittable` stage is fitted at once instead, also if it could learn in steps. Training continues from the
    last of `checkpoints`. The order of batches depends on the seed and the
    number of the epoch alone, so that a resumed run ends like an uninterrupted one.

    Example:
        task = head_task(pipeline, head, train_examples, dev_examples)
        fit(task, TrainingConfig(), seed=0, checkpoints=Checkpoints(folder), progress=Silent())

    Args:
        task: The head, its examples and its dev score.
        training: Settings of the loop.
        seed: The seed of the weights and of the order of batches.
        checkpoints: The epochs so far.
        progress: Receives the progress.

    Returns:
        False if a keyboard interrupt ended the training early: the stage is then at its best epoch so
        far or, during the first, as the last batch left it.

    Raises:
        KeyboardInterrupt: It came before the stage was initialized, or while a `Fittable` stage learned.
        StageError: The stage failed, or its loss is not finite.
    """
    sizes = [max(len(example.predicted), 1) for example in task.examples]
    # A stage that can do both is fitted at once: its steps are for those who run a loop of their own.
    in_epochs = not isinstance(task.stage, Fittable)
    passes = _passes(training, sum(sizes)) if in_epochs else 1
    progress.head_started(task.name, seed, passes * sum(sizes), training.max_epochs if in_epochs else 0)
    if checkpoints.epochs:
        progress.message(f"{task.name} seed {seed}: resuming after epoch {len(checkpoints.epochs)}")

    if checkpoints.finished:
        checkpoints.restore_best(task.stage)
        return True
    if not in_epochs:
        _learn_at_once(task, seed)
        progress.batch_done(sum(sizes))
        checkpoints.add_fitted(task.stage)
        return True

    with _errors_of_stage(task):
        task.stage.initialize(task.examples, task.space, seed=seed)
    try:
        _learn_in_epochs(task, training, sizes, seed, checkpoints, progress)
    except KeyboardInterrupt:
        checkpoints.restore_best(task.stage)
        return False
    return True


def _learn_in_epochs(
    task: Task,
    training: TrainingConfig,
    sizes: Sequence[int],
    seed: int,
    checkpoints: Checkpoints,
    progress: TrainingProgress,
) -> None:
    if checkpoints.epochs:
        checkpoints.restore_last(task.stage)

    while not _is_over(checkpoints, training):
        started = time.monotonic()
        number = len(checkpoints.epochs) + 1
        batches = _batches(training, sizes, np.random.default_rng([seed, number]))
        loss = _learn(task, batches, sizes, progress)
        dev = task.score()
        epoch = Epoch(
            number=number,
            loss=loss,
            score=dev.score,
            dev_loss=dev.loss,
            seconds=time.monotonic() - started,
        )
        checkpoints.add(epoch, task.stage, task.stage.training_state())
        progress.epoch_done(epoch, best=checkpoints.best == epoch)

    checkpoints.restore_best(task.stage)
    checkpoints.finish()


def _batch_words(training: TrainingConfig, words: int) -> int:
    """Return the maximum number of words per batch: small data has small batches, or an epoch is one step."""
    return min(training.batch_words, max(words // BATCHES, SMALL_BATCH))


def _passes(training: TrainingConfig, words: int) -> int:
    """Return how often an epoch goes through the training data."""
    batches = math.ceil(words / _batch_words(training, words))  # of a pass, or a few more
    return math.ceil(STEPS / batches)


def _batches(
    training: TrainingConfig, sizes: Sequence[int], generator: np.random.Generator
) -> list[NDArray[np.intp]]:
    """Return the batches of one epoch, each pass through the data in an order of its own."""
    max_words = _batch_words(training, sum(sizes))
    passes = _passes(training, sum(sizes))
    return [batch for _ in range(passes) for batch in shuffled_batches(sizes, max_words, generator)]


def _learn_at_once(task: Task, seed: int) -> None:
    vectors = task.vectors([example.predicted for example in task.examples])
    with _errors_of_stage(task):
        task.stage.fit(task.examples, vectors, seed=seed)


@contextmanager
def _errors_of_stage(task: Task) -> Iterator[None]:
    try:
        yield
    except GlossatorError:
        raise
    except Exception as error:
        raise StageError(f"[{task.section}] failed in training: {type(error).__name__}: {error}") from error


def _is_over(checkpoints: Checkpoints, training: TrainingConfig) -> bool:
    return (
        len(checkpoints.epochs) >= training.max_epochs or checkpoints.epochs_without_gain >= training.patience
    )


def _learn(
    task: Task, batches: Sequence[np.ndarray], sizes: Sequence[int], progress: TrainingProgress
) -> float:
    """Learn from each batch once and return the mean loss."""
    losses = []
    for batch in batches:
        examples = [task.examples[i] for i in batch]
        vectors = task.vectors([example.predicted for example in examples])
        with _errors_of_stage(task):
            loss = task.stage.update(examples, vectors)
        if not np.isfinite(loss):
            raise StageError(
                f"[{task.section}] the loss became {loss}: try a smaller learning rate, if the stage "
                f"has that setting (--set {task.section}.learn_rate=...)"
            )
        losses.append(loss)
        progress.batch_done(sum(sizes[i] for i in batch))
    return float(np.mean(losses))
