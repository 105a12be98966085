"""Teaching a stage the eight examples."""

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
EXAM_EVERY = 10
SEED = 11


def can_learn(subject: Subject, pipeline: Pipeline) -> bool:
    """Whether the stage is one that the engine trains."""
    in_pipeline = subject.kind in ("tagger", "classifier")
    return in_pipeline and isinstance(subject.part(pipeline), Updatable | Fittable)


def lesson(subject: Subject, pipeline: Pipeline) -> list[Example]:
    """Return the eight examples, on the pipeline's tokens."""
    exclusive = getattr(subject.part(pipeline), "exclusive", True)
    return eight_examples(pipeline.tokenizer, subject.written, exclusive=exclusive)


def learn(subject: Subject, pipeline: Pipeline) -> None:
    """Teach the stage until it answers all examples right, with at most `MAX_UPDATES` updates."""
    examples = lesson(subject, pipeline)
    begin(subject, pipeline, examples)
    if not isinstance(subject.part(pipeline), Updatable):
        return
    for _ in range(0, MAX_UPDATES, EXAM_EVERY):
        update(subject, pipeline, examples, EXAM_EVERY)
        if not mistakes(subject, pipeline, examples):
            return


def begin(subject: Subject, pipeline: Pipeline, examples: Sequence[Example]) -> None:
    """Initialize a stage that learns in steps; fit one that learns at once."""
    stage = subject.part(pipeline)
    if isinstance(stage, Updatable):
        stage.initialize(examples, pipeline.vector_space(head_of(pipeline)), seed=SEED)
    else:
        docs = [example.predicted for example in examples]
        stage.fit(examples, pipeline.vectors(head_of(pipeline), docs), seed=SEED)


def update(subject: Subject, pipeline: Pipeline, examples: Sequence[Example], times: int) -> list[float]:
    """Take steps, each on all examples, and return the losses."""
    stage = subject.part(pipeline)
    vectors = pipeline.vectors(head_of(pipeline), [example.predicted for example in examples])
    return [float(stage.update(examples, vectors)) for _ in range(times)]


def mistakes(subject: Subject, pipeline: Pipeline, examples: Sequence[Example]) -> list[str]:
    """Return the texts of the examples that the pipeline annotates otherwise than their gold."""
    docs = [pipeline.tokenizer(text) for text in TEXTS]
    pipeline.annotate(docs)
    exclusive = getattr(subject.part(pipeline), "exclusive", True)
    return wrong_answers(docs, examples, subject.written, exclusive)
