"""Pipelines of stages that learn a little, or answer what they were told to."""

from __future__ import annotations

from spacy.tokens import Doc
from spacy.training import Example

from glossator import Stage
from glossator.pipeline.pipeline import Pipeline
from glossator.stages import ScoredSpan

TEXTS = [
    ("Ana Lee sailed to Skye .", "PER PER O O LOC O", {"travel": 1.0, "food": 0.0}),
    ("The soup in Oslo was cold .", "O O O LOC O O O", {"travel": 0.0, "food": 1.0}),
    ("Lee ate bread .", "PER O O O", {"travel": 0.0, "food": 1.0}),
    ("From Oslo Ana sailed home .", "O LOC PER O O O", {"travel": 1.0, "food": 0.0}),
]


class Fixed:
    """A tagger or classifier that answers what it was told to."""

    exclusive = False

    def __init__(self, answer, labels=("A",), write="ents"):
        self.answer = answer
        self.labels = tuple(labels)

    def predict(self, docs, vectors):
        return self.answer(docs)


def fixed(answer, labels=("A",), name="fixed") -> Stage:
    def make(write: str = "ents") -> Fixed:
        return Fixed(answer, labels)

    return Stage(name=name, factory=make)


def first_words(label: str, score: float, words: int = 1):
    return fixed(lambda docs: [[ScoredSpan(0, words, label, score)] if len(d) >= words else [] for d in docs])


def examples(pipeline: Pipeline) -> list[Example]:
    made = []
    for text, tags, cats in TEXTS:
        words = text.split()
        ents = [tag if tag == "O" else f"B-{tag}" for tag in tags.split()]
        gold = Doc(pipeline.vocab, words=words, ents=ents, tags=tags.split())
        gold.cats = cats
        made.append(Example(Doc(pipeline.vocab, words=words), gold))
    return made


def train(pipeline: Pipeline) -> Pipeline:
    """Teach each head a little."""
    data = examples(pipeline)
    for head in pipeline.heads.values():
        head.stage.initialize(data, pipeline.vector_space(head.config), seed=pipeline.config.seed)
        for _ in range(8):
            head.stage.update(data, pipeline.vectors(head.config, [e.predicted for e in data]))
    return pipeline


def small(pipeline: Pipeline) -> Pipeline:
    pipeline.add_tagger("ner", "crf")
    pipeline.add_tagger("tags", "crf", write="tag")
    return pipeline.add_classifier("topic", "linear")


def toy() -> Pipeline:
    """Return a small pipeline of two taggers and a classifier that have learned a little."""
    return train(small(Pipeline("en", name="toy", version="1.2", seed=3)))
