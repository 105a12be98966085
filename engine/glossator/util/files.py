"""Replaces files and folders atomically, and computes their checksums."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Write a file so that a killed process leaves either the old file or the new one.

    Example:
        replace_file(Path("progress.json"), json.dumps(progress))
    """
    temporary = _beside(path)
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces `path` at the end, or is removed after an error.

    A killed process leaves the old folder or the new one: between the two renames the old one has another
    name, and `recover_folder` renames it back.

    Example:
        with replacing_folder(Path("models/mine")) as folder:
            (folder / "config.cfg").write_text(text)
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        _swap(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def recover_folder(path: Path) -> None:
    """Restore the old folder if `replacing_folder` was interrupted between its two renames.

    Example:
        recover_folder(Path("models/mine"))
    """
    previous = _previous(path.resolve())
    if not path.exists() and previous.is_dir():
        previous.rename(path.resolve())


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 checksum as hexadecimal digits.

    Example:
        sha256_of(Path("corpora/manifest.toml"))  # "9f86d0…"
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _swap(new: Path, path: Path) -> None:
    # A folder with content cannot be renamed over another: the old one must leave its name first.
    previous = _previous(path)
    if path.exists():
        shutil.rmtree(previous, ignore_errors=True)
        path.rename(previous)
    new.rename(path)
    shutil.rmtree(previous, ignore_errors=True)


def _beside(path: Path) -> Path:
    """Return a name that no other process uses, in the same folder: renaming works within one disk only."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _previous(path: Path) -> Path:
    return path.with_name(f".{path.name}.previous")
