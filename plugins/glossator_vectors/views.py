"""What `glossator vectors` shows on the terminal while it works; silent where there is none."""

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

from glossator_vectors.training.progress import TrainingView


@contextmanager
def importing(console: Console) -> Iterator[Callable[[int], None]]:
    """Show how many words are read; yields what to call with their number."""
    with _progress(console) as progress:
        task = progress.add_task("reading")
        yield lambda words: progress.update(task, description=f"{words:,} words")


@contextmanager
def training(console: Console) -> Iterator[TrainingView]:
    """Show a training; yields its view."""
    with _progress(console) as progress:
        yield _RichView(progress)


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


class _RichView(TrainingView):
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("tokenizing", total=None)
        self._started = time.perf_counter()
        self._words = 0

    def tokenized(self, words: int) -> None:
        self._say("tokenizing", words)

    def training(self, words: int) -> None:
        self._progress.reset(self._task, total=words)
        self._started = time.perf_counter()

    def trained(self, words: int) -> None:
        self._words += words
        self._progress.advance(self._task, words)
        self._say("training", self._words)

    def _say(self, what: str, words: int) -> None:
        rate = words / max(time.perf_counter() - self._started, 1e-9)
        self._progress.update(self._task, description=f"{what}: {words:,} words, {rate:,.0f}/s")
