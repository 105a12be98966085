"""Training without a dev set, where data is too small to set any aside: cross-validation chooses and scores.

Each document is predicted by a stage that learned from the other folds. These predictions give the score and
the thresholds; the folds' best epochs give the number of epochs for which the stage learns from everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median_high
from typing import TYPE_CHECKING

from glossator.data.folds import assign_folds
from glossator.evaluation.evaluate import annotate_layer, binarized
from glossator.ml.thresholds import choose_thresholds
from glossator.pipeline.head import Head
from glossator.pipeline.pipeline import Pipeline
from glossator.training.checkpoints import Checkpoints, Epoch
from glossator.training.dev_score import DevScore, score_predictions
from glossator.training.loop import fit
from glossator.training.task import head_task

if TYPE_CHECKING:
    from spacy.training import Example

    from glossator.training.progress import TrainingProgress

FOLDS = 5


@dataclass(frozen=True, slots=True)
class CrossFit:
    """The result of training a head on everything, and of cross-validation before.

    Example:
        fitted = fit_without_dev(pipeline, head, examples, seed=0, folder=folder, progress=Silent())
        head.thresholds = fitted.thresholds

    Attributes:
        dev: The score of the predictions of all folds.
        thresholds: A classifier's thresholds, chosen on these predictions.
        epochs: The epochs of the training on everything; none if the stage was fitted at once.
        finished: Whether no keyboard interrupt ended that training early.
    """

    dev: DevScore
    thresholds: dict[str, float]
    epochs: list[Epoch]
    finished: bool


def fit_without_dev(
    pipeline: Pipeline,
    head: Head,
    examples: Sequence[Example],
    *,
    seed: int,
    folder: Path,
    progress: TrainingProgress,
) -> CrossFit:
    """Score a head by cross-validation, then train it on all examples.

    Example:
        fit_without_dev(pipeline, head, examples, seed=0, folder=folder, progress=Silent())

    Args:
        pipeline: The pipeline of the head.
        head: The head.
        examples: All labelled examples.
        seed: The seed of the weights, the folds and the order of batches.
        folder: The folder of the checkpoints, from which an interrupted training continues.
        progress: Receives the progress.

    Raises:
        KeyboardInterrupt: It came during cross-validation.
    """
    training = pipeline.config.training
    labels, best_epochs = _predict_folds(pipeline, head, examples, seed, folder, progress)
    dev = score_predictions(head, examples, labels)
    thresholds = _thresholds(head, examples, labels) if head.config.kind == "classifier" else {}

    if best_epochs:
        epochs = median_high(best_epochs)
        training = replace(training, max_epochs=epochs, patience=epochs)
    # One score for every epoch: the latest is the best.
    task = replace(head_task(pipeline, head, examples, ()), score=lambda: DevScore(dev.score, 0.0))
    checkpoints = Checkpoints(folder / "all")
    progress.message(f"{head.name}: all {len(examples):,} documents")
    finished = fit(task, training, seed=seed, checkpoints=checkpoints, progress=progress)
    return CrossFit(dev, thresholds, list(checkpoints.epochs), finished)


def _thresholds(head: Head, examples: Sequence[Example], labels: Sequence[str]) -> dict[str, float]:
    return choose_thresholds(binarized(head, examples), labels, exclusive=head.exclusive)


def _predict_folds(
    pipeline: Pipeline,
    head: Head,
    examples: Sequence[Example],
    seed: int,
    folder: Path,
    progress: TrainingProgress,
) -> tuple[list[str], list[int]]:
    """Let every example be predicted by a stage that never saw it; return the labels and the best epochs."""
    folds = min(FOLDS, len(examples))
    fold_of = assign_folds(examples, folds, head.config.layer, seed=pipeline.config.seed).tolist()
    labels: set[str] = set()
    best_epochs = []
    for fold in range(folds):
        train = [example for example, number in zip(examples, fold_of, strict=True) if number != fold]
        held_out = [example for example, number in zip(examples, fold_of, strict=True) if number == fold]
        checkpoints = Checkpoints(folder / f"fold-{fold}")
        progress.message(f"{head.name}: fold {fold + 1} of {folds}")
        task = head_task(pipeline, head, train, held_out)
        if not fit(task, pipeline.config.training, seed=seed, checkpoints=checkpoints, progress=progress):
            raise KeyboardInterrupt  # a fold that was not trained to the end chooses nothing
        annotate_layer(pipeline, head, [example.predicted for example in held_out])
        labels.update(head.stage.labels)
        if checkpoints.best:
            best_epochs.append(checkpoints.best.number)

    if head.config.layer.is_categories:
        # A label may be missing from the training set of a fold, which then gave it no probability.
        for example in examples:
            example.predicted.cats = {
                label: example.predicted.cats.get(label, 0.0) for label in sorted(labels)
            }
    return sorted(labels), best_epochs
