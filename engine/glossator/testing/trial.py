"""The stage under test with what several checks need, made once."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from glossator.pipeline.pipeline import Pipeline
from glossator.stages import Updatable
from glossator.testing.answers import difference, plain_answers
from glossator.testing.examples import TEXTS
from glossator.testing.lessons import begin, is_trainable, learn, lesson, update
from glossator.testing.outcome import Failed
from glossator.testing.processes import fresh_report
from glossator.testing.subject import Subject
from glossator.testing.texts import VARIED


@dataclass(frozen=True)
class Trial:
    """A stage under test, its pipeline and its answers; each is made on first use.

    Example:
        trial = Trial(subject, tmp_path)
        prediction.batch_invariance(trial)

    Attributes:
        subject: The stage.
        folder: An empty folder for files.
    """

    subject: Subject
    folder: Path

    texts = (*TEXTS, *VARIED)
    short_steps = 8

    @cached_property
    def pipeline(self) -> Pipeline:
        """The stage in a pipeline, trained on the eight examples if trainable; checks must not change it."""
        pipeline = self.subject.compose()
        if is_trainable(self.subject, pipeline):
            learn(self.subject, pipeline)
        return pipeline

    @cached_property
    def stage(self) -> Any:
        """The stage itself."""
        return self.subject.part(self.pipeline)

    @cached_property
    def is_trainable(self) -> bool:
        """Whether the engine trains the stage."""
        return is_trainable(self.subject, self.pipeline)

    @cached_property
    def answers(self) -> list[Any]:
        """Its plain answers to `texts`."""
        return plain_answers(self.subject, self.pipeline, self.texts)

    @cached_property
    def undisturbed(self) -> tuple[list[float], list[Any]]:
        """The losses of a short training that nothing interrupts, and the plain answers after it."""
        pipeline, losses = short_training(self.subject, self.short_steps)
        return losses, plain_answers(self.subject, pipeline, self.texts)

    @cached_property
    def saved(self) -> Path:
        """The folder of the saved pipeline."""
        folder = self.folder / "saved"
        self.pipeline.save(folder)
        return folder

    @cached_property
    def fresh(self) -> dict[str, Any]:
        """The report of a fresh process; raises `NotApplicable` if it cannot import the stage."""
        return fresh_report(self.order(learn=True), self.folder)

    def order(self, *, learn: bool) -> dict[str, Any]:
        """Return the order for `worker.report`."""
        subject = self.subject.to_json()
        return {"subject": subject, "folder": str(self.saved), "texts": list(self.texts), "learn": learn}

    def expect_same_answers(self, actual: list[Any], where: str, tolerance: float) -> None:
        """Raise `Failed` if plain answers to `texts` differ from `answers`."""
        differs = difference(self.texts, self.answers, actual, tolerance)
        if differs:
            raise Failed(f"{where} {differs}")


def short_training(subject: Subject, steps: int) -> tuple[Pipeline, list[float]]:
    """Train a new stage, and return the losses; the result must depend on the seed alone.

    Example:
        pipeline, losses = short_training(trial.subject, 8)
    """
    disturb_randomness()
    pipeline = subject.compose()
    examples = lesson(subject, pipeline)
    begin(subject, pipeline, examples)
    if not isinstance(subject.part(pipeline), Updatable):
        return pipeline, []
    return pipeline, update(subject, pipeline, examples, steps)


def disturb_randomness() -> None:
    """Reseed the global random states at random, as other code in the process may at any time.

    Example:
        disturb_randomness()
        subject.part(resumed).restore(state)
    """
    seed = random.SystemRandom().randrange(2**32)
    random.seed(seed)
    np.random.seed(seed)
