"""Train and score recipes, and set each beside spaCy's component trained on the same files.

Both are scored on the gold tokens of the test set. With the models that `peer.py` left (`--peers`),
both annotate the same documents, and a paired bootstrap over these says whether the difference is one
(Koehn 2004). Without them spaCy's scores come from `peer_scores.json`, also made by `peer.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any, cast

import click
import numpy as np
import spacy
from rich.console import Console
from rich.table import Table
from spacy.tokens import Doc

import glossator
from glossator.config.schema import HeadConfig
from glossator.config.text import read_config
from glossator.data.corpora import recipe
from glossator.data.examples import read_gold
from glossator.data.source import DataSource
from glossator.evaluation.evaluate import Evaluation, evaluate_head
from glossator.evaluation.significance import (
    Significance,
    accuracy,
    accuracy_counts,
    f1,
    f1_counts,
    label_counts,
    macro_f1,
    paired_bootstrap,
)
from glossator.pipeline.head import Head
from glossator.pipeline.pipeline import Pipeline
from glossator.stages import ScoredSpan, TokenTags, Vectors
from glossator.training.task import fit_thresholds

if TYPE_CHECKING:
    from spacy.training import Example

PEER_SCORES = Path(__file__).with_name("peer_scores.json")
TRAIN = [sys.executable, "-c", "from glossator.cli import main; main()", "train"]


@dataclass(frozen=True, slots=True)
class Peer:
    """What a head is compared by.

    Attributes:
        component: spaCy's component for it.
        entry: What `peer.py` calls it.
        peer_metric: The component's score.
        metric: Ours.
        counts: Makes what the bootstrap draws from of an evaluation.
        statistic: Makes the score of sums of those.
    """

    component: str
    entry: str
    peer_metric: str
    metric: str
    counts: Callable[[Evaluation], Any]
    statistic: Callable[[Any], Any]


def accuracy_of(evaluation: Evaluation) -> Any:
    """Return right and all, a row a document."""
    return accuracy_counts(evaluation.matches, evaluation.documents)


def f1_of(evaluation: Evaluation) -> Any:
    """Return right, spurious and missed, a row a document."""
    return f1_counts(evaluation.matches, evaluation.documents)


def f1_by_label(evaluation: Evaluation) -> Any:
    """Return right, spurious and missed of each label, a row a document."""
    labels = sorted(evaluation.scores["cats_f_per_type"])
    return label_counts(evaluation.matches, evaluation.documents, labels)


TAGGERS = {
    "ents": Peer("ner", "ner", "ents_f", "ents_f", f1_of, f1),
    "pos": Peer("tagger", "tagger", "tag_acc", "pos_acc", accuracy_of, accuracy),
    "tag": Peer("tagger", "tagger-xpos", "tag_acc", "tag_acc", accuracy_of, accuracy),
}


def peers_of(head: Head) -> list[Peer]:
    """Return what a head is compared with; nothing where spaCy has no such component."""
    if head.config.kind == "tagger":
        return [TAGGERS[str(head.config.layer)]] if str(head.config.layer) in TAGGERS else []
    entries = ("textcat-efficiency", "textcat-accuracy")
    if head.exclusive:  # spaCy calls the accuracy of categories that exclude each other micro F1
        return [
            Peer("textcat", entry, "cats_micro_f", "cats_acc", accuracy_of, accuracy) for entry in entries
        ]
    return [
        Peer("textcat_multilabel", entry, "cats_macro_f", "cats_macro_f", f1_by_label, macro_f1)
        for entry in entries
    ]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One head of ours beside spaCy's component; what is not known is None.

    Attributes:
        recipe: The recipe.
        peer: spaCy's component.
        corpus: The corpus whose test set it is.
        metric: The score.
        ours: Our score with each seed.
        spacy: spaCy's score.
        significance: What the bootstrap says of our mean and spaCy's score.
        time_ratio: How much longer our training took, on average.
    """

    recipe: str
    peer: str
    corpus: str
    metric: str
    ours: tuple[float, ...]
    spacy: float | None
    significance: Significance | None
    time_ratio: float | None

    @property
    def difference(self) -> float | None:
        """By how much ours is better."""
        return None if self.spacy is None else mean(self.ours) - self.spacy

    @property
    def match(self) -> str:
        """Which is better; "undecided" where the 95% interval of the difference has 0 in it."""
        if self.significance is None:
            return "–"
        if not self.significance.is_significant:
            return "undecided"
        return "better" if self.significance.difference > 0 else "worse"


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
@click.option("--markdown", is_flag=True, help="Print the table for the README, too.")
def main(
    names: tuple[str, ...],
    pipelines: Path,
    seeds: int,
    corpora: Path | None,
    peers: Path | None,
    peer: Path,
    markdown: bool,
) -> None:
    """Train each RECIPE that is not trained yet, score it, and print it beside spaCy's score."""
    if corpora:
        os.environ["GLOSSATOR_CORPORA"] = str(corpora)
    pipelines.mkdir(parents=True, exist_ok=True)
    peer_scores = json.loads(peer.read_text(encoding="utf-8"))
    rows = [row for name in names for row in compare(name, pipelines, seeds, peers, peer_scores)]
    Console().print(table(rows))
    if markdown:
        click.echo(markdown_table(rows))


def compare(
    name: str, pipelines: Path, seeds: int, peers: Path | None, peer_scores: dict[str, Any]
) -> list[Comparison]:
    """Return a row for each head of a recipe and each component that spaCy has for it."""
    folders = [pipelines / f"{name}-seed{seed}" for seed in range(seeds)]
    seconds = [train(name, seed, folder) for seed, folder in enumerate(folders)]
    config = read_config(recipe(name))
    # the time of a pipeline of several heads is nobody's to compare with
    alone = len(config.heads) == 1 and all(seconds)
    return [
        row
        for head in config.heads
        for row in compare_head(
            name,
            head,
            config.data[head.name].corpus,
            folders,
            peers,
            peer_scores,
            mean(filter(None, seconds)) if alone else None,
        )
    ]


def compare_head(
    name: str,
    head: HeadConfig,
    corpus: str,
    folders: Sequence[Path],
    peers: Path | None,
    peer_scores: dict[str, Any],
    seconds: float | None,
) -> list[Comparison]:
    """Score one head, trained with each seed, and set it beside each of spaCy's components for it."""
    loaded = [glossator.load(folder, only=[head.name]) for folder in folders]
    ours = [evaluate(pipeline) for pipeline in loaded]
    rows = []
    for peer in peers_of(loaded[0].heads[head.name]):
        entry = peer_scores.get(corpus, {}).get(peer.entry)
        model = peer_model(peers, corpus, peer.entry)
        if model:
            theirs = evaluate_peer(model, peer.component, loaded[0])
            spacys_score = theirs.scores[peer.metric]
            significance = paired_bootstrap(
                [peer.counts(each) for each in ours], [peer.counts(theirs)], peer.statistic
            )
        else:
            spacys_score = entry["scores"][peer.peer_metric] if entry else None
            significance = None
        rows.append(
            Comparison(
                recipe=name,
                peer=peer.entry,
                corpus=corpus,
                metric=peer.metric,
                ours=tuple(each.scores[peer.metric] for each in ours),
                spacy=spacys_score,
                significance=significance,
                time_ratio=seconds / entry["training_seconds"] if entry and seconds else None,
            )
        )
    return rows


def evaluate(pipeline: Pipeline) -> Evaluation:
    """Score a pipeline's only head on its test set; where categories exclude each other, the likeliest one.

    Documents that are out of a classifier's scope are left out: spaCy's knows nothing of such.
    """
    (head,) = pipeline.heads.values()
    if head.config.kind == "classifier" and head.exclusive:
        head.thresholds = {}
    return evaluate_head(pipeline, head, gold_examples(pipeline, "test"))


def peer_model(peers: Path | None, corpus: str, entry: str) -> Path | None:
    """Return the model that `peer.py` left for a corpus, if there is one."""
    model = peers / f"{corpus}-{entry}" / "model" / "model-best" if peers else None
    return model if model and model.is_dir() else None


def train(name: str, seed: int, folder: Path) -> float | None:
    """Train a recipe unless its pipeline is there; return the seconds that took, if they are known.

    They are kept in a file beside the pipeline.
    """
    times = folder.with_name(f"{folder.name}.seconds")
    if not folder.is_dir():
        started = time.perf_counter()
        options = ["-o", str(folder), "--set", f"glossator.seed={seed}"]
        subprocess.run([*TRAIN, name, *options], check=True)
        times.write_text(f"{time.perf_counter() - started:.1f}\n", encoding="utf-8")
    return float(times.read_text(encoding="utf-8")) if times.exists() else None


def gold_examples(pipeline: Pipeline, split: str) -> list[Example]:
    """Return a set of a pipeline's only head, without what is out of its scope."""
    (head,) = pipeline.heads.values()
    source = DataSource(pipeline.config.data[head.name], pipeline.config.folder, None, pipeline.plugins)
    examples = read_gold(source.records(split), head.config.layer, pipeline.tokenizer).examples
    if head.config.kind == "tagger" or not head.exclusive:
        return examples
    known = set(head.stage.labels)
    return [
        example
        for example in examples
        if any(value > 0 and label in known for label, value in example.reference.cats.items())
    ]


def evaluate_peer(model: Path, component: str, ours: Pipeline) -> Evaluation:
    """Score spaCy's component on the test set of our only head, exactly as that is scored.

    Where a document may have several categories, both have their thresholds from the dev set.
    """
    (head,) = ours.heads.values()
    peer = Pipeline(ours.config.lang)
    stage = glossator.Stage(name="peer", factory=lambda **settings: SpacyComponent(model, component))
    if head.config.kind == "tagger":
        peer.add_tagger(head.name, stage, write=str(head.config.layer))
    else:
        peer.add_classifier(head.name, stage)
    theirs = peer.heads[head.name]
    if head.config.kind == "classifier" and not head.exclusive:
        fit_thresholds(peer, theirs, gold_examples(ours, "dev"))
    return evaluate_head(peer, theirs, gold_examples(ours, "test"))


class SpacyComponent:
    """A trained component of spaCy's as a stage. Its taggers have no probabilities: all are 1."""

    def __init__(self, model: Path, component: str) -> None:
        self._nlp = spacy.load(model)
        self._component = component
        trained: Any = self._nlp.get_pipe(component)
        self.labels = tuple(trained.labels)
        self.exclusive = component == "textcat"

    def predict(self, docs: Sequence[Doc], vectors: Vectors) -> Any:
        """Return entities, tags, or the probabilities of categories."""
        answers = list(self._nlp.pipe(copy_of(doc, self._nlp.vocab) for doc in docs))
        if self._component.startswith("textcat"):
            return np.asarray([[doc.cats[label] for label in self.labels] for doc in answers])
        if self._component == "ner":
            return [[ScoredSpan(ent.start, ent.end, ent.label_, 1.0) for ent in doc.ents] for doc in answers]
        ids = {label: number for number, label in enumerate(self.labels)}
        tags: list[Any] = [np.asarray([ids[token.tag_] for token in doc], dtype=int) for doc in answers]
        return [TokenTags(chosen, cast("Any", np.ones(len(chosen)))) for chosen in tags]


def copy_of(doc: Doc, vocab: Any) -> Doc:
    """Return a Doc's tokens and sentences on another vocab."""
    return Doc(
        vocab,
        words=[token.text for token in doc],
        spaces=[bool(token.whitespace_) for token in doc],
        sent_starts=[token.is_sent_start for token in doc],
    )


def table(rows: list[Comparison]) -> Table:
    """Lay the comparisons out; scores and differences are in points of 100."""
    scores = ("spaCy", "ours", "difference", "95% interval", "p", "ours is")
    columns = ("recipe", "corpus", "metric", "peer", *scores, "training time, ours / spaCy")
    laid_out = Table(*columns, title="test sets")
    for row in rows:
        laid_out.add_row(
            row.recipe,
            row.corpus,
            row.metric,
            row.peer,
            points(row.spacy),
            with_spread(row.ours),
            points(row.difference, "+"),
            interval(row.significance),
            "–" if row.significance is None else f"{row.significance.p_value:.4f}",
            row.match,
            "–" if row.time_ratio is None else f"{row.time_ratio:.2f}",
        )
    return laid_out


def markdown_table(rows: list[Comparison]) -> str:
    """Return the comparisons as a table in Markdown."""
    columns = ("recipe", "score", "peer", "spaCy", "Glossator", "difference (95% interval)", "Glossator is")
    lines = [columns, ("---",) * len(columns)]
    for row in rows:
        difference = points(row.difference, "+")
        if row.significance:
            difference += f" ({interval(row.significance)})"
        lines.append(
            (
                f"`{row.recipe}`",
                f"`{row.metric}`",
                f"`{row.peer}`",
                points(row.spacy),
                with_spread(row.ours),
                difference,
                row.match,
            )
        )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def points(score: float | None, sign: str = "") -> str:
    """Return a score in points of 100."""
    return "–" if score is None else f"{100 * score:{sign}.2f}"


def with_spread(scores: Sequence[float]) -> str:
    """Return the mean of the seeds' scores and, of several, their standard deviation."""
    spread = f" ± {100 * stdev(scores):.2f}" if len(scores) > 1 else ""
    return points(mean(scores)) + spread


def interval(significance: Significance | None) -> str:
    """Return the ends of the difference's interval."""
    return (
        "–"
        if significance is None
        else f"{points(significance.low, '+')} to {points(significance.high, '+')}"
    )


if __name__ == "__main__":
    main()
