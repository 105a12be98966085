"""A result that is no better than guessing is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.training import Example
from toy_pipelines import fixed

from glossator.annotations.layer import CATS
from glossator.evaluation.scores import score_layer
from glossator.pipeline.pipeline import Pipeline
from glossator.training.guessing import guessing_warning

PIPELINE = Pipeline("en")
PIPELINE.add_tagger("ner", fixed(None))
PIPELINE.add_tagger("tags", fixed(None, ("X", "Y")), write="tag")
PIPELINE.add_classifier("topic", fixed(None, ("a", "b", "c", "d")))
HEADS = PIPELINE.heads


def documents(number: int, **annotations) -> list[Example]:
    doc = Doc(PIPELINE.vocab, words=["w"] * 10, **annotations)
    return [Example(Doc(PIPELINE.vocab, words=["w"] * 10), doc)] * number


@pytest.mark.parametrize(
    ("exclusive", "score", "number", "is_guess"),
    [
        (True, 0.25, 400, True),
        (True, 0.29, 400, True),  # chance reaches 0.2933
        (True, 0.30, 400, False),
        (True, 0.30, 40, True),
        (False, 0.54, 400, True),
        (False, 0.56, 400, False),
    ],
)
def test_categories(exclusive, score, number, is_guess):
    HEADS["topic"].stage.exclusive = exclusive
    warning = guessing_warning(HEADS["topic"], score, documents(number))
    assert bool(warning) == is_guess
    if is_guess:
        assert warning.startswith(f"topic: the dev score of {score:.4f} is no better than guessing")
        assert f"on {number} documents" in warning
        assert "try more examples" in warning


def test_tags_and_spans():
    gold = documents(100, tags=["X"] * 7 + ["Y"] * 2 + [""])
    assert "0.7778 ± 0.0277 on 900 words" in guessing_warning(HEADS["tags"], 0.78, gold)
    assert guessing_warning(HEADS["tags"], 0.81, gold) == ""
    assert "the dev score of 0.0000 is no better than guessing:" in guessing_warning(HEADS["ner"], 0.0, gold)
    assert guessing_warning(HEADS["ner"], 0.01, gold) == ""


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=4), st.integers(0, 9))
def test_the_macro_f1_of_guesses_by_frequency(frequencies, seed):
    """It is 1 / labels, whatever the frequencies: a label's share is both its precision and its recall."""
    labels = "abcd"[: len(frequencies)]
    generator = np.random.default_rng(seed)
    shares = np.asarray(frequencies) / sum(frequencies)
    gold, guess = (generator.choice(list(labels), 2000, p=shares) for _ in range(2))
    made = []
    for one, other in zip(gold, guess, strict=True):
        reference, doc = Doc(PIPELINE.vocab, words=["w"]), Doc(PIPELINE.vocab, words=["w"])
        reference.cats = {label: float(label == one) for label in labels}
        doc.cats = {label: float(label == other) for label in labels}
        made.append(Example(doc, reference))
    score = score_layer(made, CATS, labels=labels)["cats_macro_f"]
    assert score == pytest.approx(1 / len(labels), abs=0.06)
