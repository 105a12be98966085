"""Checks of a tokenizer."""

from __future__ import annotations

from glossator.testing.answers import difference, plain_answers
from glossator.testing.outcome import Failed
from glossator.testing.texts import odd_texts
from glossator.testing.trial import Trial


def keeps_the_text(trial: Trial) -> None:
    """`doc.text` equals the text, character for character, also of odd texts."""
    odd = odd_texts()
    by_name = {**{repr(text): text for text in trial.texts}, **odd}
    for name, text in by_name.items():
        if trial.pipeline.tokenizer(text).text != text:
            raise Failed(f"{name}: doc.text is not the text")


def one_vocab(trial: Trial) -> None:
    """All its Docs share one vocab."""
    vocabs = {id(trial.pipeline.tokenizer(text).vocab) for text in trial.texts}
    if len(vocabs) > 1:
        raise Failed(f"its Docs have {len(vocabs)} vocabs: make one vocab, and keep it")


def deterministic(trial: Trial) -> None:
    """A text gets the same tokens and sentences again: after other texts, and from another tokenizer."""
    subject = trial.subject
    backwards = trial.texts[::-1]
    again = plain_answers(subject, trial.pipeline, backwards)[::-1]
    trial.expect_same_answers(again, "asked again,", 0)
    trial.expect_same_answers(plain_answers(subject, subject.compose(), trial.texts), "built again,", 0)


def bears_memory_zones(trial: Trial) -> None:
    """Inside `Pipeline.memory_zone` and after it, texts get the same tokens as without."""
    subject = trial.subject
    # A new pipeline: words that were seen before a zone are not forgotten when the zone ends.
    pipeline = subject.compose()
    for where in ("in a memory zone,", "in a second memory zone,"):
        with pipeline.memory_zone():
            inside = plain_answers(subject, pipeline, trial.texts)
        trial.expect_same_answers(inside, where, 0)
    differs = difference(trial.texts, trial.answers, plain_answers(subject, pipeline, trial.texts), 0)
    if differs:
        raise Failed(f"after memory zones, {differs}")
