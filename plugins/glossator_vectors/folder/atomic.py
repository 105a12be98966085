"""Creating, replacing and copying folders of vectors."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from glossator.errors import UsageError
from glossator.util.files import replacing_folder
from glossator_vectors.folder.metadata import METADATA


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Create or replace a folder of vectors atomically: yields a temporary folder, renamed at the end.

    If the block raises, nothing changes at `path`.

    Raises:
        UsageError: `path` is a file, or a folder that holds something other than vectors.
    """
    path = path.resolve()
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file: name a folder for the vectors")
    if path.is_dir() and any(path.iterdir()) and not (path / METADATA).is_file():
        raise UsageError(f"{path} is not empty and not a folder of vectors: name another folder")
    with replacing_folder(path) as temporary:
        yield temporary


def copy_folder(source: Path, target: Path, names: Sequence[str]) -> None:
    """Copy files to another folder, as hard links where the file system supports them.

    Links are safe because the files never change: `new_folder` replaces whole folders.
    """
    for name in names:
        try:
            os.link(source / name, target / name)
        except OSError:
            shutil.copyfile(source / name, target / name)
