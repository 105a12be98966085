"""What one head is to learn, how well it does on the dev set, and what is fitted there afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glossator.data.categories import check_learnable
from glossator.evaluation.evaluate import annotate_layer, binarized, layer_scores
from glossator.evaluation.scores import main_score
from glossator.ml.thresholds import choose_thresholds
from glossator.pipeline.head import Head
from glossator.pipeline.pipeline import Pipeline
from glossator.stages import Calibratable, Fittable, Updatable

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.training import Example

    from glossator.stages import Vectors, VectorSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one head is to learn.

    Attributes:
        name: The head's name.
        section: Its section of the config, e.g. "taggers.ner".
        stage: Its stage.
        space: The space of the vectors it gets.
        vectors: Makes the vectors of some Docs.
        examples: Training examples.
        score: Annotates the dev set and returns the score to select by, 0 to 1.
    """

    name: str
    section: str
    stage: Any
    space: VectorSpace
    vectors: Callable[[Sequence[Doc]], Vectors]
    examples: Sequence[Example]
    score: Callable[[], float]


def is_trainable(head: Head) -> bool:
    """Whether a head learns from data (a gazetteer does not)."""
    return isinstance(head.stage, Updatable | Fittable)


def head_task(pipeline: Pipeline, head: Head, train: Sequence[Example], dev: Sequence[Example]) -> Task:
    """Return the task of learning a head from examples, its score that on dev examples.

    Raises:
        DataError: It is a classifier that would learn nonsense from them: see `check_learnable`.
    """
    if head.config.kind == "classifier":
        gold = [example.reference.cats for example in train]
        check_learnable(gold, head.name, exclusive=head.exclusive)

    def score() -> float:
        # Labels that cannot be saved side by side are found after one epoch and not at the end.
        pipeline.check_labels()
        return dev_score(pipeline, head, dev)

    return Task(
        name=head.name,
        section=f"{head.config.kind}s.{head.name}",
        stage=head.stage,
        space=pipeline.vector_space(head.config),
        vectors=lambda docs: pipeline.vectors(head.config, docs),
        examples=train,
        score=score,
    )


def calibrate_head(pipeline: Pipeline, head: Head, dev: Sequence[Example]) -> None:
    """Fit on dev examples what turns a trained head's scores into probabilities, and those into labels."""
    if isinstance(head.stage, Calibratable):
        vectors = pipeline.vectors(head.config, [example.predicted for example in dev])
        head.stage.calibrate(dev, vectors)
    if head.config.kind == "classifier":
        fit_thresholds(pipeline, head, dev)


def dev_score(pipeline: Pipeline, head: Head, examples: Sequence[Example]) -> float:
    """Return the score that training selects by, 0 to 1."""
    examples = binarized(head, examples)
    annotate_layer(pipeline, head, [example.predicted for example in examples])
    return float(layer_scores(head, examples)[main_score(head.config.layer, exclusive=head.exclusive)] or 0.0)


def fit_thresholds(pipeline: Pipeline, head: Head, examples: Sequence[Example]) -> None:
    """Choose, on dev examples, from which probability each category of a classifier holds."""
    head.thresholds = {}
    examples = binarized(head, examples)
    annotate_layer(pipeline, head, [example.predicted for example in examples])
    head.thresholds = choose_thresholds(examples, head.stage.labels, exclusive=head.exclusive)
