"""Files to read, where some were named by the folder they lie in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glossator.errors import UsageError
from glossator.formats.shared.text_streams import STANDARD_STREAM
from glossator.util.files import sha256_of

if TYPE_CHECKING:
    from glossator.plugins.manager import PluginManager


def input_files(inputs: Iterable[Path], format_name: str, plugins: PluginManager) -> list[Path]:
    """Return the files to read, those of a folder in the order of their names.

    Of a folder, everything below it is read that has an ending of the format or, where none was
    named, of any format; hidden files are not. "-" is standard input.

    Raises:
        UsageError: A folder holds no such file, or no format was named and no file's ending means one.
        PluginError: There is no such format.
    """
    return sorted_files(inputs, format_name, plugins)[0]


def sorted_files(
    inputs: Iterable[Path], format_name: str, plugins: PluginManager
) -> tuple[list[Path], list[Path]]:
    """Return the files to read, as `input_files` does, and those of folders that end otherwise."""
    suffixes = _suffixes(format_name, plugins)
    files: list[Path] = []
    left_out: list[Path] = []
    for given in inputs:
        wanted, others = _files(given, suffixes)
        files += wanted
        left_out += others
    if files and not format_name and not any(_is_known(file, suffixes) for file in files):
        _refuse(files[0], suffixes, plugins)
    return files, left_out


def is_stream(file: Path) -> bool:
    """Whether a file can be read only once: standard input, a pipe."""
    return file == STANDARD_STREAM or (file.exists() and not (file.is_file() or file.is_dir()))


def name_of(file: Path) -> str:
    """Return what messages call a file."""
    return "standard input" if file == STANDARD_STREAM else str(file)


def check_there(inputs: Sequence[Path]) -> None:
    """Raise `UsageError` where not one input is there; one that is missing among others fails when read."""
    if not any(given == STANDARD_STREAM or given.exists() for given in inputs):
        raise UsageError(f"{', '.join(map(str, inputs))}: no such file or folder")


def folder_sum(folder: Path, files: Iterable[Path]) -> str:
    """Return the SHA-256 sum of the names and the contents of files below a folder, in hexadecimal."""
    lines = (f"{sha256_of(file)}  {file.relative_to(folder).as_posix()}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _files(given: Path, suffixes: tuple[str, ...]) -> tuple[list[Path], list[Path]]:
    """Return what an input stands for, and what of a folder does not end in one of `suffixes`."""
    if given == STANDARD_STREAM or not given.is_dir():
        return [given], []
    below = _below(given)
    files = [file for file in below if not suffixes or _is_known(file, suffixes)]
    if not files:
        endings = f" ending in {', '.join(suffixes)}" if suffixes else ""
        raise UsageError(f"{given}: the folder holds no file{endings}; name another, or their format")
    return files, [file for file in below if suffixes and not _is_known(file, suffixes)]


def _refuse(file: Path, suffixes: tuple[str, ...], plugins: PluginManager) -> None:
    try:
        plugins.format_for(file)
    except UsageError as error:
        raise UsageError(f"{error}, or give files that end in {', '.join(suffixes)}") from None


def _is_known(file: Path, suffixes: tuple[str, ...]) -> bool:
    return file == STANDARD_STREAM or file.name.lower().endswith(suffixes)


def _below(folder: Path) -> list[Path]:
    """Return what is below a folder and is neither hidden nor a folder; a link to nothing fails when read."""
    shown = [
        path
        for path in sorted(folder.rglob("*"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    return [path for path in shown if not path.is_dir()]


def _suffixes(format_name: str, plugins: PluginManager) -> tuple[str, ...]:
    """Return the endings to look for; none, where the format named has none of its own."""
    if format_name:
        return plugins.format(format_name).suffixes
    return tuple(suffix for found in plugins.formats() for suffix in found.record.suffixes)
