"""Checks of the answers of an embedder, classifier or tagger."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from glossator.plugins.building import FAILURES
from glossator.testing.answers import fault, plain_answers, predictions
from glossator.testing.outcome import Failed
from glossator.testing.texts import odd_texts
from glossator.testing.trial import Trial
from glossator.util.messages import one_line

TOLERANCE = 1e-5


def batch_invariance(trial: Trial) -> None:
    """A Doc's answer does not depend on its batch: all at once, three at a time, one by one, shuffled."""
    count = len(trial.texts)
    shuffled = random.Random(0).sample(range(count), count)
    groupings = {
        "in batches of three": [list(range(count))[i : i + 3] for i in range(0, count, 3)],
        "one by one": [[i] for i in range(count)],
        "shuffled": [shuffled],
    }
    for how, batches in groupings.items():
        trial.expect_same_answers(_answers_in(trial, batches), f"{how},", TOLERANCE)


def odd_documents(trial: Trial) -> None:
    """Odd documents get answers with finite probabilities in [0, 1], aligned with their tokens."""
    for name, text in odd_texts().items():
        doc = trial.pipeline.tokenizer(text)
        try:
            [answer] = predictions(trial.subject, trial.pipeline, [doc])
        except FAILURES as error:
            raise Failed(f"{name}: {one_line(error)}") from error
        wrong = fault(trial.subject, trial.pipeline, doc, answer)
        if wrong:
            raise Failed(f"{name}: it answers {wrong}")


def alignment(trial: Trial) -> None:
    """Each Doc gets one answer: one row or id per token, spans inside the Doc, valid labels and scores."""
    docs = [trial.pipeline.tokenizer(text) for text in trial.texts]
    answers = predictions(trial.subject, trial.pipeline, docs)
    # The engine reads as many arrays of an embedder as there are Docs, and would not notice one too many.
    count = len(trial.stage.embed(docs)) if trial.subject.kind == "embedder" else len(answers)
    if count != len(docs):
        raise Failed(f"{count} answers for {len(docs)} Docs")
    for doc, answer in zip(docs, answers, strict=True):
        wrong = fault(trial.subject, trial.pipeline, doc, answer)
        if wrong:
            raise Failed(f"for {doc.text!r} it answers {wrong}")


def docs_untouched(trial: Trial) -> None:
    """Predicting does not change a Doc: only the engine writes to Docs."""
    docs = [trial.pipeline.tokenizer(text) for text in trial.texts]
    before = [doc.to_bytes() for doc in docs]
    predictions(trial.subject, trial.pipeline, docs)
    for doc, content in zip(docs, before, strict=True):
        if doc.to_bytes() != content:
            raise Failed(f"it changes the Doc of {doc.text!r}")


def _answers_in(trial: Trial, batches: Sequence[Sequence[int]]) -> list[Any]:
    """Return the plain answers to the trial's texts, requested in batches of their indices."""
    answers: list[Any] = [None] * len(trial.texts)
    for batch in batches:
        of_batch = plain_answers(trial.subject, trial.pipeline, [trial.texts[i] for i in batch])
        for i, answer in zip(batch, of_batch, strict=True):
            answers[i] = answer
    return answers
