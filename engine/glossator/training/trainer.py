"""Trains a pipeline: each head on its own data, with its best seed; then everything is saved."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from glossator.config.schema import PipelineConfig
from glossator.config.text import config_to_text
from glossator.data.categories import named_categories
from glossator.data.source import DataSource, data_source
from glossator.errors import DataError, PipelineError, UsageError
from glossator.evaluation.plots import training_curves
from glossator.formats.record import Record
from glossator.pipeline.folder import check_replaceable, is_pipeline, read_meta
from glossator.pipeline.head import Head, check_labels_disjoint
from glossator.pipeline.loading import load
from glossator.pipeline.pipeline import Pipeline
from glossator.training.checkpoints import PROGRESS, Checkpoints, Epoch
from glossator.training.dev_score import DevScore, dev_score
from glossator.training.frozen_vectors import frozen_vectors
from glossator.training.guessing import guessing_warning
from glossator.training.head_data import HeadData, read_head_data
from glossator.training.loop import fit
from glossator.training.progress import Silent, TrainingProgress
from glossator.training.task import calibrate_head, head_task, is_trainable
from glossator.training.without_dev import fit_without_dev
from glossator.util.files import replace_file

if TYPE_CHECKING:
    from glossator.plugins.manager import PluginManager

FINGERPRINT = "fingerprint"  # a file in the folder of every run

Checksums = dict[str, dict[str, dict[str, str]]]  # SHA-256 by head, split and file name
# Called with the trainable heads; returns records by the heads' names.
MakeSilver = Callable[[Sequence[Head]], Mapping[str, Sequence[Record]]]


@dataclass(slots=True)
class SeedResult:
    """The result of training one head with one seed.

    Example:
        result.heads["ner"][0].score  # 0.87

    Attributes:
        seed: The seed.
        dev: The result on the dev set.
        epochs: Its epochs; none if the stage was fitted at once.
        thresholds: A classifier's thresholds, if there was no dev set to choose them on in the end.
    """

    seed: int
    dev: DevScore
    epochs: list[Epoch] = field(default_factory=list)
    thresholds: dict[str, float] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The dev score, 0 to 1."""
        return self.dev.score


def best_seed(results: Sequence[SeedResult]) -> SeedResult:
    """Return the best result of a head: the best dev score or, of equal scores, the lowest loss.

    Example:
        best_seed(result.heads["ner"]).seed
    """
    return max(results, key=lambda result: result.dev.rank)


@dataclass(slots=True)
class TrainingResult:
    """The result of a training run.

    Example:
        result = train(config, "models/mine", seeds=3)
        max(seed.score for seed in result.heads["ner"])

    Attributes:
        pipeline: The pipeline, each head at its best.
        heads: For each trained head, the result of each seed; the best is in the pipeline.
        interrupted: Whether a keyboard interrupt ended the run early.
        failed: The number of documents of the training and dev sets that could not be read.
    """

    pipeline: Pipeline
    heads: dict[str, list[SeedResult]] = field(default_factory=dict)
    interrupted: bool = False
    failed: int = 0


def train(
    config: PipelineConfig,
    output: str | Path,
    *,
    corpora: str | Path | None = None,
    seeds: int = 1,
    resume: bool = False,
    plugins: PluginManager | None = None,
    progress: TrainingProgress | None = None,
    silver: MakeSilver | None = None,
) -> TrainingResult:
    """Train a pipeline and save it.

    Each trainable head is trained separately, on its own training and dev sets; the test set is
    never opened. Everything is chosen on the dev set: the best epoch, the best of `seeds`, the
    calibration. If none is named, a tenth of the training set is set aside or, if that is too little,
    cross-validation chooses. A folder beside `output` holds what is needed to resume, until the end. A
    keyboard interrupt ends the run early; what is trained by then is saved.

    Example:
        result = train(read_config("corpora/recipes/samples.cfg"), "models/samples")
        print(result.pipeline("Mara lives in Oslo.").ents)

    Args:
        config: The pipeline and its data.
        output: The folder to save to.
        corpora: The folder of corpora; by default the one that `GLOSSATOR_CORPORA` names.
        seeds: The number of seeds to try for each head, counted from the config's.
        resume: Continue an interrupted run, or leave the output of a finished one as it is; without `resume`,
            start a new run.
        plugins: Where stages and formats are looked up; by default all installed plugins.
        progress: Receives the progress.
        silver: Makes more training data, labelled by a teacher; it is not used to choose anything.

    Raises:
        ConfigError: The config cannot be built or lacks data for a head.
        DataError: There is nothing to learn from.
        KeyboardInterrupt: It came before any head was trained; nothing is saved.
        PipelineError: `resume`, and the interrupted run had another config or other data; or `output` is
            a folder that is not a pipeline.
    """
    if seeds < 1:
        raise UsageError(f"seeds must be at least 1, not {seeds}")
    check_replaceable(Path(output))
    _check_run_folder(_run_folder(Path(output)))

    run = TrainingRun(
        pipeline=Pipeline.from_config(config, plugins=plugins).prepare(),
        folder=_run_folder(Path(output)),
        corpora=Path(corpora) if corpora is not None else None,
        progress=progress or Silent(),
    )
    heads = [head for head in run.pipeline.heads.values() if is_trainable(head)]
    run.find_data(heads)
    run.check_data(heads, needs_dev=silver is not None)
    if silver is not None:
        # After everything that may be wrong with config and data is checked: labelling can take hours.
        run.silver = silver(heads)

    run.identify(seeds)
    if resume and run.is_finished(Path(output)):
        run.progress.message(f"{output} is the output of this run, which is finished: nothing is left to do")
        return TrainingResult(pipeline=load(Path(output), plugins=run.pipeline.plugins))

    run.open(resume=resume)
    try:
        result = run.train(heads, seeds)
    except BaseException:
        run.discard_if_empty()
        raise

    run.pipeline.meta |= _report(result, run.checksums)
    # An interrupted run has no fingerprint in its output: `resume` must not take it for finished.
    if not result.interrupted:
        run.pipeline.meta["run"] = run.fingerprint
    run.pipeline.save(output, attachments=_log_files(list(log_rows(result))))
    if not result.interrupted:
        shutil.rmtree(run.folder)
    return result


def log_rows(result: TrainingResult) -> Iterable[dict[str, Any]]:
    """Yield one row per epoch of every head and seed.

    Example:
        [row["score"] for row in log_rows(result) if row["head"] == "ner"]
    """
    for head, seeds in result.heads.items():
        for seed in seeds:
            for epoch in seed.epochs:
                yield {"head": head, "seed": seed.seed, **asdict(epoch)}


def _log_files(rows: list[dict[str, Any]]) -> dict[str, bytes]:
    log = "".join(f"{json.dumps(row)}\n" for row in rows)
    picture = training_curves(rows)
    return {"training.jsonl": log.encode()} | ({"training.png": picture} if picture else {})


@dataclass(slots=True)
class TrainingRun:
    """A training run in progress.

    Example:
        run = TrainingRun(pipeline=pipeline, folder=folder, corpora=None, progress=Silent())
        run.find_data(heads)
        run.check_data(heads)
        run.train(heads, seeds=1)

    Attributes:
        pipeline: The pipeline in training.
        folder: The folder of what is needed to resume the run.
        corpora: The folder of corpora, as in `train`.
        progress: Receives the progress.
        silver: More training records for each head, labelled by a teacher.
        checksums: The checksums of the data files.
        fingerprint: A checksum of the config, the data and the seeds: equal for equal runs only.
        failed: The number of documents that could not be read.
    """

    pipeline: Pipeline
    folder: Path
    corpora: Path | None
    progress: TrainingProgress
    silver: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    checksums: Checksums = field(default_factory=dict)
    fingerprint: str = ""
    failed: int = 0

    def source(self, head: Head) -> DataSource:
        """Return the data source of a head."""
        return data_source(
            self.pipeline.config, head.name, corpora=self.corpora, plugins=self.pipeline.plugins
        )

    def find_data(self, heads: Sequence[Head]) -> None:
        """Find the training and dev sets of all heads, and record their checksums."""
        for head in heads:
            source = self.source(head)
            self.checksums[head.name] = {split: source.checksums(split) for split in source.splits}
            for split in source.splits:
                source.check(split)  # before other heads are trained for hours
        self._check_labels([head for head in heads if head.config.kind == "classifier"])

    def check_data(self, heads: Sequence[Head], *, needs_dev: bool = False) -> None:
        """Read the data of all heads and report its faults, before any head learns from its own.

        The data is not kept: that of all heads may be more than memory holds.
        """
        for head in heads:
            data = self._data(head, self.progress)
            self.failed += data.failed
            if needs_dev and not data.dev:
                raise DataError(
                    f"{head.name!r} needs a dev set to learn from a teacher, whose labels cannot score it: "
                    f"set dev = FILE in [data.{head.name}]"
                )

    def _check_labels(self, classifiers: Sequence[Head]) -> None:
        if len(classifiers) < 2:
            return
        labels = {}
        for head in classifiers:
            records = self.source(head).records("train")
            labels[head.name] = {head.config.prefix + label for label in named_categories(records)}
        check_labels_disjoint(labels)

    def identify(self, seeds: int) -> None:
        """Compute the fingerprint from config, data and seeds."""
        silver = [_content(record) for records in self.silver.values() for record in records]
        content = json.dumps([config_to_text(self.pipeline.config), self.checksums, seeds, silver])
        self.fingerprint = hashlib.sha256(content.encode()).hexdigest()

    def is_finished(self, output: Path) -> bool:
        """Return whether `output` is the output of the same run, finished."""
        if self.folder.exists() or not is_pipeline(output):
            return False
        try:
            return bool(read_meta(output).get("run") == self.fingerprint)
        except PipelineError:  # a pipeline of another version
            return False

    def open(self, *, resume: bool) -> None:
        """Open the folder of the run: that of the same run, interrupted, or a new one."""
        file = self.folder / FINGERPRINT
        if resume and file.is_file():
            if file.read_text(encoding="utf-8") != self.fingerprint:
                raise PipelineError(
                    f"{self.folder} holds a run with another config, other data or other seeds: "
                    "undo the change, or train without --resume"
                )
            return
        if resume:
            self.progress.message("there is no run to resume: starting a new one")
        elif file.is_file():
            self.progress.message(
                f"{self.folder} held an interrupted run; it is discarded, as --resume was not given"
            )
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        replace_file(file, self.fingerprint)

    def train(self, heads: Iterable[Head], seeds: int) -> TrainingResult:
        """Train the heads one by one, until an interrupt; re-raise it if no head is trained by then."""
        result = TrainingResult(pipeline=self.pipeline)
        for head in heads:
            if result.interrupted:
                self.remove(head)
                continue
            try:
                result.heads[head.name], finished = self.train_head(head, seeds)
            except KeyboardInterrupt:
                self.remove(head)
                finished = False
            result.interrupted = not finished

        if result.interrupted and not self.pipeline.heads:
            self.progress.message("no head was trained before the interrupt: no pipeline is saved")
            raise KeyboardInterrupt
        result.failed = self.failed
        return result

    def discard_if_empty(self) -> None:
        """Remove the folder of the run unless it holds a checkpoint to resume from."""
        if not any(self.folder.rglob(PROGRESS)):
            shutil.rmtree(self.folder)

    def remove(self, head: Head) -> None:
        """Remove a head that was not trained from the pipeline."""
        self.pipeline.remove(head.name)
        self.progress.message(f"{head.name} was not trained before the interrupt and is not saved")

    def train_head(self, head: Head, seeds: int) -> tuple[list[SeedResult], bool]:
        """Train a head with each seed and restore the best; also return whether all seeds were finished."""
        data = self._data(head, Silent())
        docs = [example.predicted for example in (*data.train, *data.dev)]
        folder = self.folder / head.name
        folder.mkdir(exist_ok=True)
        with frozen_vectors(self.pipeline, head.config.vectors, docs, folder):
            results, finished = self._try_seeds(head, data, seeds, folder)
            self._restore_best(head, data, best_seed(results), folder)
        return results, finished

    def _data(self, head: Head, progress: TrainingProgress) -> HeadData:
        silver = self.silver.get(head.name, ())
        return read_head_data(self.pipeline, head, self.source(head), silver=silver, progress=progress)

    def _try_seeds(
        self, head: Head, data: HeadData, seeds: int, folder: Path
    ) -> tuple[list[SeedResult], bool]:
        train_seed = self._train_seed if data.dev else self._train_seed_without_dev
        results: list[SeedResult] = []
        finished = True
        first = self.pipeline.config.seed
        for seed in range(first, first + seeds):
            try:
                result, finished = train_seed(head, data, seed, folder / f"seed-{seed}")
            except KeyboardInterrupt:
                if not results:
                    raise
                return results, False
            _save_stage(head, folder / f"best-of-seed-{seed}")
            results.append(result)
            if not finished:
                break
        return results, finished

    def _train_seed(self, head: Head, data: HeadData, seed: int, folder: Path) -> tuple[SeedResult, bool]:
        pipeline, checkpoints = self.pipeline, Checkpoints(folder)
        task = head_task(pipeline, head, data.train, data.dev)
        training = pipeline.config.training
        finished = fit(task, training, seed=seed, checkpoints=checkpoints, progress=self.progress)
        best = checkpoints.best
        dev = best.dev if best else dev_score(pipeline, head, data.dev)
        return SeedResult(seed=seed, dev=dev, epochs=list(checkpoints.epochs)), finished

    def _train_seed_without_dev(
        self, head: Head, data: HeadData, seed: int, folder: Path
    ) -> tuple[SeedResult, bool]:
        fitted = fit_without_dev(
            self.pipeline, head, data.train, seed=seed, folder=folder, progress=self.progress
        )
        result = SeedResult(seed=seed, dev=fitted.dev, epochs=fitted.epochs, thresholds=fitted.thresholds)
        return result, fitted.finished

    def _restore_best(self, head: Head, data: HeadData, best: SeedResult, folder: Path) -> None:
        """Restore the best seed, calibrate it, and warn if it is no better than guessing."""
        head.stage.from_disk(folder / f"best-of-seed-{best.seed}")
        if data.dev:
            calibrate_head(self.pipeline, head, data.dev)
        else:
            head.thresholds = best.thresholds
        if warning := guessing_warning(head, best.score, data.dev or data.train):
            self.progress.message(warning)


def _save_stage(head: Head, folder: Path) -> None:
    # Outside the checkpoints, as a `Fittable` stage has none.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    head.stage.to_disk(folder)


def _run_folder(output: Path) -> Path:
    # "." and ".." have no name of their own to put a suffix to.
    if output.name in ("", ".."):
        output = output.resolve()
    return output.with_name(f"{output.name}.training")


def _check_run_folder(folder: Path) -> None:
    """Raise `UsageError` if the folder of the run exists and is not from a run."""
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() and not (folder / FINGERPRINT).is_file():
        raise UsageError(
            f"{folder} is in the way: a run would save there what it needs to be resumed; "
            "move it, or name another output"
        )


def _content(record: Record) -> list[Any]:
    """Return the text and labels of a record, in JSON's types."""
    tokens = record.tokens
    tags = [tokens.words, tokens.tags, tokens.pos] if tokens else None
    return [record.text, record.spans, record.cats, tags]


def _report(result: TrainingResult, checksums: Checksums) -> dict[str, Any]:
    return {
        "scores": {
            head: {
                "dev": max(seed.score for seed in seeds),
                "dev_mean": mean(seed.score for seed in seeds),
                "seeds": {str(seed.seed): seed.score for seed in seeds},
            }
            for head, seeds in result.heads.items()
        },
        "data": checksums,
    }
