"""Trains a stage on the eight examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glossator.pipeline.pipeline import Pipeline
from glossator.stages import Fittable, Updatable
from glossator.testing.examples import TEXTS, eight_examples, wrong_answers
from glossator.testing.subject import Subject, head_of

if TYPE_CHECKING:
    from spacy.training import Example

MAX_UPDATES = 100
EXAM_EVERY = 10  # updates: predicting after each would take most of the time
SEED = 11


def is_trainable(subject: Subject, pipeline: Pipeline) -> bool:
    """Return whether the engine trains the stage.

    Example:
        is_trainable(subject, subject.compose())
    """
    in_pipeline = subject.kind in ("tagger", "classifier")
    return in_pipeline and isinstance(subject.part(pipeline), Updatable | Fittable)


def lesson(subject: Subject, pipeline: Pipeline) -> list[Example]:
    """Return the eight examples, with the pipeline's tokens.

    Example:
        begin(subject, pipeline, lesson(subject, pipeline))
    """
    exclusive = getattr(subject.part(pipeline), "exclusive", True)
    return eight_examples(pipeline.tokenizer, subject.written, exclusive=exclusive)


def learn(subject: Subject, pipeline: Pipeline) -> None:
    """Train the stage as the engine does: at once, or until its answers to all examples are correct.

    It takes at most `MAX_UPDATES` updates.

    Example:
        learn(subject, pipeline)
        mistakes(subject, pipeline, lesson(subject, pipeline))  # []
    """
    examples = lesson(subject, pipeline)
    if isinstance(subject.part(pipeline), Fittable):
        fit(subject, pipeline, examples)
        return
    begin(subject, pipeline, examples)
    for _ in range(0, MAX_UPDATES, EXAM_EVERY):
        update(subject, pipeline, examples, EXAM_EVERY)
        if not mistakes(subject, pipeline, examples):
            return


def fit(subject: Subject, pipeline: Pipeline, examples: Sequence[Example]) -> None:
    """Fit a stage to all examples at once.

    Example:
        fit(subject, pipeline, lesson(subject, pipeline))
    """
    vectors = pipeline.vectors(head_of(pipeline), [example.predicted for example in examples])
    subject.part(pipeline).fit(examples, vectors, seed=SEED)


def begin(subject: Subject, pipeline: Pipeline, examples: Sequence[Example]) -> None:
    """Initialize a stage that learns in steps; fit any other.

    Example:
        begin(subject, pipeline, lesson(subject, pipeline))
    """
    stage = subject.part(pipeline)
    if isinstance(stage, Updatable):
        stage.initialize(examples, pipeline.vector_space(head_of(pipeline)), seed=SEED)
    else:
        fit(subject, pipeline, examples)


def update(subject: Subject, pipeline: Pipeline, examples: Sequence[Example], times: int) -> list[float]:
    """Take steps, each on all examples, and return the losses.

    Example:
        update(subject, pipeline, lesson(subject, pipeline), 10)  # [2.1, 1.8, ...]
    """
    stage = subject.part(pipeline)
    vectors = pipeline.vectors(head_of(pipeline), [example.predicted for example in examples])
    return [float(stage.update(examples, vectors)) for _ in range(times)]


def mistakes(subject: Subject, pipeline: Pipeline, examples: Sequence[Example]) -> list[str]:
    """Return the texts of the examples whose annotations by the pipeline differ from their gold.

    Example:
        mistakes(subject, pipeline, lesson(subject, pipeline))  # ["Halvor drank cold tea."]
    """
    docs = [pipeline.tokenizer(text) for text in TEXTS]
    pipeline.annotate(docs)
    exclusive = getattr(subject.part(pipeline), "exclusive", True)
    return wrong_answers(docs, examples, subject.written, exclusive)
