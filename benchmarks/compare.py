"""Train and score recipes, and set each beside spaCy's component and the baseline trained on the same files.

All are scored on the gold tokens of the test set. With the models that `peer.py` left (`--peers`), both sides
annotate the same documents, and a paired bootstrap over these says whether the difference is one (Koehn
2004). Without them spaCy's scores come from `peer_scores.json`, also made by `peer.py`. The scores of
scikit-learn and CRFsuite come from `baseline_scores.json`, made by `baselines.py`, which also says whether
the difference to them is one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import click
import scoring
from measured_run import Cost
from recipe_training import train
from rich.console import Console
from rich.table import Table

import glossator
from glossator.config.schema import HeadConfig
from glossator.config.text import read_config
from glossator.data.corpora import recipe
from glossator.evaluation.significance import Significance
from glossator.pipeline.head import Head

PEER_SCORES = Path(__file__).with_name("peer_scores.json")
BASELINE_SCORES = Path(__file__).with_name("baseline_scores.json")

Scores = Mapping[str, Any]  # by corpus and entry, as the files hold them


@dataclass(frozen=True, slots=True)
class Peer:
    """A component of spaCy's that a head is compared with.

    Attributes:
        component: What spaCy calls it.
        entry: What `peer.py` calls it.
        metric: Its score.
    """

    component: str
    entry: str
    metric: str


TAGGERS = {
    "ents": Peer("ner", "ner", "ents_f"),
    "pos": Peer("tagger", "tagger", "tag_acc"),
    "tag": Peer("tagger", "tagger-xpos", "tag_acc"),
}


def peers_of(head: Head) -> list[Peer]:
    """Return what a head is compared with; nothing where spaCy has no such component."""
    if head.config.kind == "tagger":
        return [TAGGERS[str(head.config.layer)]] if str(head.config.layer) in TAGGERS else []
    entries = ("textcat-efficiency", "textcat-accuracy")
    if head.exclusive:  # spaCy calls the accuracy of categories that exclude each other micro F1
        return [Peer("textcat", entry, "cats_micro_f") for entry in entries]
    return [Peer("textcat_multilabel", entry, "cats_macro_f") for entry in entries]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One head of ours beside spaCy's component and the baseline; what is not known is None.

    Attributes:
        recipe: The recipe.
        peer: spaCy's component.
        corpus: The corpus whose test set it is.
        metric: The score.
        ours: Our score with each seed.
        spacy: spaCy's score.
        baseline: The baseline's score.
        significance: What the bootstrap says of our mean and spaCy's score.
        time_ratio: How much longer our training took than spaCy's, on average.
    """

    recipe: str
    peer: str
    corpus: str
    metric: str
    ours: tuple[float, ...]
    spacy: float | None
    baseline: float | None
    significance: Significance | None
    time_ratio: float | None

    @property
    def difference(self) -> float | None:
        """By how much ours is better than spaCy's."""
        return None if self.spacy is None else mean(self.ours) - self.spacy


@dataclass(frozen=True, slots=True)
class Others:
    """What is known of those that ours are compared with.

    Attributes:
        models: The folder of spaCy's trained models, if there is one.
        peer: spaCy's scores.
        baseline: The baselines' scores.
    """

    models: Path | None
    peer: Scores
    baseline: Scores


@click.command()
@click.argument("names", metavar="RECIPE...", nargs=-1, required=True)
@click.option(
    "--pipelines",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of the trained pipelines, RECIPE-seed0 and so on; what is missing is trained.",
)
@click.option("--seeds", default=1, show_default=True, help="How many pipelines a recipe, seeds from 0.")
@click.option("--corpora", type=click.Path(path_type=Path), help="Folder of corpora (or GLOSSATOR_CORPORA).")
@click.option(
    "--peers",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of spaCy's trained models, the --work of peer.py; needed to say what is significant.",
)
@click.option(
    "--peer", default=PEER_SCORES, type=click.Path(path_type=Path), help="JSON file of spaCy's scores."
)
@click.option(
    "--baseline",
    default=BASELINE_SCORES,
    type=click.Path(path_type=Path),
    help="JSON file of the baselines' scores.",
)
@click.option("--markdown", is_flag=True, help="Print the table for the README, too.")
def main(
    names: tuple[str, ...],
    pipelines: Path,
    seeds: int,
    corpora: Path | None,
    peers: Path | None,
    peer: Path,
    baseline: Path,
    markdown: bool,
) -> None:
    """Train each RECIPE that is not trained yet, score it, and print it beside the others' scores."""
    if corpora:
        os.environ["GLOSSATOR_CORPORA"] = str(corpora)
    pipelines.mkdir(parents=True, exist_ok=True)
    peer_scores, baseline_scores = (json.loads(path.read_text(encoding="utf-8")) for path in (peer, baseline))
    others = Others(peers, peer_scores, baseline_scores)
    rows = [row for name in names for row in compare(name, pipelines, seeds, others)]
    Console().print(table(rows))
    if markdown:
        click.echo(markdown_table(rows))


def compare(name: str, pipelines: Path, seeds: int, others: Others) -> list[Comparison]:
    """Return a row for each head of a recipe and each component that spaCy has for it."""
    folders = [pipelines / f"{name}-seed{seed}" for seed in range(seeds)]
    costs = [train(name, seed, folder) for seed, folder in enumerate(folders)]
    config = read_config(recipe(name))
    # the time of a pipeline of several heads is nobody's to compare with
    seconds = mean_seconds(costs) if len(config.heads) == 1 else None
    return [
        row
        for head in config.heads
        for row in compare_head(name, head, config.data[head.name].corpus, folders, others, seconds)
    ]


def mean_seconds(costs: Sequence[Cost | None]) -> float | None:
    """Return the mean time of the trainings; None if one of them is not known."""
    known = [cost.seconds for cost in costs if cost]
    return mean(known) if len(known) == len(costs) else None


def compare_head(
    name: str, head: HeadConfig, corpus: str, folders: Sequence[Path], others: Others, seconds: float | None
) -> list[Comparison]:
    """Score one head, trained with each seed, and set it beside each of spaCy's components for it."""
    loaded = [glossator.load(folder, only=[head.name]) for folder in folders]
    ours = [scoring.evaluate(pipeline) for pipeline in loaded]
    rows = []
    for peer in peers_of(loaded[0].heads[head.name]):
        metric = scoring.metric_of(loaded[0].heads[head.name])
        entry = others.peer.get(corpus, {}).get(peer.entry)
        model = scoring.spacy_model(others.models, corpus, peer.entry)
        if model:
            config = loaded[0].config
            theirs = scoring.evaluate_spacy(
                model, peer.component, str(head.layer), config.lang, config.data[head.name], config.folder
            )
            spacys_score, significance = theirs.scores[metric.name], metric.compare(ours, [theirs])
        else:
            spacys_score, significance = entry["scores"][peer.metric] if entry else None, None
        baseline = others.baseline.get(corpus, {}).get(str(head.layer))
        rows.append(
            Comparison(
                recipe=name,
                peer=peer.entry,
                corpus=corpus,
                metric=metric.name,
                ours=tuple(each.scores[metric.name] for each in ours),
                spacy=spacys_score,
                baseline=baseline["scores"][metric.name] if baseline else None,
                significance=significance,
                time_ratio=seconds / entry["training_seconds"] if entry and seconds else None,
            )
        )
    return rows


def table(rows: list[Comparison]) -> Table:
    """Lay the comparisons out; scores and differences are in points of 100."""
    scores = ("spaCy", "baseline", "ours", "ours - spaCy", "95% interval", "p", "ours is")
    columns = ("recipe", "corpus", "metric", "peer", *scores, "training time, ours / spaCy")
    laid_out = Table(*columns, title="test sets")
    for row in rows:
        laid_out.add_row(
            row.recipe,
            row.corpus,
            row.metric,
            row.peer,
            scoring.points(row.spacy),
            scoring.points(row.baseline),
            scoring.with_spread(row.ours),
            scoring.points(row.difference, "+"),
            scoring.interval(row.significance),
            "–" if row.significance is None else f"{row.significance.p_value:.4f}",
            scoring.match(row.significance),
            "–" if row.time_ratio is None else f"{row.time_ratio:.2f}",
        )
    return laid_out


def markdown_table(rows: list[Comparison]) -> str:
    """Return the comparisons as a table in Markdown."""
    scores = ("spaCy", "scikit-learn, CRFsuite", "Glossator")
    lines = [("recipe", "score", "peer", *scores, "difference to spaCy (95% interval)", "Glossator is")]
    for row in rows:
        difference = scoring.points(row.difference, "+")
        if row.significance:
            difference += f" ({scoring.interval(row.significance)})"
        lines.append(
            (
                f"`{row.recipe}`",
                f"`{row.metric}`",
                f"`{row.peer}`",
                scoring.points(row.spacy),
                scoring.points(row.baseline),
                scoring.with_spread(row.ours),
                difference,
                scoring.match(row.significance),
            )
        )
    return scoring.markdown(lines)


if __name__ == "__main__":
    main()
