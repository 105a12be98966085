"""Checkpoints: a training run writes one per epoch, so that it can be resumed and its best epoch restored.

epoch-0003/stage/...  epoch-0003/state.npz  progress.json

A stage that was fitted at once has no epochs: fitted/stage/...  progress.json
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from glossator.errors import PipelineError
from glossator.stages import Saveable, Updatable
from glossator.training.dev_score import DevScore
from glossator.util.arrays import read_arrays, write_arrays
from glossator.util.files import replace_file

if TYPE_CHECKING:
    from glossator.stages import TrainingState


class TrainableStage(Saveable, Updatable, Protocol):
    """A stage that learns in steps and can be saved.

    Example:
        stage: TrainableStage = WindowTagger(write="tag")
    """


PROGRESS, STATE, STAGE = "progress.json", "state.npz", "stage"
FITTED = "fitted"  # in place of the folder of an epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """A pass through the training data, or several if it is small, and the score on the dev set after it.

    Example:
        Epoch(number=1, loss=0.83, score=0.41, seconds=12.5)

    Attributes:
        number: Counted from 1.
        loss: The mean loss of its batches.
        score: The dev score that training selects by, 0 to 1.
        seconds: Its duration, including the scoring.
        dev_loss: The loss on the dev set; None if the head has none, see `DevScore`.
    """

    number: int
    loss: float
    score: float
    seconds: float
    dev_loss: float | None = None

    @property
    def dev(self) -> DevScore:
        """Its result on the dev set, with the loss of training if there is none of the dev set."""
        return DevScore(self.score, self.loss if self.dev_loss is None else self.dev_loss)


class Checkpoints:
    """The epochs of one head trained with one seed; the last and the best are kept with their weights.

    Example:
        checkpoints = Checkpoints(Path("models/mine.training/ner/seed-0"))
        checkpoints.add(epoch, stage, stage.training_state())
        checkpoints.restore_best(stage)

    Args:
        folder: The folder of the checkpoints; made if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.epochs: list[Epoch] = []
        self.finished = False
        if (folder / PROGRESS).is_file():
            self._read()

    @property
    def best(self) -> Epoch | None:
        """The epoch with the best dev score; None before the first.

        Of equal scores, the lowest loss is the best, then the latest epoch: on a small dev set, scores stand
        still while the network improves.
        """
        return max(self.epochs, key=lambda epoch: (epoch.dev.rank, epoch.number), default=None)

    @property
    def epochs_without_gain(self) -> int:
        """The number of epochs since the last one whose score was not below the best."""
        # Not by the loss: that of a network that grows too sure rises while its score still does.
        best = max((epoch.dev.rank[0] for epoch in self.epochs), default=0.0)
        return next(
            (gone for gone, epoch in enumerate(reversed(self.epochs)) if epoch.dev.rank[0] == best), 0
        )

    def add(self, epoch: Epoch, stage: Saveable, state: TrainingState) -> None:
        """Write the weights and training state of an epoch; keep only the last and the best epoch."""
        self._write_stage(stage, self._epoch_folder(epoch), state)

        # Only now, and before others are deleted: the list must never name an epoch without a folder.
        self.epochs.append(epoch)
        self._write()
        kept = {self._epoch_folder(epoch), self._epoch_folder(self.best or epoch)}
        for folder in self._folder.glob("epoch-*"):
            if folder not in kept:
                shutil.rmtree(folder)

    def add_fitted(self, stage: Saveable) -> None:
        """Write a stage that was fitted at once, which finishes its training."""
        self._write_stage(stage, self._folder / FITTED)
        self.finish()

    def finish(self) -> None:
        """Record that training is finished."""
        self.finished = True
        self._write()

    def restore_last(self, stage: TrainableStage) -> None:
        """Restore a stage to its state after the last epoch, ready to continue.

        Raises:
            PipelineError: The checkpoint is damaged.
        """
        folder = self._epoch_folder(self.epochs[-1])
        stage.from_disk(folder / STAGE)
        stage.restore(_read_state(folder / STATE))

    def restore_best(self, stage: Saveable) -> None:
        """Restore a stage to its best epoch, or as it was fitted."""
        if self.best is not None:
            stage.from_disk(self._epoch_folder(self.best) / STAGE)
        elif self.finished:
            stage.from_disk(self._folder / FITTED / STAGE)

    def _write_stage(self, stage: Saveable, folder: Path, state: TrainingState | None = None) -> None:
        # Written under another name and renamed: a killed process leaves nothing half-written.
        temporary = self._folder / "next"
        shutil.rmtree(temporary, ignore_errors=True)
        (temporary / STAGE).mkdir(parents=True)
        stage.to_disk(temporary / STAGE)
        if state is not None:
            write_arrays(temporary / STATE, state)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)

    def _epoch_folder(self, epoch: Epoch) -> Path:
        return self._folder / f"epoch-{epoch.number:04d}"

    def _read(self) -> None:
        file = self._folder / PROGRESS
        try:
            progress = json.loads(file.read_text(encoding="utf-8"))
            self.epochs = [Epoch(**epoch) for epoch in progress["epochs"]]
            self.finished = bool(progress["finished"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PipelineError(f"{file} is damaged: {error}; train without --resume") from error

    def _write(self) -> None:
        progress = {"epochs": [asdict(epoch) for epoch in self.epochs], "finished": self.finished}
        replace_file(self._folder / PROGRESS, json.dumps(progress, indent=1))


def _read_state(file: Path) -> Mapping[str, np.ndarray]:
    try:
        return read_arrays(file)
    except PipelineError as error:
        raise PipelineError(f"{error}; train without --resume") from error
