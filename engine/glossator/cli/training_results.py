"""Prints the results of training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from glossator.training.trainer import TrainingResult


def finish(result: TrainingResult, output: Path, console: Console) -> None:
    """Print the results of each head, and exit with the code of the run.

    Example:
        finish(result, Path("models/mine"), Console(stderr=True))
    """
    _report(result, output, console)
    if result.interrupted:
        raise click.exceptions.Exit(130)
    if result.failed:
        raise click.exceptions.Exit(3)


def _report(result: TrainingResult, output: Path, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    from glossator.evaluation.scores import main_score
    from glossator.training.trainer import best_seed

    table = Table("head", "stage", "score", "best on dev", "each seed", "epochs", title=Text(str(output)))
    for name, seeds in result.heads.items():
        best = best_seed(seeds)
        scores = ", ".join(f"{seed.score:.4f}" for seed in seeds)
        head = result.pipeline.heads[name]
        metric = main_score(head.config.layer, exclusive=head.exclusive)
        epochs = str(len(best.epochs) or "–")  # a stage that is fitted at once has none
        table.add_row(name, head.config.stage, metric, f"{best.score:.4f}", scores, epochs)
    if result.heads:
        console.print(table)
    if result.interrupted:
        console.print("interrupted: the pipeline is the best so far; --resume continues", style="yellow")
