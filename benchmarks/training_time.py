"""Measure the time to the best dev score: a recipe of ours and spaCy's component on the same files, in turn.

Both run as their own commands, one after the other, on all processors: let nothing else run beside them.
The time counts from the start of the process to the line that reports the best score, so it holds
imports and reading the data, and not the epochs that only found that there was nothing more to gain.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import peer
from rich.console import Console
from rich.table import Table

from glossator.config.schema import HeadConfig
from glossator.config.text import read_config
from glossator.data.corpora import corpus, recipe
from glossator.errors import ConfigError

# spaCy's table: epoch, step, losses, scores, and last the score by which the best model is chosen
SPACY_LINE = re.compile(r"^\s*\d+\s+\d+\s+.*?([\d.]+)\s*$")
OUR_LINE = re.compile(r"^\s*epoch\s+\d+\s+loss\s+\S+\s+dev\s+([\d.]+)")


@dataclass(frozen=True, slots=True)
class Lap:
    """One training: its best dev score, 0 to 1, the seconds until it was reported, and all seconds."""

    score: float
    to_best: float
    total: float


@click.command()
@click.argument("names", metavar="RECIPE...", nargs=-1, required=True)
@click.option("--corpora", type=click.Path(path_type=Path), help="Folder of corpora (or GLOSSATOR_CORPORA).")
def main(names: tuple[str, ...], corpora: Path | None) -> None:
    """Train each RECIPE and its peer, and print the times to the best dev score and their ratio."""
    if corpora is not None:
        os.environ["GLOSSATOR_CORPORA"] = str(corpora.resolve())
    table = Table("recipe", "", "best dev score", "seconds to it", "in all", title="training time")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            theirs = time_peer(name, Path(folder))
            ours = time_ours(name, Path(folder))
        for side, lap in (("spaCy", theirs), ("glossator", ours)):
            table.add_row(name, side, f"{lap.score:.4f}", f"{lap.to_best:.0f}", f"{lap.total:.0f}")
        ratio, in_all = theirs.to_best / ours.to_best, theirs.total / ours.total
        table.add_row(name, "times as fast", "", f"{ratio:.2f}", f"{in_all:.2f}", end_section=True)
    Console().print(table)


def time_ours(name: str, folder: Path) -> Lap:
    """Train a recipe of ours."""
    command = ["-c", "from glossator.cli import main; main()", "train", name, "-o", str(folder / "ours")]
    return time_to_best(command, folder, OUR_LINE)


def time_peer(name: str, folder: Path) -> Lap:
    """Train spaCy's component on the corpus of a recipe of ours, which has one head."""
    config = read_config(recipe(name))
    (head,) = config.heads
    known = corpus(config.data[head.name].corpus)
    component = component_for(head)
    peer.write_gold(known, component, folder, None)
    init, train, _ = peer.commands(known.lang, component)
    peer.run(init, folder)
    return time_to_best(train, folder, SPACY_LINE)


def component_for(head: HeadConfig) -> peer.Component:
    """Return spaCy's component for the layer a head writes."""
    known = {component.layer: component for component in (*peer.COMPONENTS.values(), peer.XPOS)}
    if str(head.layer) not in known:
        raise ConfigError(f"head {head.name!r} writes {str(head.layer)!r}, for which spaCy has no peer here")
    return known[str(head.layer)]


def time_to_best(arguments: Sequence[str], folder: Path, score_line: re.Pattern[str]) -> Lap:
    """Run Python with arguments in a folder and watch for lines that report scores."""
    started = time.perf_counter()
    reports = []
    with subprocess.Popen(
        [sys.executable, "-u", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as process:
        for line in process.stdout or ():
            click.echo(line, nl=False, err=True)
            if found := score_line.match(line):
                reports.append((float(found[1]), time.perf_counter() - started))
    total = time.perf_counter() - started
    if process.returncode or not reports:
        raise click.ClickException(f"{' '.join(arguments)} failed: {process.returncode}")
    best = max(score for score, _ in reports)
    return Lap(best, next(seconds for score, seconds in reports if score == best), total)


if __name__ == "__main__":
    main()
