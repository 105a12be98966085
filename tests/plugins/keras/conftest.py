"""What the tests of the Keras stages share: made-up sentences to learn from, and stages taught by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from glossator.stages import Vectors, VectorSpace
from glossator_keras.models.bilstm_crf import make_tagger
from glossator_keras.tagger import KerasTagger

VOCAB = spacy.blank("en").vocab
SMALL: dict[str, Any] = {"width": 16, "dropout": 0.1, "learn_rate": 0.02}

OTHERS = ["the", "old", "boat", "of", "saw", "14", "."]
PEOPLE, TOWNS = ["Ana", "Lee", "Noor"], ["Oslo", "Skye", "Lima"]


def sentence(generator: np.random.Generator) -> list[tuple[str, str]]:
    """Words with tags: a name may have two words, and a town is a club unless it follows "in"."""
    made: list[tuple[str, str]] = []
    for _ in range(generator.integers(1, 5)):
        kind = generator.integers(4)
        if kind == 0:
            name = [(str(generator.choice(PEOPLE)), "B-PER"), ("Berg", "I-PER")]
            made += name[: generator.integers(1, 3)]
        elif kind == 1:
            made += [("in", "O"), (str(generator.choice(TOWNS)), "B-LOC")]
        elif kind == 2:
            made += [("for", "O"), (str(generator.choice(TOWNS)), "B-CLUB")]
        else:
            made.append((str(generator.choice(OTHERS)), "O"))
    return made


@dataclass
class School:
    """Made-up sentences, and taggers that learn them."""

    vocab: Vocab = VOCAB
    taught: dict[str, KerasTagger] = field(default_factory=dict)

    def examples(self, number: int, seed: int = 0) -> list[Example]:
        """Sentences with entities, the same as spans `k`, and tags of the same kind."""
        generator = np.random.default_rng(seed)
        made = []
        for _ in range(number):
            words, tags = zip(*sentence(generator), strict=True)
            kinds = [tag[2:] or "O" for tag in tags]
            gold = Doc(VOCAB, words=list(words), ents=list(tags), tags=kinds)
            gold.spans["k"] = list(gold.ents)
            made.append(Example(Doc(VOCAB, words=list(words)), gold))
        return made

    def vectors(self, data: Sequence[Doc] | Sequence[Example], width: int = 0) -> Vectors:
        """Vectors that tell nothing of a word but its length."""
        docs = [each.predicted if isinstance(each, Example) else each for each in data]
        values = [
            np.asarray([[len(t) / 9] * width for t in doc], dtype=np.float32).reshape(len(doc), width)
            for doc in docs
        ]
        return Vectors(space=VectorSpace(width=width), values=values)

    def teach(
        self, stage: KerasTagger, data: Sequence[Example], steps: int, *, given: int = 0
    ) -> list[float]:
        """Take steps on all of the data; return the losses."""
        vectors = self.vectors(data, given)
        return [stage.update(data, vectors) for _ in range(steps)]

    def trained(self, write: str = "ents", *, given: int = 0, **settings: Any) -> KerasTagger:
        """A small `bilstm-crf` that has learned; the same one for the same settings, so only look."""
        key = repr((write, given, sorted(settings.items())))
        if key not in self.taught:
            data = self.examples(60)
            stage = make_tagger(write, **SMALL, **settings)
            stage.initialize(data, VectorSpace(width=given), seed=0)
            self.teach(stage, data, 25, given=given)
            stage.finish()
            self.taught[key] = stage
        return self.taught[key]

    def answers(self, stage: KerasTagger, data: Sequence[Doc] | Sequence[Example], given: int = 0) -> Any:
        """What a stage predicts."""
        docs = [each.predicted if isinstance(each, Example) else each for each in data]
        return stage.predict(docs, self.vectors(docs, given))


@pytest.fixture(scope="session")
def school() -> School:
    """Made-up sentences, and taggers that learn them."""
    return School()
