"""The training task of one head, and what is fitted on the dev set after training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glossator.data.categories import check_learnable
from glossator.data.faults import LEAST_TO_CALIBRATE
from glossator.evaluation.evaluate import annotate_layer, binarized
from glossator.ml.thresholds import choose_thresholds
from glossator.pipeline.head import Head
from glossator.pipeline.pipeline import Pipeline
from glossator.stages import Calibratable, Fittable, Updatable
from glossator.training.dev_score import DevScore, dev_score

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.training import Example

    from glossator.stages import Vectors, VectorSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The training task of one head.

    Example:
        task = head_task(pipeline, head, train_examples, dev_examples)
        task.stage.initialize(task.examples, task.space, seed=0)
        task.score().score  # 0.0

    Attributes:
        name: The head's name.
        section: Its section of the config, e.g. "taggers.ner".
        stage: Its stage.
        space: The space of the vectors it receives.
        vectors: Returns the vectors of some Docs.
        examples: The training examples.
        score: Annotates the dev set and returns the score to select by.
    """

    name: str
    section: str
    stage: Any
    space: VectorSpace
    vectors: Callable[[Sequence[Doc]], Vectors]
    examples: Sequence[Example]
    score: Callable[[], DevScore]


def is_trainable(head: Head) -> bool:
    """Return whether a head learns from data; a gazetteer, for example, does not.

    Example:
        [head.name for head in pipeline.heads.values() if is_trainable(head)]
    """
    return isinstance(head.stage, Updatable | Fittable)


def head_task(pipeline: Pipeline, head: Head, train: Sequence[Example], dev: Sequence[Example]) -> Task:
    """Return the task of training a head on examples, scored on dev examples.

    Example:
        task = head_task(pipeline, pipeline.heads["ner"], train_examples, dev_examples)

    Raises:
        DataError: A classifier cannot learn from these examples: see `check_learnable`.
    """
    if head.config.kind == "classifier":
        gold = [example.reference.cats for example in train]
        check_learnable(gold, head.name, exclusive=head.exclusive)

    def score() -> DevScore:
        # Checked here, so that labels of two heads that collide are an error after one epoch, not at the end.
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
    """Fit a trained head's temperature and thresholds on dev examples; on too few, the thresholds alone.

    Example:
        calibrate_head(pipeline, pipeline.heads["mood"], dev_examples)
    """
    if isinstance(head.stage, Calibratable) and len(dev) >= LEAST_TO_CALIBRATE:
        vectors = pipeline.vectors(head.config, [example.predicted for example in dev])
        head.stage.calibrate(dev, vectors)
    if head.config.kind == "classifier":
        fit_thresholds(pipeline, head, dev)


def fit_thresholds(pipeline: Pipeline, head: Head, examples: Sequence[Example]) -> None:
    """Choose a classifier's thresholds on dev examples.

    Example:
        fit_thresholds(pipeline, pipeline.heads["mood"], dev_examples)
    """
    head.thresholds = {}
    examples = binarized(head, examples)
    annotate_layer(pipeline, head, [example.predicted for example in examples])
    head.thresholds = choose_thresholds(examples, head.stage.labels, exclusive=head.exclusive)
