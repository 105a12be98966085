"""Train and score recipes, and set each beside spaCy's component trained on the same files.

What spaCy reached is in `peer_scores.json`, made by `peer.py`. Both are scored on the test set, on
its gold tokens.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from glossator.config import HeadConfig, read_config
from glossator.corpora import recipe

PEER_SCORES = Path(__file__).with_name("peer_scores.json")
GLOSSATOR = [sys.executable, "-c", "from glossator.cli import main; main()"]

# by the layer a head writes: spaCy's component, its score and ours
PEERS = {"ents": ("ner", "ents_f", "ents_f"), "pos": ("tagger", "tag_acc", "pos_acc")}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One head of ours beside spaCy's component; what is not known is None."""

    recipe: str
    corpus: str
    metric: str
    spacy: float | None
    ours: float
    time_ratio: float | None


@click.command()
@click.argument("names", metavar="RECIPE...", nargs=-1, required=True)
@click.option(
    "--pipelines",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of the trained pipelines, each called as its recipe; what is missing is trained.",
)
@click.option("--corpora", type=click.Path(path_type=Path), help="Folder of corpora (or GLOSSATOR_CORPORA).")
@click.option(
    "--peer", default=PEER_SCORES, type=click.Path(path_type=Path), help="JSON file of spaCy's scores."
)
def main(names: tuple[str, ...], pipelines: Path, corpora: Path | None, peer: Path) -> None:
    """Train each RECIPE that is not trained yet, score it, and print it beside spaCy's score."""
    if corpora:
        os.environ["GLOSSATOR_CORPORA"] = str(corpora)
    pipelines.mkdir(parents=True, exist_ok=True)
    peer_scores = json.loads(peer.read_text(encoding="utf-8"))
    rows = [row for name in names for row in compare(name, pipelines, peer_scores)]
    Console().print(table(rows))


def compare(name: str, pipelines: Path, peer_scores: dict[str, Any]) -> list[Comparison]:
    """Return a row for each head of a recipe that spaCy has a component for."""
    seconds = train(name, pipelines)
    scores = evaluate(pipelines / name)
    config = read_config(recipe(name))
    heads = [head for head in config.heads if head.layer in PEERS]
    # the time of a pipeline of several heads is nobody's to compare with
    alone = len(config.heads) == 1
    return [
        comparison(
            name,
            head,
            config.data[head.name].corpus,
            scores[head.name],
            peer_scores,
            seconds if alone else None,
        )
        for head in heads
    ]


def comparison(
    name: str,
    head: HeadConfig,
    corpus: str,
    scores: dict[str, Any],
    peer_scores: dict[str, Any],
    seconds: float | None,
) -> Comparison:
    """Set the scores of one head beside spaCy's."""
    component, peer_metric, metric = PEERS[head.layer]
    entry = peer_scores.get(corpus, {}).get(component)
    ratio = seconds / entry["training_seconds"] if entry and seconds else None
    return Comparison(
        recipe=name,
        corpus=corpus,
        metric=metric,
        spacy=entry["scores"][peer_metric] if entry else None,
        ours=scores[metric],
        time_ratio=ratio,
    )


def train(name: str, pipelines: Path) -> float | None:
    """Train a recipe unless its pipeline is there; return the seconds that took, if they are known.

    They are kept in a file beside the pipeline.
    """
    times = pipelines / f"{name}.seconds"
    if not (pipelines / name).is_dir():
        started = time.perf_counter()
        subprocess.run([*GLOSSATOR, "train", name, "-o", str(pipelines / name)], check=True)
        times.write_text(f"{time.perf_counter() - started:.1f}\n", encoding="utf-8")
    return float(times.read_text(encoding="utf-8")) if times.exists() else None


def evaluate(pipeline: Path) -> dict[str, Any]:
    """Return the scores of each head on the test set of its own corpus."""
    command = [*GLOSSATOR, "evaluate", str(pipeline), "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    heads: dict[str, Any] = json.loads(done.stdout)["heads"]
    return heads


def table(rows: list[Comparison]) -> Table:
    """Lay the comparisons out; scores and differences are in points of 100."""
    columns = ("recipe", "corpus", "metric", "spaCy", "ours", "difference", "training time, ours / spaCy")
    laid_out = Table(*columns, title="test sets, gold tokens")
    for row in rows:
        difference = None if row.spacy is None else row.ours - row.spacy
        laid_out.add_row(
            row.recipe,
            row.corpus,
            row.metric,
            "–" if row.spacy is None else f"{100 * row.spacy:.2f}",
            f"{100 * row.ours:.2f}",
            "–" if difference is None else f"{100 * difference:+.2f}",
            "–" if row.time_ratio is None else f"{row.time_ratio:.2f}",
        )
    return laid_out


if __name__ == "__main__":
    main()
