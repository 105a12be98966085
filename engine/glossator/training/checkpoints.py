"""What a training run leaves on disk after every epoch, so that it can be resumed and its best kept.

epoch-0003/stage/...  epoch-0003/state.npz  progress.json
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
from glossator.util.arrays import read_arrays, write_arrays
from glossator.util.files import replace_file

if TYPE_CHECKING:
    from glossator.stages import TrainingState


class TrainableStage(Saveable, Updatable, Protocol):
    """A stage that learns in steps and can be saved."""


PROGRESS, STATE, STAGE = "progress.json", "state.npz", "stage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One pass over the training data.

    Attributes:
        number: Counted from 1.
        loss: Mean over its batches.
        score: The dev score training selects by, 0 to 1.
        seconds: Its duration, scoring included.
    """

    number: int
    loss: float
    score: float
    seconds: float


class Checkpoints:
    """The epochs of one head trained with one seed, the last and the best of them with their weights.

    Args:
        folder: Where they lie; made if need be.
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

        Of equals the last: on a small dev set scores stand still while a network still learns.
        """
        return max(self.epochs, key=lambda epoch: (epoch.score, epoch.number), default=None)

    @property
    def epochs_without_gain(self) -> int:
        """How many epochs ago the best one was."""
        return len(self.epochs) - self.best.number if self.best else 0

    def add(self, epoch: Epoch, stage: Saveable, state: TrainingState) -> None:
        """Keep the weights and training state after an epoch; drop those neither last nor best."""
        temporary = self._folder / "next"
        shutil.rmtree(temporary, ignore_errors=True)
        (temporary / STAGE).mkdir(parents=True)
        stage.to_disk(temporary / STAGE)
        write_arrays(temporary / STATE, state)
        final = self._epoch_folder(epoch)
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)
        self.epochs.append(epoch)
        self._write()
        kept = {self._epoch_folder(epoch), self._epoch_folder(self.best or epoch)}
        for folder in self._folder.glob("epoch-*"):
            if folder not in kept:
                shutil.rmtree(folder)

    def finish(self) -> None:
        """Say that training is over."""
        self.finished = True
        self._write()

    def restore_last(self, stage: TrainableStage) -> None:
        """Bring a stage back to where the last epoch left it, ready to go on.

        Raises:
            PipelineError: The checkpoint is damaged.
        """
        folder = self._epoch_folder(self.epochs[-1])
        stage.from_disk(folder / STAGE)
        stage.restore(_read_state(folder / STATE))

    def restore_best(self, stage: Saveable) -> None:
        """Bring a stage back to its best epoch."""
        if self.best is not None:
            stage.from_disk(self._epoch_folder(self.best) / STAGE)

    def _epoch_folder(self, epoch: Epoch) -> Path:
        return self._folder / f"epoch-{epoch.number:04d}"

    def _read(self) -> None:
        file = self._folder / PROGRESS
        try:
            progress = json.loads(file.read_text(encoding="utf-8"))
            self.epochs = [Epoch(**epoch) for epoch in progress["epochs"]]
            self.finished = bool(progress["finished"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PipelineError(f"{file} is damaged, train without --resume: {error}") from error

    def _write(self) -> None:
        progress = {"epochs": [asdict(epoch) for epoch in self.epochs], "finished": self.finished}
        replace_file(self._folder / PROGRESS, json.dumps(progress, indent=1))


def _read_state(file: Path) -> Mapping[str, np.ndarray]:
    try:
        return read_arrays(file)
    except PipelineError as error:
        raise PipelineError(f"{error}; train without --resume") from error
