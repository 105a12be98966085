"""Named arrays in one `.npz` file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from glossator.errors import PipelineError


def write_arrays(file: Path | BytesIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays under their names.

    Example:
        write_arrays(folder / "weights.npz", {"table": table, "bias": bias})
    """
    np.savez(file, **dict(arrays))  # type: ignore[arg-type]


def read_arrays(file: Path | BytesIO) -> dict[str, np.ndarray]:
    """Return all arrays that `write_arrays` wrote, by name.

    Example:
        table = read_arrays(folder / "weights.npz")["table"]

    Raises:
        PipelineError: The file is missing, cut off or damaged, or holds pickled objects.
    """
    if isinstance(file, BytesIO):
        return _read(file)
    try:
        # Opened here, because np.load leaves a file open that is no archive.
        with file.open("rb") as opened:
            return _read(opened)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise PipelineError(f"{file} is missing or damaged: {error}") from error


def _read(opened: Any) -> dict[str, np.ndarray]:
    # Pickles are refused: loading one runs whatever code it holds.
    with np.load(opened, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
