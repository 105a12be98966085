"""One stage on trial: what several checks need, made once."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from glossator.pipeline.pipeline import Pipeline
from glossator.testing.answers import difference, plain_answers
from glossator.testing.examples import TEXTS
from glossator.testing.lessons import can_learn, learn
from glossator.testing.outcome import Failed
from glossator.testing.processes import fresh_report
from glossator.testing.subject import Subject
from glossator.testing.texts import VARIED


@dataclass(frozen=True)
class Trial:
    """A stage on trial.

    Attributes:
        subject: The stage.
        folder: An empty folder to work in.
    """

    subject: Subject
    folder: Path

    texts = (*TEXTS, *VARIED)

    @cached_property
    def pipeline(self) -> Pipeline:
        """The stage in a pipeline, taught the eight examples if it can learn; checks must not change it."""
        pipeline = self.subject.compose()
        if can_learn(self.subject, pipeline):
            learn(self.subject, pipeline)
        return pipeline

    @cached_property
    def stage(self) -> Any:
        """The stage itself."""
        return self.subject.part(self.pipeline)

    @cached_property
    def learns(self) -> bool:
        """Whether it was taught."""
        return can_learn(self.subject, self.pipeline)

    @cached_property
    def answers(self) -> list[Any]:
        """Its plain answers to `texts`."""
        return plain_answers(self.subject, self.pipeline, self.texts)

    @cached_property
    def saved(self) -> Path:
        """The folder of the saved pipeline."""
        folder = self.folder / "saved"
        self.pipeline.save(folder)
        return folder

    @cached_property
    def fresh(self) -> dict[str, Any]:
        """What a fresh process reports; raises `NotApplicable` if it cannot import the stage."""
        return fresh_report(self.order(learn=True), self.folder)

    def order(self, *, learn: bool) -> dict[str, Any]:
        """Return what `worker.report` is to do."""
        subject = self.subject.to_json()
        return {"subject": subject, "folder": str(self.saved), "texts": list(self.texts), "learn": learn}

    def expect_same_answers(self, got: list[Any], where: str, tolerance: float) -> None:
        """Raise `Failed` where plain answers to `texts` are not what `answers` are."""
        differs = difference(self.texts, self.answers, got, tolerance)
        if differs:
            raise Failed(f"{where} {differs}")


def disturb_randomness() -> None:
    """Bring the global random states into disorder, as other code in the process may at any time."""
    seed = random.SystemRandom().randrange(2**32)
    random.seed(seed)
    np.random.seed(seed)
