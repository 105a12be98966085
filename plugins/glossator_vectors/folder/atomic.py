"""Making and copying folders of vectors: whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from glossator.errors import UsageError
from glossator_vectors.folder.metadata import FACTS


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Make a folder of vectors whole or not at all: yields where to write, and puts it in place at the end.

    Raises:
        UsageError: `path` holds something that is no folder of vectors.
    """
    path = path.resolve()
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file: name a folder for the vectors")
    if path.is_dir() and any(path.iterdir()) and not (path / FACTS).is_file():
        raise UsageError(f"{path} holds something that is no folder of vectors: name another folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        _put_in_place(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def copy_folder(source: Path, target: Path, names: Sequence[str]) -> None:
    """Copy files to another folder, by hard links where the file system has them: they never change."""
    for name in names:
        try:
            os.link(source / name, target / name)
        except OSError:
            shutil.copyfile(source / name, target / name)


def _put_in_place(new: Path, path: Path) -> None:
    previous = path.with_name(f".{path.name}.{os.getpid()}.previous")
    if path.exists():
        path.rename(previous)
    new.rename(path)
    shutil.rmtree(previous, ignore_errors=True)
