"""Do our defaults suit corpora that they were not chosen on? Each stage over a grid.

The grids reach beyond what a stage chooses by itself. Each setting is trained on each corpus, cut to
3,000 documents, and scored on the dev set. For each corpus the settings that are best on average on the
other corpora are set beside the best ones there: what is lost is the price of not tuning.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import click
import peer
import scoring
from baselines import processor
from rich.console import Console
from rich.table import Table

import glossator
from glossator.config.schema import DataConfig, PipelineConfig
from glossator.data.corpora import corpus
from glossator.pipeline.pipeline import Pipeline

SCORES = Path(__file__).with_name("transfer_scores.json")
MOST_DOCUMENTS, MOST_DEV = 3_000, 1_000
HEAD = "head"

Settings = dict[str, Any]


def grid(**values: Sequence[Any]) -> list[Settings]:
    """Return all combinations of some settings' values.

    Example:
        grid(width=[50, 100], dropout=[0.3, 0.5])  # four
    """
    return [
        dict(zip(values, combination, strict=True)) for combination in itertools.product(*values.values())
    ]


# The first setting of each grid is the default.
GRIDS: dict[str, list[Settings]] = {
    "crf": [{}, *grid(learn_rate=[0.025, 0.05, 0.1, 0.2], strength=[1.0, 100.0])],
    "linear": [{}, *grid(strength=[0.004, 0.015, 0.06, 0.25, 1.0, 3.0, 10.0])],
    "bilstm-crf": grid(word_dropout=[0.1, 0.3], dropout=[0.5, 0.3], width=[100, 50]),
    "cnn": grid(word_dropout=[0.4, 0.1], dropout=[0.5, 0.3], learn_rate=[0.002, 0.001]),
    "lstm": grid(word_dropout=[0.3, 0.1], dropout=[0.5, 0.3], learn_rate=[0.002, 0.001]),
}
ENTITIES = dict.fromkeys(("uner_ewt", "wikigold", "wnut17", "btc", "uner_pt_bosque"), "ents")
CATEGORIES = dict.fromkeys(("mr", "subj", "banking77", "clinc150", "goemotions", "smsspam"), "cats")
SEVERAL_LABELS = {"goemotions"}
TAGGED = {**ENTITIES, "ud_ewt": "pos"}
CORPORA = {"crf": TAGGED, "bilstm-crf": TAGGED, "linear": CATEGORIES, "cnn": CATEGORIES, "lstm": CATEGORIES}


@click.command()
@click.argument("stages", metavar="STAGE...", nargs=-1, required=True, type=click.Choice(sorted(GRIDS)))
@click.option("--corpora", type=click.Path(path_type=Path), help="Folder of corpora (or GLOSSATOR_CORPORA).")
@click.option("--only", multiple=True, metavar="CORPUS", help="Corpora to train on now; by default all.")
@click.option(
    "-o",
    "output",
    default=SCORES,
    show_default=False,
    type=click.Path(path_type=Path),
    help="JSON file of the scores; what it holds is not trained again. By default that of this folder.",
)
@click.option("--markdown", is_flag=True, help="Print the table for the README, too.")
def main(
    stages: tuple[str, ...], corpora: Path | None, only: tuple[str, ...], output: Path, markdown: bool
) -> None:
    """Train each STAGE with each of its settings on each corpus, and print what its defaults lose."""
    if corpora:
        os.environ["GLOSSATOR_CORPORA"] = str(corpora.resolve())
    scores = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    for stage in stages:
        for name, layer in CORPORA[stage].items():
            if not only or name in only:
                known = scores.setdefault(stage, {}).setdefault(name, {})
                train_grid(stage, name, layer, known, lambda: save(output, scores))
    rows = [row for stage in stages for row in losses(stage, scores[stage])]
    Console().print(table(rows))
    if markdown:
        click.echo(scoring.markdown([COLUMNS, *rows]))


def save(output: Path, scores: Mapping[str, Any]) -> None:
    """Write the scores, with the processor that made them."""
    text = json.dumps({**scores, "processor": processor()}, indent=1, sort_keys=True)
    output.write_text(f"{text}\n", encoding="utf-8")


def train_grid(stage: str, name: str, layer: str, known: dict[str, float], saved: Any) -> None:
    """Train a stage on one corpus with all settings that have no score yet."""
    missing = [settings for settings in GRIDS[stage] if key_of(settings) not in known]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as folder:
        write_data(name, layer, Path(folder))
        for settings in missing:
            config = config_of(stage, settings, name, layer, Path(folder))
            result = glossator.train(config, Path(folder) / "pipeline")
            known[key_of(settings)] = result.heads[HEAD][0].score
            click.echo(f"{stage} {name} {key_of(settings)}: {known[key_of(settings)]:.4f}", err=True)
            saved()


def key_of(settings: Settings) -> str:
    """Return settings as the name of an entry.

    Example:
        key_of({"width": 100})  # "width=100"
    """
    return " ".join(f"{name}={value}" for name, value in settings.items()) or "defaults"


def write_data(name: str, layer: str, folder: Path) -> None:
    """Write the training set of a corpus and its dev set, both cut, into a folder."""
    for split, most in (("train", MOST_DOCUMENTS), ("dev", MOST_DEV)):
        docs = list(peer.gold_docs(corpus(name), split, layer, None))
        if len(docs) > most:
            docs = random.Random(0).sample(docs, most)
        peer.store(docs, folder / f"{split}.spacy")


def config_of(stage: str, settings: Settings, name: str, layer: str, folder: Path) -> PipelineConfig:
    """Return the config of a pipeline of one stage that learns a corpus."""
    pipeline = Pipeline(corpus(name).lang)
    if layer == "cats":
        pipeline.add_classifier(HEAD, stage, exclusive=name not in SEVERAL_LABELS, **settings)
    else:
        # `gold_docs` gives universal parts of speech as `tag`, as spaCy learns them.
        pipeline.add_tagger(HEAD, stage, write="tag" if layer == "pos" else layer, **settings)
    data = {HEAD: DataConfig(train="train.spacy", dev="dev.spacy")}
    return replace(pipeline.config, data=data, folder=folder)


COLUMNS = ("stage", "corpus", "defaults", "best elsewhere", "score", "best here", "score", "lost")


def losses(stage: str, scores: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """Return one row per corpus: the settings that are best on the others, and what they lose here."""
    rows = []
    complete = {name: found for name, found in scores.items() if len(found) == len(GRIDS[stage])}
    for name, here in complete.items():
        others = [found for other, found in complete.items() if other != name]
        if not others:
            continue
        elsewhere = max(here, key=lambda key: mean(found[key] for found in others))
        best = max(here, key=lambda key: here[key])
        default = here[key_of(GRIDS[stage][0])]
        lost = here[best] - here[elsewhere]
        cells = [scoring.points(default), elsewhere, scoring.points(here[elsewhere])]
        rows.append([stage, name, *cells, best, scoring.points(here[best]), scoring.points(lost)])
    return rows


def table(rows: Sequence[Sequence[str]]) -> Table:
    """Lay the rows out; scores are in points of 100."""
    laid_out = Table(*COLUMNS, title="defaults, one corpus left out at a time, on dev")
    for cells in rows:
        laid_out.add_row(*cells)
    return laid_out


if __name__ == "__main__":
    main()
