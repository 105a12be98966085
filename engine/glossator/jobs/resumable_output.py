"""The output of an annotating run and its journal: the inputs, the pipeline and the progress.

During a run the output is `NAME.part.SUFFIX`, or the folder `NAME.part`, and the journal is
beside it; the finished output replaces both. An interrupted run is resumed from there.
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
    """The output of a run.

    Example:
        output = output_at(Path("letters.jsonl"))
        tally = output.open(fingerprint, resume=True)
        ...  # write to output.part, and call output.checkpoint(fingerprint, tally) now and then
        output.finish()

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
        """Return the progress to continue from: zero, or that of the same run when it was interrupted.

        Args:
            fingerprint: Equal for equal runs only: see `run_fingerprint`.
            resume: Whether to continue an interrupted run.

        Raises:
            DataError: There is no folder to write into.
            UsageError: The output exists.
            PipelineError: The interrupted run differs from this one.
        """
        if self.path.exists() and not (self.path.is_file() or self.path.is_dir()):
            raise UsageError(f"{self.path} is neither a file nor a folder: write to standard output instead")
        if not self.path.parent.is_dir():
            raise DataError(f"cannot be written: there is no folder {self.path.parent}", file=str(self.path))
        if self.path.is_dir() and any(self.path.iterdir()):
            raise UsageError(f"{self.path} exists and is not empty: remove it or name another output")

        if not (resume and self.journal.is_file()):
            self._check_nothing_foreign()
            self.discard()
            self._note(fingerprint, Tally(), 0)  # marks what is written from now on as the output of a run
            return Tally()

        try:
            entry = json.loads(self.journal.read_text(encoding="utf-8"))
            run, position, tally = entry["run"], int(entry["position"]), Tally(**entry["tally"])
            changed = [name for name in fingerprint if run.get(name) != fingerprint[name]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise PipelineError(f"{self.journal} is damaged, remove it and {self.part}: {error}") from error
        if changed:
            raise PipelineError(
                f"{self.journal}: the interrupted run had other {' and '.join(changed)}: "
                "undo the change, or run without --resume"
            )
        if position and not (self.part.exists() and _position(self.part) >= position):
            raise PipelineError(
                f"{self.part} is missing or shorter than {self.journal} records: run without --resume"
            )

        if self.part.exists():
            _cut_back(self.part, position)
        return tally

    def checkpoint(self, fingerprint: dict[str, Any], tally: Tally) -> None:
        """Record that everything counted so far is on disk, unless the format keeps it until the end."""
        # A format that keeps everything in memory has no file yet.
        if self.part.exists():
            self._note(fingerprint, tally, _position(self.part))

    def check_kind(self) -> None:
        """Raise `UsageError` if a folder would replace a file."""
        if self.part.is_dir() and self.path.is_file():
            raise UsageError(f"{self.path} is a file, but the format writes a folder: name another output")

    def kept(self) -> int:
        """Return the number of written documents according to the journal."""
        # Read from the file: an interrupt may come between writing it and updating a variable.
        return int(json.loads(self.journal.read_text(encoding="utf-8"))["tally"]["written"])

    def is_unfinished(self, file: Path) -> bool:
        """Whether a file is the unfinished output, is inside it, or is the journal."""
        file, part = file.resolve(), self.part.resolve()
        return file == self.journal.resolve() or part in (file, *file.parents)

    def finish(self) -> None:
        """Rename the finished output to its final name."""
        # Only an empty folder can be there, see `open`; a folder cannot be renamed over it on Windows.
        if self.path.is_dir():
            self.path.rmdir()
        self.part.replace(self.path)
        self.journal.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the unfinished output and its journal; an older output is kept."""
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
        """Raise `UsageError` if a file that is not from a run has the name of the unfinished output."""
        existing = [path for path in (self.part, self.journal) if path.exists()]
        if existing and not _is_journal(self.journal):
            raise UsageError(
                f"{existing[0]} is in the way, as a run writes there until {self.path} is complete: "
                "move it, or name another output"
            )


def output_at(path: Path) -> Output:
    """Return the output at a path, with links and "." resolved.

    Example:
        output = output_at(Path("letters.jsonl"))
    """
    return Output(path.resolve() if path.is_symlink() or path.name in ("", "..") else path)


def _is_journal(path: Path) -> bool:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(entry, dict) and entry.keys() == {"run", "tally", "position"}


def run_fingerprint(pipeline: str, inputs: Sequence[Path], options: dict[str, Any]) -> dict[str, Any]:
    """Return values that are equal for equal runs only: the pipeline's identity, input checksums, options.

    Example:
        fingerprint = run_fingerprint(identity(pipeline.source), files, {"to": "jsonl"})
    """
    return {
        "pipeline": pipeline,
        "inputs": [[str(path), _checksum(path)] for path in inputs],
        "options": options,
    }


def _checksum(path: Path) -> str:
    """Return a file's checksum; "" if it can be read only once or not at all."""
    try:
        return "" if is_stream(path) else sha256_of(path)
    except OSError:  # reported when the file is read
        return ""


def _position(part: Path) -> int:
    """Return the number of bytes of a file, or of files in a folder."""
    return sum(1 for _ in part.iterdir()) if part.is_dir() else part.stat().st_size


def _cut_back(part: Path, position: int) -> None:
    """Remove what was written after the last checkpoint."""
    if part.is_dir():
        for file in sorted(part.iterdir())[position:]:
            file.unlink()
        return
    with part.open("r+b") as unfinished:
        unfinished.truncate(position)
