"""Progress on the terminal; without a terminal there is no progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

if TYPE_CHECKING:
    from glossator.jobs.record_stream import Tally
    from glossator.training.checkpoints import Epoch

SPARKS = "▁▂▃▄▅▆▇█"
MOST_SPARKS = 20


@contextmanager
def annotating(console: Console) -> Iterator[Callable[[Tally], None]]:
    """Show documents and words per second; yield a function to call after every batch.

    Example:
        with annotating(Console(stderr=True)) as on_batch:
            glossator.annotate_files("letters/", "models/samples", "out.jsonl", on_batch=on_batch)
    """
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with progress:
        task = progress.add_task("annotating")

        def show(tally: Tally) -> None:
            rate = tally.words / max(tally.seconds, 1e-9)
            failed = f", {tally.failed:,} failed" if tally.failed else ""
            progress.update(
                task, description=f"{tally.written:,} documents{failed}, {tally.words:,} words, {rate:,.0f}/s"
            )

        yield show


class TrainingView:
    """Shows a bar over the batches of an epoch, and prints one line per epoch.

    A stage that is fitted at once cannot say how far it is: its bar moves to and fro, beside a clock.

    Example:
        with TrainingView(Console(stderr=True)) as view:
            glossator.train(config, "models/mine", progress=view)
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._scores: list[float] = []
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

        self._task = self._progress.add_task("", total=None, visible=False, amount="")
        self._words = self._learned = 0

    def __enter__(self) -> TrainingView:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def head_started(self, head: str, seed: int, words: int, max_epochs: int) -> None:
        """Start the bar."""
        self._scores = []
        self._words, self._learned = words, 0
        self._console.print(
            f"[bold]{head}[/bold] seed {seed}: {words:,} words"
            + (f" per epoch, at most {max_epochs} epochs" if max_epochs else ", trained in one step")
        )
        # A new task, as rich does not take the total of an old one away again.
        self._progress.remove_task(self._task)
        total = words if max_epochs else None
        self._task = self._progress.add_task(head, total=total, amount=f"{words:,} words")

    def batch_done(self, words: int) -> None:
        """Move the bar."""
        self._learned += words
        amount = f"{self._learned:,}/{self._words:,} words"
        self._progress.update(self._task, total=self._words, completed=self._learned, amount=amount)

    def epoch_done(self, epoch: Epoch, *, best: bool) -> None:
        """Print the epoch and restart the bar."""
        self._scores.append(epoch.score)
        mark = "[green]best[/green]" if best else ""
        self._console.print(
            f"  epoch {epoch.number:>3}  loss {epoch.loss:8.4f}  dev {epoch.score:.4f}  "
            f"{epoch.seconds:6.1f} s  {sparkline(self._scores)[-MOST_SPARKS:]} {mark}",
            highlight=False,
        )
        self._learned = 0
        self._progress.reset(self._task, total=self._words)

    def message(self, text: str) -> None:
        """Print a message."""
        self._console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


def sparkline(values: list[float]) -> str:
    """Return a row of bars, with the lowest bar for the lowest value.

    Example:
        sparkline([0.1, 0.5, 0.9])  # "▁▅█"
    """
    low, high = min(values), max(values)
    span = (high - low) or 1.0  # equal values: all bars are low
    return "".join(SPARKS[round((value - low) / span * (len(SPARKS) - 1))] for value in values)
