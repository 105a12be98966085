"""Checks of the files that a stage writes and reads."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from glossator.testing.answers import plain_answers
from glossator.testing.outcome import Failed, NotApplicable
from glossator.testing.processes import spawned_report
from glossator.testing.trial import Trial

TOLERANCE = 1e-5


def loads_in_a_fresh_process(trial: Trial) -> None:
    """A saved pipeline, loaded in a fresh interpreter, gives the same answers."""
    trial.expect_same_answers(trial.fresh["answers"], "in a fresh process,", TOLERANCE)


def works_in_a_spawned_worker(trial: Trial) -> None:
    """A saved pipeline, loaded in a worker that multiprocessing spawned, gives the same answers."""
    report = spawned_report(trial.order(learn=False))
    trial.expect_same_answers(report["answers"], "in a spawned worker,", TOLERANCE)


def damage_is_an_error(trial: Trial) -> None:
    """If a file is cut short, emptied or removed, `from_disk` raises, or no answer changes."""
    whole = trial.saved / trial.subject.subfolder
    files = sorted(file.relative_to(whole) for file in whole.rglob("*") if file.is_file())
    if not files:
        raise NotApplicable("it writes no file")
    for file in files:
        for what, damage in _DAMAGES.items():
            damaged = trial.folder / "damaged"
            shutil.copytree(whole, damaged)
            damage(damaged / file)
            _expect_refusal(trial, damaged, f"{file.as_posix()} {what}:")
            shutil.rmtree(damaged)


def _expect_refusal(trial: Trial, folder: Path, what: str) -> None:
    pipeline = trial.subject.compose(prepare=False)
    try:
        trial.subject.part(pipeline).from_disk(folder)
    except Exception:
        return
    try:
        answers = plain_answers(trial.subject, pipeline, trial.texts)
    except Exception as error:
        raise Failed(f"{what} from_disk raises no error, and predicting fails") from error
    trial.expect_same_answers(answers, f"{what} from_disk raises no error, and", TOLERANCE)


def _cut_in_half(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def _cut_after_a_line(file: Path) -> None:
    """Cut between two lines, where a reader of lines notices nothing."""
    content = file.read_bytes()
    end = content.find(b"\n", len(content) // 2, -1) + 1
    file.write_bytes(content[: end or 1])


def _empty(file: Path) -> None:
    file.write_bytes(b"")


_DAMAGES: dict[str, Callable[[Path], None]] = {
    "cut in half": _cut_in_half,
    "cut after a line": _cut_after_a_line,
    "emptied": _empty,
    "removed": Path.unlink,
}
