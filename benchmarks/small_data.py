"""Train on a few examples, drawn several times: baselines, our stages by their defaults, spaCy's component.

Each draw takes a few examples of the training set to learn from and, from the rest, 100 as a dev set; all
systems get the same files, and are scored on the official test set by the same code. The interval is that
of the mean difference to the baseline over the draws, by Student's t.
"""

from __future__ import annotations

import functools
import os
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev

import click
import peer
import scoring
import train_baseline
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student
from spacy.tokens import Doc

import glossator
from glossator.config.schema import DataConfig, PipelineConfig
from glossator.data.corpora import Corpus, corpus
from glossator.evaluation.evaluate import Evaluation
from glossator.hookspecs import Kind
from glossator.pipeline.pipeline import Pipeline
from glossator.plugins.manager import PluginManager

DEV_EXAMPLES = 100
SIZES = (10, 50, 200)
HEAD = "head"


@dataclass(frozen=True, slots=True)
class SmallCorpus:
    """A corpus to draw from.

    Attributes:
        name: Its name in the manifest.
        layer: The layer to learn.
        metric: The score.
        shares: Chooses among all labels those to keep, and gives the share of each in every draw; None draws
            without regard to labels.

    Example:
        SmallCorpus("smsspam", "cats", "cats_macro_f", lambda labels: {"ham": 0.8, "spam": 0.2})
    """

    name: str
    layer: str
    metric: str
    shares: Callable[[Sequence[str]], Mapping[str, float]] | None = None


def five_labels(labels: Sequence[str]) -> dict[str, float]:
    """Return every second of the first ten labels by name, a fifth each."""
    return dict.fromkeys(sorted(labels)[:10:2], 0.2)


def a_fifth_spam(labels: Sequence[str]) -> dict[str, float]:
    """Return a fifth for spam, and the rest for all else."""
    return {"ham": 0.8, "spam": 0.2}


def even(labels: Sequence[str]) -> dict[str, float]:
    """Return the same share for each label."""
    return dict.fromkeys(sorted(labels), 1 / len(labels))


CORPORA = {
    each.name: each
    for each in (
        SmallCorpus("wikigold", "ents", "ents_f"),
        SmallCorpus("banking77", "cats", "cats_macro_f", five_labels),
        SmallCorpus("smsspam", "cats", "cats_macro_f", a_fifth_spam),
        SmallCorpus("samples", "ents", "ents_f"),
        SmallCorpus("samples_reviews", "cats", "cats_macro_f", even),
    )
}


@dataclass(frozen=True, slots=True)
class Draw:
    """One draw of a corpus: a folder of the files train.spacy, dev.spacy and test.spacy."""

    corpus: SmallCorpus
    size: int
    seed: int
    folder: Path

    @property
    def data(self) -> DataConfig:
        """The files, as a config names them."""
        return DataConfig(train="train.spacy", dev="dev.spacy", test="test.spacy")

    @property
    def known(self) -> Corpus:
        """The corpus as the manifest describes it."""
        return corpus(self.corpus.name)


@click.command()
@click.argument("names", metavar="CORPUS...", nargs=-1, required=True, type=click.Choice(sorted(CORPORA)))
@click.option("--corpora", type=click.Path(path_type=Path), help="Folder of corpora (or GLOSSATOR_CORPORA).")
@click.option("--stage", "stages", multiple=True, help="A tagger or classifier of ours; may be repeated.")
@click.option("--peer", "with_peer", is_flag=True, help="Train spaCy's component, too: takes its time.")
@click.option("--size", "sizes", multiple=True, type=int, default=SIZES, show_default=True)
@click.option("--draws", default=5, show_default=True, help="How many draws, seeds from 0.")
@click.option("--dev", "dev_size", default=DEV_EXAMPLES, show_default=True, help="Examples of the dev set.")
@click.option("--markdown", is_flag=True, help="Print the table for the README, too.")
def main(
    names: tuple[str, ...],
    corpora: Path | None,
    stages: tuple[str, ...],
    with_peer: bool,
    sizes: tuple[int, ...],
    draws: int,
    dev_size: int,
    markdown: bool,
) -> None:
    """Train the baseline of each CORPUS and the stages on draws of it, and compare them."""
    if corpora:
        os.environ["GLOSSATOR_CORPORA"] = str(corpora.resolve())
    rows = []
    for name in names:
        systems: dict[str, Callable[[Draw], Evaluation]] = {"baseline": score_baseline}
        for stage in stages_for(CORPORA[name], stages):
            systems[stage] = functools.partial(score_stage, stage=stage)
        systems |= {"spaCy": score_spacy} if with_peer else {}
        scores = all_scores(CORPORA[name], sizes, draws, dev_size, systems)
        rows += [row(name, size, system, scores) for size in sizes for system in systems]
    Console().print(table(rows))
    if markdown:
        click.echo(scoring.markdown([COLUMNS, *rows]))


def stages_for(small: SmallCorpus, stages: Sequence[str]) -> list[str]:
    """Return the stages that can learn a corpus' layer: taggers or classifiers."""
    kinds: tuple[Kind, ...] = ("classifier", "tagger")
    names = {kind: [each.record.name for each in plugins().stages(kind)] for kind in kinds}
    unknown = [stage for stage in stages if not any(stage in known for known in names.values())]
    if unknown:
        raise click.BadParameter(f"no tagger or classifier is called {', '.join(unknown)}")
    return [stage for stage in stages if stage in names["classifier" if small.layer == "cats" else "tagger"]]


@functools.cache
def plugins() -> PluginManager:
    """Return the installed plugins."""
    return PluginManager.from_environment()


def all_scores(
    small: SmallCorpus,
    sizes: Sequence[int],
    draws: int,
    dev_size: int,
    systems: Mapping[str, Callable[[Draw], Evaluation]],
) -> dict[tuple[int, str], list[float]]:
    """Return the scores on each draw, by the size of the draw and the system."""
    scores: dict[tuple[int, str], list[float]] = {(size, system): [] for size in sizes for system in systems}
    pool = read_pool(small)
    for size in sizes:
        for seed in range(draws):
            with tempfile.TemporaryDirectory() as folder:
                drawn = draw(pool, size, dev_size, seed, Path(folder))
                for system, score in systems.items():
                    found = score(drawn).scores[small.metric]
                    scores[size, system].append(found)
                    click.echo(f"{small.name} {size} seed {seed} {system}: {found:.4f}", err=True)
    return scores


@dataclass(frozen=True, slots=True)
class Pool:
    """What is drawn from.

    Attributes:
        corpus: The corpus.
        groups: The documents of the training set of each label, with the label's share in a draw; one
            group of all where the labels do not count.
        test: The official test set; of a classifier, what has the labels to keep.
    """

    corpus: SmallCorpus
    groups: Sequence[tuple[Sequence[Doc], float]]
    test: Sequence[Doc]


def read_pool(small: SmallCorpus) -> Pool:
    """Read the training and the test set of a corpus."""
    train, test = (
        list(peer.gold_docs(corpus(small.name), split, small.layer, None)) for split in ("train", "test")
    )
    return pool_of(small, train, test)


def pool_of(small: SmallCorpus, train: Sequence[Doc], test: Sequence[Doc]) -> Pool:
    """Return what is drawn from, without the documents whose labels are not to keep."""
    if small.shares is None:
        return Pool(small, [(train, 1.0)], test)
    shares = small.shares(sorted({label for doc in train for label in holding(doc)}))
    groups = [([doc for doc in train if label in holding(doc)], share) for label, share in shares.items()]
    kept = [doc for doc in test if any(label in shares for label in holding(doc))]
    for doc in (*kept, *(doc for group, _ in groups for doc in group)):
        peer.spell_out(doc, shares)
    return Pool(small, groups, kept)


def holding(doc: Doc) -> list[str]:
    """Return the categories of a document."""
    return [label for label, value in doc.cats.items() if value > 0]


def draw(pool: Pool, size: int, dev_size: int, seed: int, folder: Path) -> Draw:
    """Draw a training set, then from the rest of the documents a dev set, and write both and the test set.

    Raises:
        ClickException: The training set has too few documents, or too few of a label.
    """
    generator = random.Random(seed)
    groups = [list(group) for group, _ in pool.groups]
    counts = [(round(share * size), round(share * dev_size)) for _, share in pool.groups]
    for group, (in_train, in_dev) in zip(groups, counts, strict=True):
        if in_train + in_dev > len(group):
            raise click.ClickException(
                f"{pool.corpus.name}: {in_train} + {in_dev} documents are wanted where there are "
                f"{len(group)}: draw fewer, or make the dev set smaller with --dev"
            )

    chosen: dict[str, list[Doc]] = {"train": [], "dev": [], "test": list(pool.test)}
    for number, split in enumerate(("train", "dev")):
        for group, wanted in zip(groups, counts, strict=True):
            for place in sorted(generator.sample(range(len(group)), wanted[number]), reverse=True):
                chosen[split].append(group.pop(place))

    for split, of_split in chosen.items():
        peer.store(of_split, folder / f"{split}.spacy")
    return Draw(pool.corpus, size, seed, folder)


def score_baseline(draw: Draw) -> Evaluation:
    """Train and score scikit-learn's or CRFsuite's model."""
    pipeline = train_baseline.new_baseline(draw.corpus.layer, draw.known.lang, draw.data, folder=draw.folder)
    train_baseline.fit(pipeline)
    return scoring.evaluate(pipeline)


def score_stage(draw: Draw, stage: str) -> Evaluation:
    """Train and score a stage of ours by its defaults, as a user does who has files of their own."""
    result = glossator.train(stage_config(draw, stage), draw.folder / f"{stage}-pipeline")
    return scoring.evaluate(result.pipeline)


def stage_config(draw: Draw, stage: str) -> PipelineConfig:
    """Return the config of a pipeline with one stage that learns from the files of a draw."""
    pipeline = Pipeline(draw.known.lang)
    if draw.corpus.layer == "cats":
        pipeline.add_classifier(HEAD, stage)
    else:
        pipeline.add_tagger(HEAD, stage, write=draw.corpus.layer)
    return replace(pipeline.config, data={HEAD: draw.data}, folder=draw.folder)


def score_spacy(draw: Draw) -> Evaluation:
    """Train and score spaCy's component, by the settings of `init config --optimize efficiency`."""
    known, layer = draw.known, draw.corpus.layer
    components = peer.components(known, ("efficiency",))
    component = next(each for each in components if each.layer == layer)
    init, train, _ = peer.commands(known.lang, component)
    peer.run(init, draw.folder)
    peer.run(train, draw.folder)
    model = draw.folder / "model" / "model-best"
    return scoring.evaluate_spacy(model, component.name, layer, known.lang, draw.data, draw.folder)


COLUMNS = (
    "corpus",
    "score",
    "examples",
    "system",
    "mean",
    "difference to the baseline (95% interval)",
    "it is",
)


def row(name: str, size: int, system: str, scores: Mapping[tuple[int, str], Sequence[float]]) -> list[str]:
    """Return the cells of one system on the draws of one size."""
    found, theirs = scores[size, system], scores[size, "baseline"]
    cells = [name, CORPORA[name].metric, str(size), system, scoring.with_spread(found)]
    if system == "baseline" or len(found) < 2:
        return [*cells, "–", "–"]

    differences = [mine - other for mine, other in zip(found, theirs, strict=True)]
    low, high = mean_interval(differences)
    word = "better" if low > 0 else "worse" if high < 0 else "undecided"
    return [*cells, f"{scoring.points(mean(differences), '+')} ({scoring.ends(low, high)})", word]


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95% interval of the mean of independent draws, by Student's t.

    Example:
        mean_interval([0.1, 0.2, 0.3])  # (-0.048, 0.448)
    """
    half = student.ppf(0.975, len(values) - 1) * stdev(values) / len(values) ** 0.5
    return mean(values) - half, mean(values) + half


def table(rows: Sequence[Sequence[str]]) -> Table:
    """Lay the rows out; scores and differences are in points of 100."""
    laid_out = Table(*COLUMNS, title="small training sets, means over the draws")
    for cells in rows:
        laid_out.add_row(*cells)
    return laid_out


if __name__ == "__main__":
    main()
