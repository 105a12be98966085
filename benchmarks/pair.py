"""Set pipelines of ours beside each other on the same test set: which difference is one, and what it costs.

The first pipeline is the yardstick; each of the others is scored on the same documents, with the 95% interval
of the difference by a paired bootstrap. With texts, all annotate them in turns, and words per second are
compared, too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import scoring
import throughput
from rich.console import Console
from rich.table import Table

import glossator

BATCH_WORDS = 20_000


@click.command()
@click.argument("yardstick", type=click.Path(path_type=Path, exists=True))
@click.argument("others", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--text", "texts", multiple=True, type=click.Path(path_type=Path), help="Annotate this file.")
@click.option("--paragraphs", default=3000, show_default=True, help="Stop after so many of the texts.")
@click.option("--rounds", default=5, show_default=True, help="How often each annotates them.")
def main(
    yardstick: Path, others: tuple[Path, ...], texts: tuple[Path, ...], paragraphs: int, rounds: int
) -> None:
    """Compare each of OTHERS with YARDSTICK, pipelines of one head each that learned from one corpus."""
    Console().print(scores(yardstick, others))
    if texts:
        documents = throughput.read_paragraphs(texts, paragraphs)
        Console().print(speed(yardstick, others, documents, rounds))


def scores(yardstick: Path, others: Sequence[Path]) -> Table:
    """Score all on the test set of the yardstick's corpus."""
    first = glossator.load(yardstick)
    (head,) = first.heads.values()
    metric = scoring.metric_of(head)
    base = scoring.evaluate(first)
    table = Table("pipeline", metric.name, "difference", "95% interval", "p", title="test set")
    table.add_row(yardstick.name, scoring.points(base.scores[metric.name]), "", "", "")
    for folder in others:
        evaluation = scoring.evaluate(glossator.load(folder))
        found = metric.compare([evaluation], [base])
        table.add_row(
            folder.name,
            scoring.points(evaluation.scores[metric.name]),
            scoring.points(found.difference, "+"),
            scoring.interval(found),
            f"{found.p_value:.4f}",
        )
    return table


def speed(yardstick: Path, others: Sequence[Path], documents: Sequence[str], rounds: int) -> Table:
    """Let all take the same texts to a DocBin, in turns."""
    table = Table("pipeline", "share of the yardstick's words/s", title=f"{len(documents):,} paragraphs")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "docs.spacy"
        for other in others:
            laps = throughput.in_turns(
                lambda other=other: seconds(other, documents, file),
                lambda: seconds(yardstick, documents, file),
                rounds,
            )
            shares = [theirs / mine for mine, theirs in laps]
            table.add_row(other.name, throughput.with_range(shares, digits=3))
    return table


def seconds(folder: Path, documents: Sequence[str], file: Path) -> float:
    """Return how long a pipeline takes from texts to a DocBin on disk."""
    side = throughput.Annotator(
        folder.name, lambda: throughput.load_ours(folder, ()), throughput.save_ours, (BATCH_WORDS,)
    )
    return throughput.time_corpus(side, documents, BATCH_WORDS, file)


if __name__ == "__main__":
    main()
