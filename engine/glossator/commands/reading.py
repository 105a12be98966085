"""Reads files and corpora for a command, according to its options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from glossator.data import files
from glossator.data.corpora import corpus, read_split
from glossator.data.files import check_inputs_exist, display_name

if TYPE_CHECKING:
    from glossator.commands.options import InputFormat
    from glossator.errors import DataError
    from glossator.formats import Record
    from glossator.plugins.manager import PluginManager

__all__ = [
    "check_inputs_exist",
    "corpus",
    "display_name",
    "input_files",
    "read_file",
    "read_files",
    "read_split",
]


def input_files(inputs: Iterable[Path], input_format: InputFormat, plugins: PluginManager) -> list[Path]:
    """Return the files to read; a folder stands for the files below it: see `data.files.input_files`.

    Example:
        files = input_files(inputs, input_format, settings.plugins())
    """
    return files.input_files(inputs, input_format.name, plugins)


def read_file(file: Path, input_format: InputFormat, plugins: PluginManager) -> Iterator[Record | DataError]:
    """Yield the documents of one file, and an error in place of each that cannot be read.

    Example:
        for item in read_file(Path("letters.jsonl"), InputFormat(), settings.plugins()):
            print(item if isinstance(item, DataError) else item.text)
    """
    return files.read_file(file, input_format.name, input_format.options, input_format.encoding, plugins)


def read_files(
    inputs: Iterable[Path], input_format: InputFormat, plugins: PluginManager
) -> Iterator[Record | DataError]:
    """Yield the documents of files and folders, and an error in place of each that cannot be read.

    Example:
        records = list(read_files([Path("letters/")], InputFormat("text"), settings.plugins()))
    """
    return files.read_files(inputs, input_format.name, input_format.options, input_format.encoding, plugins)
