"""Reading texts in pieces that are small enough to be tokenized at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from glossator.commands import InputFormat, display_name, input_files, read_file
from glossator.errors import DataError, UsageError
from glossator.formats import Record
from glossator.formats.shared.text_streams import STANDARD_STREAM, read_lines

if TYPE_CHECKING:
    from glossator.plugins.manager import PluginManager

# Longer paragraphs are cut at the end of a line.
MAX_PARAGRAPH_LENGTH = 100_000


def read_paragraphs(
    inputs: Sequence[Path], input_format: InputFormat, plugins: PluginManager
) -> Iterator[Record | DataError]:
    """Yield the paragraphs of plain text and the documents of other formats; yield errors in their place.

    Memory stays bounded, however large a plain text file is.

    Args:
        inputs: Files, folders, "-" for standard input.
        input_format: How the files are read.
        plugins: The plugins that provide formats.
    """
    for file in input_files(inputs, input_format, plugins):
        if not input_format.name and _is_plain(file, plugins):
            yield from _paragraphs(file, display_name(file), input_format.encoding)
        else:
            yield from read_file(file, input_format, plugins)


def _is_plain(file: Path, plugins: PluginManager) -> bool:
    with suppress(UsageError):
        return file == STANDARD_STREAM or plugins.format_for(file).name == "text"
    return False


def _paragraphs(file: Path, name: str, encoding: str) -> Iterator[Record | DataError]:
    lines: list[str] = []
    first = length = 0
    for item in read_lines(file, name, encoding):
        if isinstance(item, DataError):
            yield item
            continue

        number, line = item
        if lines and (not line.strip() or length > MAX_PARAGRAPH_LENGTH):
            yield Record("\n".join(lines), file=name, line=first)
            lines, length = [], 0
        if line.strip():
            first = first if lines else number
            lines.append(line)
            length += len(line)
    if lines:
        yield Record("\n".join(lines), file=name, line=first)
