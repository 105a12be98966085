"""Reading the files of a saved stage."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from glossator.errors import ConfigError, PipelineError
from glossator_keras.arrays import Array

# Of reading a file, and of content in another form than was written.
_FAILURES = (OSError, EOFError, zipfile.BadZipFile, ValueError, KeyError, TypeError, ConfigError)


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Turn the errors of a missing or damaged file into a `PipelineError` that names it."""
    try:
        yield
    except _FAILURES as error:
        raise PipelineError(f"{file} is missing or damaged: {error}") from error


def read_arrays(file: Path) -> dict[str, Array]:
    """Return the arrays of an `.npz`, by name; raise `PipelineError` where it is missing or damaged."""
    with reading(file), file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
