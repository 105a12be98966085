"""Checks of the training of a tagger or classifier."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.pipeline.pipeline import Pipeline
from glossator.plugins.declared import PluginWarning
from glossator.stages import Fittable, Updatable
from glossator.testing.answers import difference, plain_answers
from glossator.testing.examples import TEXTS, eight_examples, wrong_answers
from glossator.testing.lessons import EXAM_EVERY, MAX_UPDATES, begin, fit, lesson, mistakes, update
from glossator.testing.outcome import Failed, NotApplicable
from glossator.testing.subject import NAME
from glossator.testing.trial import Trial, disturb_randomness, short_training
from glossator.util.arrays import read_arrays, write_arrays

if TYPE_CHECKING:
    from spacy.language import Language

    from glossator.stages import TrainingState

TOLERANCE = 1e-6


def learns_eight_examples(trial: Trial) -> None:
    """Eight examples are memorized, in at most 100 updates or one fit."""
    _expect_learner(trial)
    _expect_none(mistakes(trial.subject, trial.pipeline, lesson(trial.subject, trial.pipeline)))


def learns_through_spacy(trial: Trial) -> None:
    """The same with spaCy: `nlp.add_pipe("glossator")`, `nlp.initialize`, and a loop of `nlp.update`."""
    _expect_updatable(trial)
    nlp = _spacy_pipeline(trial)
    exclusive = getattr(trial.stage, "exclusive", True)
    examples = eight_examples(nlp.make_doc, trial.subject.written, exclusive=exclusive)
    nlp.initialize(lambda: examples)
    wrong: list[str] = []
    for _ in range(0, MAX_UPDATES, EXAM_EVERY):
        for _ in range(EXAM_EVERY):
            nlp.update(examples)
        wrong = wrong_answers(list(nlp.pipe(TEXTS)), examples, trial.subject.written, exclusive)
        if not wrong:
            return
    _expect_none(wrong)


def stable_labels(trial: Trial) -> None:
    """The labels and their order survive saving, another order of examples, and another process."""
    subject = trial.subject
    labels = trial.stage.labels
    if not isinstance(labels, tuple) or not all(isinstance(label, str) for label in labels):
        raise Failed(f"labels are a tuple of strings, not {labels!r}")
    orders = {"after loading": subject.part(subject.load(trial.saved)).labels}
    if trial.is_trainable:
        pipeline = subject.compose()
        begin(subject, pipeline, lesson(subject, pipeline)[::-1])
        orders["after learning from examples in another order"] = subject.part(pipeline).labels
    try:
        orders["loaded in a fresh process"] = trial.fresh["labels"]
        orders["learned in a fresh process"] = trial.fresh["learnt"]
    except NotApplicable:
        pass  # a record that no other process can import

    for when, order in orders.items():
        if order is not None and tuple(order) != labels:
            raise Failed(f"{when} they are {tuple(order)}, not {labels}")


def same_seed_same_result(trial: Trial) -> None:
    """Training twice with one seed gives the same losses and answers, also if other code draws numbers."""
    _expect_learner(trial)
    pipeline, losses = short_training(trial.subject, trial.short_steps)
    _expect_as_undisturbed(trial, pipeline, losses, "trained twice with one seed,")
    if isinstance(trial.stage, Fittable):
        first, second = _fitted_answers(trial), _fitted_answers(trial)
        differs = difference(trial.texts, first, second, TOLERANCE)
        if differs:
            raise Failed(f"fitted twice with one seed, {differs}")


def resumes(trial: Trial) -> None:
    """Training that is saved, and restored in a new object, continues as if it had never stopped."""
    _expect_updatable(trial)
    subject = trial.subject
    steps = trial.short_steps // 2
    stopped, _ = short_training(subject, steps)

    folder = trial.folder / "resumes"
    folder.mkdir()
    subject.part(stopped).to_disk(folder)
    state = _through_a_file(subject.part(stopped).training_state())
    resumed = subject.compose()
    subject.part(resumed).from_disk(folder)
    disturb_randomness()
    subject.part(resumed).restore(state)
    losses = update(subject, resumed, lesson(subject, resumed), trial.short_steps - steps)
    _expect_as_undisturbed(trial, resumed, losses, "resumed,")


def _fitted_answers(trial: Trial) -> list[Any]:
    disturb_randomness()
    pipeline = trial.subject.compose()
    fit(trial.subject, pipeline, lesson(trial.subject, pipeline))
    return plain_answers(trial.subject, pipeline, trial.texts)


def _expect_as_undisturbed(trial: Trial, pipeline: Pipeline, losses: list[float], when: str) -> None:
    """Compare a short training's last losses, and the answers after it, with those of `trial.undisturbed`."""
    all_losses, answers = trial.undisturbed
    expected = all_losses[len(all_losses) - len(losses) :]
    if not np.allclose(expected, losses, rtol=TOLERANCE, atol=TOLERANCE):
        raise Failed(f"{when} its losses are {losses} instead of {expected}")
    differs = difference(trial.texts, answers, plain_answers(trial.subject, pipeline, trial.texts), TOLERANCE)
    if differs:
        raise Failed(f"{when} {differs}")


def _spacy_pipeline(trial: Trial) -> Language:
    import spacy

    subject = trial.subject
    if not isinstance(subject.stage, str):
        raise NotApplicable("the stage is a record: spaCy's component looks stages up by name")
    config = {"stage": subject.stage, "kind": subject.kind, "settings": dict(subject.settings)}
    if subject.kind == "tagger":
        config["write"] = str(subject.written)
    nlp = spacy.blank(trial.pipeline.config.lang)
    with warnings.catch_warnings():
        # Warnings of other plugins: the component uses all that are installed.
        warnings.simplefilter("ignore", PluginWarning)
        nlp.add_pipe("glossator", name=NAME, config=config)
    return nlp


def _through_a_file(state: TrainingState) -> Mapping[str, Any]:
    """Write and read a training state like a checkpoint: arrays, no pickle."""
    file = io.BytesIO()
    write_arrays(file, {name: np.asarray(value) for name, value in state.items()})
    file.seek(0)
    return read_arrays(file)


def _expect_learner(trial: Trial) -> None:
    if not trial.is_trainable:
        raise NotApplicable("it does not learn")


def _expect_updatable(trial: Trial) -> None:
    if not (trial.is_trainable and isinstance(trial.stage, Updatable)):
        raise NotApplicable("it does not learn in steps")


def _expect_none(wrong: Sequence[str]) -> None:
    if wrong:
        raise Failed(f"{len(wrong)} of {len(TEXTS)} examples get wrong answers, e.g. {wrong[0]!r}")
