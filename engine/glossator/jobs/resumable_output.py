"""The journal of an annotating run: what it reads, with which pipeline, and how far it is on disk.

While a run goes on its output is `NAME.part.SUFFIX`, or the folder `NAME.part`, and the journal lies
beside it; both give way to the finished output. An interrupted run is resumed from there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from glossator.data.files import is_stream
from glossator.errors import DataError, PipelineError, UsageError
from glossator.jobs.record_stream import Tally
from glossator.util.files import replace_file, sha256_of


@dataclass(frozen=True, slots=True)
class Output:
    """Where a run writes.

    Attributes:
        path: The finished output, a file or a folder.
    """

    path: Path

    @property
    def part(self) -> Path:
        """The unfinished output."""
        return self.path.with_name(f"{self.path.stem}.part{self.path.suffix}")

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.path.with_name(f"{self.path.name}.journal")

    def open(self, fingerprint: dict[str, Any], *, resume: bool) -> Tally:
        """Return where to go on from: the start, or where the same run was cut off.

        Args:
            fingerprint: What makes two runs the same: see `run_fingerprint`.
            resume: Whether to go on with what is there.

        Raises:
            DataError: There is no folder to write into.
            UsageError: The output is there already.
            PipelineError: What was cut off is another run.
        """
        if self.path.exists() and not (self.path.is_file() or self.path.is_dir()):
            raise UsageError(f"{self.path} is neither a file nor a folder: write to standard output instead")
        if not self.path.parent.is_dir():
            raise DataError(f"cannot be written: there is no folder {self.path.parent}", file=str(self.path))
        if self.path.is_dir() and any(self.path.iterdir()):
            raise UsageError(f"{self.path} is there and not empty: remove it or name another output")
        if not (resume and self.journal.is_file()):
            self._check_nothing_foreign()
            self.discard()
            self._note(fingerprint, Tally(), 0)  # so that what is written from now on is known to be a run's
            return Tally()
        try:
            entry = json.loads(self.journal.read_text(encoding="utf-8"))
            run, position, tally = entry["run"], int(entry["position"]), Tally(**entry["tally"])
            changed = [name for name in fingerprint if run.get(name) != fingerprint[name]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise PipelineError(f"{self.journal} is damaged, remove it and {self.part}: {error}") from error
        if changed:
            raise PipelineError(
                f"{self.journal}: the run that was cut off had other {' and '.join(changed)}: "
                "undo the change, or run without --resume"
            )
        if position and not (self.part.exists() and _position(self.part) >= position):
            raise PipelineError(
                f"{self.part} is gone or shorter than {self.journal} says: run without --resume"
            )
        if self.part.exists():
            _cut_back(self.part, position)
        return tally

    def checkpoint(self, fingerprint: dict[str, Any], tally: Tally) -> None:
        """Note that everything counted so far is on disk, unless the format keeps it until the end."""
        if self.part.exists():
            self._note(fingerprint, tally, _position(self.part))

    def check_kind(self) -> None:
        """Raise `UsageError` where a folder is written that is to replace a file."""
        if self.part.is_dir() and self.path.is_file():
            raise UsageError(f"{self.path} is a file, and a folder is to be written: name another output")

    def kept(self) -> int:
        """Return how many written documents the journal vouches for."""
        # Asked of the file: an interrupt may fall between writing it and noting so anywhere else.
        return int(json.loads(self.journal.read_text(encoding="utf-8"))["tally"]["written"])

    def is_unfinished(self, file: Path) -> bool:
        """Whether a file is the unfinished output, lies in it, or is the journal."""
        file, part = file.resolve(), self.part.resolve()
        return file == self.journal.resolve() or part in (file, *file.parents)

    def finish(self) -> None:
        """Put the finished output in its place."""
        if self.path.is_dir():
            self.path.rmdir()
        self.part.replace(self.path)
        self.journal.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the unfinished output and its journal; what is in their place stays."""
        self.journal.unlink(missing_ok=True)
        if self.part.is_dir():
            shutil.rmtree(self.part)
        else:
            self.part.unlink(missing_ok=True)

    def _note(self, fingerprint: dict[str, Any], tally: Tally, position: int) -> None:
        counts = {entry.name: getattr(tally, entry.name) for entry in fields(tally)}
        entry = {"run": fingerprint, "tally": counts, "position": position}
        replace_file(self.journal, json.dumps(entry, ensure_ascii=False))

    def _check_nothing_foreign(self) -> None:
        """Raise `UsageError` where something that no run left has the name of the unfinished output."""
        there = [path for path in (self.part, self.journal) if path.exists()]
        if there and not _is_journal(self.journal):
            raise UsageError(
                f"{there[0]} is in the way, for a run writes there before {self.path} is whole: "
                "move it, or name another output"
            )


def output_at(path: Path) -> Output:
    """Return the output at a path; a link, or ".", is what it stands for."""
    return Output(path.resolve() if path.is_symlink() or path.name in ("", "..") else path)


def _is_journal(path: Path) -> bool:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(entry, dict) and entry.keys() == {"run", "tally", "position"}


def run_fingerprint(pipeline: str, inputs: Sequence[Path], options: dict[str, Any]) -> dict[str, Any]:
    """Return what makes two runs the same: the pipeline's identity, inputs with checksums, options."""
    return {
        "pipeline": pipeline,
        "inputs": [[str(path), _checksum(path)] for path in inputs],
        "options": options,
    }


def _checksum(path: Path) -> str:
    """Return a file's checksum; "" if it can be read only once, or not at all, which reading reports."""
    try:
        return "" if is_stream(path) else sha256_of(path)
    except OSError:
        return ""


def _position(part: Path) -> int:
    """Return the bytes of a file, or the files of a folder."""
    return sum(1 for _ in part.iterdir()) if part.is_dir() else part.stat().st_size


def _cut_back(part: Path, position: int) -> None:
    """Remove what was written after the last checkpoint."""
    if part.is_dir():
        for file in sorted(part.iterdir())[position:]:
            file.unlink()
        return
    with part.open("r+b") as unfinished:
        unfinished.truncate(position)
