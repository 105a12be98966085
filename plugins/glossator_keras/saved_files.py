"""Reading the files of a saved stage."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glossator.errors import ConfigError, PipelineError

# Of reading a file, and of content in another form than was written.
_FAILURES = (OSError, EOFError, zipfile.BadZipFile, ValueError, KeyError, TypeError, ConfigError)


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Turn the errors of a missing or damaged file into a `PipelineError` that names it."""
    try:
        yield
    except _FAILURES as error:
        raise PipelineError(f"{file} is missing or damaged: {error}") from error
