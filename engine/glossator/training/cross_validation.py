"""k-fold cross-validation: every labelled document is predicted once, by a head that never saw it.

For data without a test set, for which older papers report such scores (Kim 2014 on `mr`). The training and
dev sets of a config are joined and divided into folds; each fold in turn is the test set, the next one the
dev set by which everything is chosen, and the others are the training set.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from glossator.config.schema import PipelineConfig
from glossator.data.examples import read_gold
from glossator.data.faults import with_words
from glossator.data.folds import assign_folds
from glossator.data.source import data_source
from glossator.errors import DataError, UsageError
from glossator.evaluation.evaluate import evaluate_head
from glossator.pipeline.head import Head
from glossator.pipeline.pipeline import Pipeline
from glossator.training.checkpoints import Checkpoints
from glossator.training.frozen_vectors import frozen_vectors
from glossator.training.loop import fit
from glossator.training.progress import Silent, TrainingProgress
from glossator.training.task import calibrate_head, head_task, is_trainable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from spacy.training import Example

    from glossator.plugins.manager import PluginManager

MIN_FOLDS = 3  # one to train on, one to choose by, one to score


@dataclass(slots=True)
class CrossValidation:
    """The result of a cross-validation.

    Example:
        result = cross_validate(config, folds=10)
        result.summary("sentiment")["cats_macro_f"]  # (0.78, 0.01)

    Attributes:
        folds: For each head, the scores on each fold, by spaCy's names.
        documents: For each head, the number of documents in all folds.
        failed: The number of documents that could not be read.
    """

    folds: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    documents: dict[str, int] = field(default_factory=dict)
    failed: int = 0

    def summary(self, head: str) -> dict[str, tuple[float, float]]:
        """Return the mean and standard deviation of each score that is a number in every fold."""
        columns: dict[str, list[float]] = {}
        for fold in self.folds[head]:
            for name, value in fold.items():
                if isinstance(value, float):
                    columns.setdefault(name, []).append(value)
        return {
            name: (mean(values), stdev(values))
            for name, values in columns.items()
            if len(values) == len(self.folds[head])
        }


def cross_validate(
    config: PipelineConfig,
    *,
    folds: int,
    corpora: str | Path | None = None,
    plugins: PluginManager | None = None,
    progress: TrainingProgress | None = None,
) -> CrossValidation:
    """Train and score each head of a config once per fold; nothing is saved.

    Example:
        cross_validate(read_config("corpora/recipes/mr-cnn.cfg"), folds=10, corpora="my/corpora")

    Args:
        config: The pipeline and its data. The test set is not opened.
        folds: The number of folds.
        corpora: The folder of corpora; by default the one that `GLOSSATOR_CORPORA` names.
        plugins: Where stages and formats are looked up; by default all installed plugins.
        progress: Receives the progress.

    Raises:
        ConfigError: The config cannot be built, or lacks data for a head.
        DataError: There are fewer documents than folds.
        UsageError: There are fewer than three folds.

    Example:
        result = glossator.cross_validate(glossator.read_config("my.cfg"), folds=10)
        mean, deviation = result.summary("ner")["ents_f"]
    """
    if folds < MIN_FOLDS:
        raise UsageError(
            f"--folds {folds}: at least {MIN_FOLDS} are needed, to train on, to choose by and to score"
        )

    pipeline = Pipeline.from_config(config, plugins=plugins).prepare()
    result = CrossValidation()
    progress = progress or Silent()
    for head in pipeline.heads.values():
        if is_trainable(head):
            examples = _examples(pipeline, head, Path(corpora) if corpora else None, result, progress)
            if len(examples) < folds:
                raise DataError(f"{head.name!r} has {len(examples)} documents, too few for {folds} folds")
            result.documents[head.name] = len(examples)
            with tempfile.TemporaryDirectory() as folder:
                result.folds[head.name] = _scores(pipeline, head, examples, folds, Path(folder), progress)

    return result


def _examples(
    pipeline: Pipeline, head: Head, corpora: Path | None, result: CrossValidation, progress: TrainingProgress
) -> list[Example]:
    source = data_source(pipeline.config, head.name, corpora=corpora, plugins=pipeline.plugins)
    records = chain.from_iterable(source.records(split) for split in source.splits)
    data = read_gold(records, head.config.layer, pipeline.tokenizer)
    result.failed += len(data.errors)
    for error in data.errors:
        progress.message(f"failed: {error}")
    return data.examples


def _scores(
    pipeline: Pipeline,
    head: Head,
    examples: Sequence[Example],
    folds: int,
    folder: Path,
    progress: TrainingProgress,
) -> list[dict[str, Any]]:
    docs = [example.predicted for example in examples]
    fold_of = assign_folds(examples, folds, head.config.layer, seed=pipeline.config.seed)
    scores = []
    with frozen_vectors(pipeline, head.config.vectors, docs, folder):
        for fold in range(folds):
            progress.message(f"{head.name}: fold {fold + 1} of {folds}")
            roles = (fold_of - fold) % folds
            scores.append(_scores_on(pipeline, head, examples, roles, folder / f"fold-{fold}", progress))
    return scores


def _scores_on(
    pipeline: Pipeline,
    head: Head,
    examples: Sequence[Example],
    roles: NDArray[np.intp],
    folder: Path,
    progress: TrainingProgress,
) -> dict[str, Any]:
    """Train a head and score it; the role of an example is 0 for test, 1 for dev and more for training."""
    pairs = list(zip(roles.tolist(), examples, strict=True))
    test, dev = ([example for role, example in pairs if role == wanted] for wanted in (0, 1))
    train = with_words([example for role, example in pairs if role > 1])
    dev = with_words(dev)

    config = pipeline.config
    finished = fit(
        head_task(pipeline, head, train, dev),
        config.training,
        seed=config.seed,
        checkpoints=Checkpoints(folder),
        progress=progress,
    )
    if not finished:  # a fold that was not trained to the end has no score
        raise KeyboardInterrupt

    shutil.rmtree(folder)
    calibrate_head(pipeline, head, dev)
    return evaluate_head(pipeline, head, test).scores
