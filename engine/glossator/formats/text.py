"""Plain text: one document per file, line or paragraph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from glossator.errors import DataError, UsageError
from glossator.formats.record import Record
from glossator.formats.shared.blocks import read_blocks
from glossator.formats.shared.text_streams import read_lines, read_text

Unit = Literal["file", "line", "paragraph"]


class TextFiles:
    """Reads plain text.

    Example:
        records = TextFiles(unit="paragraph").read(Path("book.txt"), name="book.txt", encoding="utf-8")

    Args:
        unit: A document is the whole "file", each "line", or each "paragraph", which ends
            at a blank line. Blank lines are skipped.

    Raises:
        UsageError: If `unit` is anything else.
    """

    def __init__(self, unit: Unit = "file") -> None:
        if unit not in get_args(Unit):
            raise UsageError(f"unit = {unit!r}: use 'file', 'line' or 'paragraph'")
        self.unit = unit

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
        """Yield the documents of one file."""
        if self.unit == "file":
            return _whole_file(path, name, encoding)
        if self.unit == "line":
            return _lines(path, name, encoding)
        return _paragraphs(path, name, encoding)


def _whole_file(path: Path, name: str, encoding: str) -> Iterator[Record | DataError]:
    try:
        yield Record(read_text(path, name, encoding), file=name, line=1)
    except DataError as error:
        yield error


def _lines(path: Path, name: str, encoding: str) -> Iterator[Record | DataError]:
    for item in read_lines(path, name, encoding):
        if isinstance(item, DataError):
            yield item
        elif item[1].strip():
            yield Record(item[1], file=name, line=item[0])


def _paragraphs(path: Path, name: str, encoding: str) -> Iterator[Record | DataError]:
    for block in read_blocks(path, name, encoding):
        if isinstance(block, DataError):
            yield block
        else:
            yield Record("\n".join(line.text for line in block), file=name, line=block[0].number)
