"""Score pipelines of ours, spaCy's components and other baselines alike, and say which difference is one.

Whatever is compared becomes a `Pipeline` of one head whose config names its data: then all annotate the same
gold documents and are scored by the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import spacy
from spacy.tokens import Doc

import glossator
from glossator.annotations.layer import Layer
from glossator.config.schema import DataConfig
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


@dataclass(frozen=True, slots=True)
class Metric:
    """The score that a head is compared by.

    Attributes:
        name: Its name among the scores of an evaluation.
        counts: Makes what the bootstrap draws from of an evaluation: a row per document.
        statistic: Makes the score of sums of these rows.
    """

    name: str
    counts: Callable[[Evaluation], Any]
    statistic: Callable[[Any], Any]

    def compare(self, first: Sequence[Evaluation], second: Sequence[Evaluation]) -> Significance:
        """Compare two systems, each with one evaluation per seed, by a paired bootstrap."""
        counts = [[self.counts(each) for each in side] for side in (first, second)]
        return paired_bootstrap(*counts, self.statistic)


def accuracy_of(evaluation: Evaluation) -> Any:
    """Return the numbers of correct and of all labels, one row per document."""
    return accuracy_counts(evaluation.matches, evaluation.documents)


def f1_of(evaluation: Evaluation) -> Any:
    """Return the numbers of correct, spurious and missed labels, one row per document."""
    return f1_counts(evaluation.matches, evaluation.documents)


def f1_by_label(evaluation: Evaluation) -> Any:
    """Return the numbers of correct, spurious and missed labels of each kind, one row per document."""
    labels = sorted(evaluation.scores["cats_f_per_type"])
    return label_counts(evaluation.matches, evaluation.documents, labels)


MACRO_F1 = Metric("cats_macro_f", f1_by_label, macro_f1)
METRICS = {
    "ents": Metric("ents_f", f1_of, f1),
    "pos": Metric("pos_acc", accuracy_of, accuracy),
    "tag": Metric("tag_acc", accuracy_of, accuracy),
}


def metric_of(head: Head) -> Metric:
    """Return the score for a head's layer."""
    if head.config.kind == "tagger":
        return METRICS[str(head.config.layer)]
    return Metric("cats_acc", accuracy_of, accuracy) if head.exclusive else MACRO_F1


def stage_pipeline(
    factory: Callable[..., Any], layer: str, lang: str, data: DataConfig, folder: Path = Path()
) -> Pipeline:
    """Return a pipeline of one head, whose stage need not be installed: `factory` makes it.

    Relative names of files in `data` count from `folder`.
    """
    pipeline, stage = Pipeline(lang), glossator.Stage(name="compared", factory=factory)
    if Layer.parse(layer).is_categories:
        pipeline.add_classifier("compared", stage)
    else:
        pipeline.add_tagger("compared", stage, write=layer)
    pipeline.config = replace(pipeline.config, data={"compared": data}, folder=folder)
    return pipeline


def evaluate(pipeline: Pipeline) -> Evaluation:
    """Score a pipeline's only head on its test set; where categories exclude each other, the likeliest one.

    Documents that are out of a classifier's scope are left out: spaCy's knows nothing of such.
    """
    (head,) = pipeline.heads.values()
    if head.config.kind == "classifier" and head.exclusive:
        head.thresholds = {}
    return evaluate_head(pipeline, head, gold_examples(pipeline, "test"))


def choose_thresholds(pipeline: Pipeline) -> None:
    """Choose thresholds on the dev set where a document may have several categories."""
    (head,) = pipeline.heads.values()
    if head.config.kind == "classifier" and not head.exclusive:
        fit_thresholds(pipeline, head, gold_examples(pipeline, "dev"))


def gold_examples(pipeline: Pipeline, split: str) -> list[Example]:
    """Return a set of a pipeline's only head, without what is out of its scope."""
    (head,) = pipeline.heads.values()
    examples = read_examples(pipeline, split)
    if head.config.kind == "tagger" or not head.exclusive:
        return examples
    known = set(head.stage.labels)
    return [
        example
        for example in examples
        if any(value > 0 and label in known for label, value in example.reference.cats.items())
    ]


def read_examples(pipeline: Pipeline, split: str) -> list[Example]:
    """Return all gold examples of a set of a pipeline's only head."""
    (head,) = pipeline.heads.values()
    source = DataSource(pipeline.config.data[head.name], pipeline.config.folder, None, pipeline.plugins)
    return read_gold(source.records(split), head.config.layer, pipeline.tokenizer).examples


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


def evaluate_spacy(
    model: Path, component: str, layer: str, lang: str, data: DataConfig, folder: Path = Path()
) -> Evaluation:
    """Score spaCy's component on the test set of `data`, exactly as a pipeline of ours is scored.

    Where a document may have several categories, both have their thresholds from the dev set.
    """
    pipeline = stage_pipeline(lambda **settings: SpacyComponent(model, component), layer, lang, data, folder)
    choose_thresholds(pipeline)
    return evaluate(pipeline)


def spacy_model(peers: Path | None, corpus: str, entry: str) -> Path | None:
    """Return the model that `peer.py` left for a corpus, if there is one."""
    model = peers / f"{corpus}-{entry}" / "model" / "model-best" if peers else None
    return model if model and model.is_dir() else None


def copy_of(doc: Doc, vocab: Any) -> Doc:
    """Return a Doc's tokens and sentences on another vocab."""
    return Doc(
        vocab,
        words=[token.text for token in doc],
        spaces=[bool(token.whitespace_) for token in doc],
        sent_starts=[token.is_sent_start for token in doc],
    )


# How scores and differences are shown


def match(significance: Significance | None) -> str:
    """Say whether the first is better; "undecided" where the 95% interval of the difference has 0 in it."""
    if significance is None:
        return "–"
    if not significance.is_significant:
        return "undecided"
    return "better" if significance.difference > 0 else "worse"


def points(score: float | None, sign: str = "") -> str:
    """Return a score in points of 100."""
    return "–" if score is None else f"{100 * score:{sign}.2f}"


def with_spread(scores: Sequence[float]) -> str:
    """Return the mean of the seeds' scores and, of several, their standard deviation."""
    spread = f" ± {100 * stdev(scores):.2f}" if len(scores) > 1 else ""
    return points(mean(scores)) + spread


def interval(significance: Significance | None) -> str:
    """Return the ends of the difference's interval."""
    return "–" if significance is None else ends(significance.low, significance.high)


def ends(low: float, high: float) -> str:
    """Return the ends of an interval in points of 100."""
    return f"{points(low, '+')} to {points(high, '+')}"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; the first row has the names of the columns."""
    header, *others = rows
    lines = [header, ["---"] * len(header), *others]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
