"""Progress bars of `glossator vectors`; hidden where the output is not a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from glossator_vectors.training.progress import TrainingProgress


@contextmanager
def word_bar(console: Console) -> Iterator[Callable[[int], None]]:
    """Show a count of words; yields the function that updates it."""
    with _progress(console) as progress:
        task = progress.add_task("reading")
        yield lambda words: progress.update(task, description=f"{words:,} words")


@contextmanager
def training_bar(console: Console) -> Iterator[TrainingProgress]:
    """Show the progress of training; yields its receiver."""
    with _progress(console) as progress:
        yield _TrainingBar(progress)


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


class _TrainingBar(TrainingProgress):
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("tokenizing", total=None)
        self._started = time.perf_counter()
        self._words = 0

    def tokenized(self, words: int) -> None:
        self._describe("tokenizing", words)

    def training_started(self, words: int) -> None:
        self._progress.reset(self._task, total=words)
        self._started = time.perf_counter()

    def trained(self, words: int) -> None:
        self._words += words
        self._progress.advance(self._task, words)
        self._describe("training", self._words)

    def _describe(self, step: str, words: int) -> None:
        rate = words / max(time.perf_counter() - self._started, 1e-9)
        self._progress.update(self._task, description=f"{step}: {words:,} words, {rate:,.0f}/s")
