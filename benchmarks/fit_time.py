"""Measure how long a stage of ours and the baseline take to learn from the same examples, in turns.

The time is that of learning alone, in one process: the examples are read and tokenized before. A stage that
learns in epochs also scores its dev set after each, as it does in `glossator train`.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from statistics import median

import click
import scoring
import throughput
from baselines import processor
from rich.console import Console
from rich.table import Table
from train_baseline import baseline_pipeline

from glossator.config.overrides import parse_override
from glossator.config.text import read_config
from glossator.data.corpora import recipe
from glossator.pipeline.pipeline import Pipeline
from glossator.training.checkpoints import Checkpoints
from glossator.training.loop import fit
from glossator.training.progress import Silent
from glossator.training.task import head_task


class Learner:
    """A pipeline of one head that learns from the same examples again and again.

    Attributes:
        cpu_seconds: The processor time of each time.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._train, self._dev = (scoring.read_examples(pipeline, split) for split in ("train", "dev"))
        self.cpu_seconds: list[float] = []

    def learn(self) -> float:
        """Learn from scratch; return the seconds that took."""
        (head,) = self._pipeline.heads.values()
        task = head_task(self._pipeline, head, self._train, self._dev)
        with tempfile.TemporaryDirectory() as folder:
            started, cpu_started = time.perf_counter(), time.process_time()
            fit(
                task,
                self._pipeline.config.training,
                seed=0,
                checkpoints=Checkpoints(Path(folder)),
                progress=Silent(),
            )
            self.cpu_seconds.append(time.process_time() - cpu_started)
            return time.perf_counter() - started


@click.command()
@click.argument("names", metavar="RECIPE...", nargs=-1, required=True)
@click.option("--corpora", type=click.Path(path_type=Path), help="Folder of corpora (or GLOSSATOR_CORPORA).")
@click.option("--rounds", default=3, show_default=True, help="How often each learns.")
@click.option(
    "--set", "overrides", multiple=True, metavar="A.B=VALUE", help="Change a setting of the recipes."
)
def main(names: tuple[str, ...], corpora: Path | None, rounds: int, overrides: tuple[str, ...]) -> None:
    """Let each RECIPE, of one head, and the baseline for its corpus learn in turns, and compare the times."""
    if corpora:
        os.environ["GLOSSATOR_CORPORA"] = str(corpora.resolve())
    changes = dict(parse_override(text) for text in overrides)
    columns = ("recipe", "baseline", "ours, s (CPU)", "baseline, s (CPU)", "ours / baseline", "CPU")
    table = Table(*columns, title=f"learning, medians of {rounds}; {processor()}")
    for name in names:
        pipeline = Pipeline.from_config(read_config(recipe(name), changes)).prepare()
        if len(pipeline.heads) != 1:
            raise click.BadParameter(f"{name} has {len(pipeline.heads)} heads: name a recipe of one head")
        table.add_row(name, *compared(pipeline, rounds))
    Console().print(table)


def compared(pipeline: Pipeline, rounds: int) -> list[str]:
    """Return the cells of a row: the baseline, the times of both and their ratios."""
    (head,) = pipeline.heads.values()
    baseline = baseline_pipeline(pipeline.config.data[head.name].corpus, str(head.config.layer))
    ours, theirs = Learner(pipeline), Learner(baseline)

    laps = throughput.in_turns(ours.learn, theirs.learn, rounds)
    cpu = list(zip(ours.cpu_seconds, theirs.cpu_seconds, strict=True))
    (model,) = baseline.heads.values()
    times = [f"{median(lap[i] for lap in laps):.2f} ({median(lap[i] for lap in cpu):.2f})" for i in (0, 1)]
    ratios = [throughput.with_range([mine / other for mine, other in pairs]) for pairs in (laps, cpu)]
    return [model.stage.described(), *times, *ratios]


if __name__ == "__main__":
    main()
