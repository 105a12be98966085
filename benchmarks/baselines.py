"""Train and score what people try first, scikit-learn's linear models and CRFsuite, and compare our recipes.

Both learn from the same training sets and are scored by the same code on the gold tokens of the test sets;
a paired bootstrap over the documents says whether the difference is one (Koehn 2004). Each is trained in a
process of its own, whose time and memory are measured.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from statistics import mean
from typing import Any

import click
import peer
import scoring
from measured_run import Cost, measured_run
from recipe_training import train
from rich.console import Console
from rich.table import Table
from train_baseline import FIT_SECONDS, baseline_pipeline

import glossator
from glossator.config.text import read_config
from glossator.data.corpora import Corpus, corpus, recipe, recipes
from glossator.evaluation.evaluate import Evaluation
from glossator.evaluation.significance import Significance
from glossator.pipeline.pipeline import Pipeline

SCORES_FILE = Path(__file__).with_name("baseline_scores.json")
TRAIN_BASELINE = Path(__file__).with_name("train_baseline.py")
COST_FILE = "cost.json"
KEPT_SCORES = {
    "ents": ("ents_p", "ents_r", "ents_f"),
    "pos": ("pos_acc",),
    "tag": ("tag_acc",),
    "cats": ("cats_acc", "cats_macro_f"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One system on one test set; what is not known is None.

    Attributes:
        corpus: The corpus.
        metric: The score.
        system: The baseline, a recipe or spaCy's component.
        scores: Its score with each seed.
        significance: What the bootstrap says of it and the baseline.
        cost: What its training took, the mean of all seeds.
        time_ratio: How much longer that was than the baseline's.
    """

    corpus: str
    metric: str
    system: str
    scores: tuple[float, ...]
    significance: Significance | None = None
    cost: Cost | None = None
    time_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """A trained baseline: its pipeline, what its training took, and its evaluation on the test set."""

    corpus: Corpus
    layer: str
    pipeline: Pipeline
    cost: Cost
    fit_seconds: float
    evaluation: Evaluation

    @property
    def model(self) -> str:
        """The model and the version of its library."""
        (head,) = self.pipeline.heads.values()
        return str(head.stage.described())

    @property
    def metric(self) -> scoring.Metric:
        """The score it is compared by."""
        (head,) = self.pipeline.heads.values()
        return scoring.metric_of(head)


@click.command()
@click.argument("names", metavar="CORPUS...", nargs=-1, required=True)
@click.option("--corpora", type=click.Path(path_type=Path), help="Folder of corpora (or GLOSSATOR_CORPORA).")
@click.option("--work", type=click.Path(path_type=Path), help="Folder that keeps the trained baselines.")
@click.option(
    "--pipelines",
    type=click.Path(path_type=Path),
    help="Folder of our trained pipelines, RECIPE-seed0 and so on; what is missing is trained. "
    "Without it, the baselines alone.",
)
@click.option(
    "--recipe",
    "wanted",
    multiple=True,
    help="A recipe for one of the corpora; may be repeated. By default CORPUS-crf and CORPUS-linear.",
)
@click.option("--seeds", default=1, show_default=True, help="How many pipelines a recipe, seeds from 0.")
@click.option(
    "--peers",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of spaCy's trained models, the --work of peer.py.",
)
@click.option("--xpos", is_flag=True, help="Learn the corpus' own parts of speech, not the universal ones.")
@click.option(
    "-o",
    "--output",
    default=SCORES_FILE,
    type=click.Path(path_type=Path),
    help="JSON file that gets the scores, beside those it has; by default the one beside this script.",
)
@click.option("--markdown", is_flag=True, help="Print the table for the README, too.")
def main(
    names: tuple[str, ...],
    corpora: Path | None,
    work: Path | None,
    pipelines: Path | None,
    wanted: tuple[str, ...],
    seeds: int,
    peers: Path | None,
    xpos: bool,
    output: Path,
    markdown: bool,
) -> None:
    """Train and score the baseline of each CORPUS, and compare our recipes for it."""
    if corpora:
        os.environ["GLOSSATOR_CORPORA"] = str(corpora.resolve())
    rows: list[Row] = []
    with ExitStack() as stack:
        folder = work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in names:
            for layer in layers(corpus(name), xpos):
                baseline = trained_baseline(corpus(name), layer, folder)
                peer.merge(output, name, layer, entry(baseline))
                rows.append(baseline_row(baseline))
                if pipelines:
                    rows += [
                        recipe_row(baseline, *each) for each in trained(baseline, wanted, pipelines, seeds)
                    ]
                rows += spacy_rows(baseline, peers)

    Console().print(table(rows))
    if markdown:
        click.echo(markdown_table(rows))


def layers(known: Corpus, xpos: bool) -> list[str]:
    """Return the layers of a corpus that a baseline can learn."""
    return [peer.XPOS.layer] if xpos else [each.layer for each in peer.components(known, ("efficiency",))]


def trained_baseline(known: Corpus, layer: str, work: Path) -> Baseline:
    """Train a baseline unless `work`/CORPUS-LAYER holds it, and score it."""
    folder = work / f"{known.name}-{layer}"
    kept = folder / COST_FILE
    if not kept.exists():
        cost = measured_run([sys.executable, str(TRAIN_BASELINE), known.name, layer, str(folder)])
        kept.write_text(json.dumps(asdict(cost)) + "\n", encoding="utf-8")

    pipeline = baseline_pipeline(known.name, layer)
    (head,) = pipeline.heads.values()
    head.stage.from_disk(folder)
    scoring.choose_thresholds(pipeline)
    return Baseline(
        corpus=known,
        layer=layer,
        pipeline=pipeline,
        cost=Cost(**json.loads(kept.read_text(encoding="utf-8"))),
        fit_seconds=float((folder / FIT_SECONDS).read_text(encoding="utf-8")),
        evaluation=scoring.evaluate(pipeline),
    )


def entry(baseline: Baseline) -> dict[str, Any]:
    """Return what the file of scores keeps of a baseline."""
    xpos = ["--xpos"] if baseline.layer == peer.XPOS.layer else []
    scores = baseline.evaluation.scores
    return {
        "model": baseline.model,
        "scores": {name: round(scores[name], 5) for name in KEPT_SCORES[baseline.layer] if name in scores},
        "training_seconds": baseline.cost.seconds,
        "training_cpu_seconds": baseline.cost.cpu_seconds,
        "fit_seconds": baseline.fit_seconds,
        "peak_megabytes": baseline.cost.peak_megabytes,
        "processor": processor(),
        "command": shlex.join(["python", "baselines.py", baseline.corpus.name, *xpos]),
        "date": date.today().isoformat(),
    }


def processor() -> str:
    """Return the processor's name, as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def baseline_row(baseline: Baseline) -> Row:
    """Return the row of the baseline itself."""
    metric = baseline.metric.name
    score = baseline.evaluation.scores[metric]
    return Row(baseline.corpus.name, metric, baseline.model, (score,), cost=baseline.cost)


def trained(
    baseline: Baseline, wanted: Sequence[str], pipelines: Path, seeds: int
) -> Iterator[tuple[str, list[Pipeline], list[Cost]]]:
    """Yield the recipes for the layer of a baseline, with the pipelines and their costs, a seed each.

    The costs are empty where one of them is not known, or holds the training of other heads, too.
    """
    pipelines.mkdir(parents=True, exist_ok=True)
    for name in wanted or [f"{baseline.corpus.name}-{stage}" for stage in ("crf", "linear")]:
        if name not in recipes() and not wanted:
            continue
        config = read_config(recipe(name))
        for head in config.heads:
            data = config.data.get(head.name)
            if data and data.corpus == baseline.corpus.name and str(head.layer) == baseline.layer:
                folders = [pipelines / f"{name}-seed{seed}" for seed in range(seeds)]
                costs = [train(name, seed, folder) for seed, folder in enumerate(folders)]
                known = [cost for cost in costs if cost] if len(config.heads) == 1 else []
                loaded = [glossator.load(folder, only=[head.name]) for folder in folders]
                yield name, loaded, known if len(known) == seeds else []


def recipe_row(baseline: Baseline, name: str, pipelines: Sequence[Pipeline], costs: Sequence[Cost]) -> Row:
    """Return the row of one of our recipes."""
    evaluations = [scoring.evaluate(pipeline) for pipeline in pipelines]
    cost = None
    if costs:
        cost = Cost(
            *(mean(values) for values in zip(*(asdict(each).values() for each in costs), strict=True))
        )
    metric = baseline.metric
    return Row(
        corpus=baseline.corpus.name,
        metric=metric.name,
        system=name,
        scores=tuple(each.scores[metric.name] for each in evaluations),
        significance=metric.compare(evaluations, [baseline.evaluation]),
        cost=cost,
        time_ratio=cost.seconds / baseline.cost.seconds if cost else None,
    )


def spacy_rows(baseline: Baseline, peers: Path | None) -> Iterator[Row]:
    """Yield a row for each of spaCy's models for the layer that is there."""
    known, layer = baseline.corpus, baseline.layer
    for component in (*peer.components(known), peer.XPOS):
        model = scoring.spacy_model(peers, known.name, component.entry)
        if model and component.layer == layer:
            data = baseline.pipeline.config.data["compared"]
            theirs = scoring.evaluate_spacy(model, component.name, layer, known.lang, data)
            metric = baseline.metric
            yield Row(
                corpus=known.name,
                metric=metric.name,
                system=f"spaCy {component.entry}",
                scores=(theirs.scores[metric.name],),
                significance=metric.compare([theirs], [baseline.evaluation]),
            )


def table(rows: Sequence[Row]) -> Table:
    """Lay the rows out; scores and differences are in points of 100."""
    against = ("difference", "95% interval", "p", "is")
    columns = (
        "corpus",
        "metric",
        "system",
        "score",
        *against,
        "training s",
        "CPU s",
        "peak MB",
        "times the s",
    )
    laid_out = Table(*columns, title=f"test sets, beside the baselines; {processor()}")
    for row in rows:
        found, cost = row.significance, row.cost
        laid_out.add_row(
            row.corpus,
            row.metric,
            row.system,
            scoring.with_spread(row.scores),
            "–" if found is None else scoring.points(found.difference, "+"),
            scoring.interval(found),
            "–" if found is None else f"{found.p_value:.4f}",
            scoring.match(found),
            *(f"{value:.0f}" for value in asdict(cost).values()) if cost else ("–",) * 3,
            "–" if row.time_ratio is None else f"{row.time_ratio:.2f}",
        )
    return laid_out


def markdown_table(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [("corpus", "score", "system", "points", "difference to the baseline (95% interval)", "it is")]
    for row in rows:
        found = row.significance
        difference = "–"
        if found:
            difference = f"{scoring.points(found.difference, '+')} ({scoring.interval(found)})"
        names = (f"`{row.corpus}`", f"`{row.metric}`", row.system)
        lines.append((*names, scoring.with_spread(row.scores), difference, scoring.match(found)))
    return scoring.markdown(lines)


if __name__ == "__main__":
    main()
