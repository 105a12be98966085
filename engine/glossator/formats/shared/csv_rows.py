"""Rows of comma-separated values; an invalid row does not affect those after it (RFC 4180)."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from glossator.errors import DataError, UsageError
from glossator.formats.shared.text_streams import read_lines

# Characters. Python's own limit, 131,072, is less than a book; without a limit, a quote that is never
# closed would read the rest of the file into memory.
LONGEST_CELL = 10_000_000


class Row(NamedTuple):
    """The cells of a row and the 1-based number of its first line.

    Example:
        Row(2, ["A great film.", "positive"])
    """

    number: int
    cells: list[str]


def read_rows(path: Path, name: str, encoding: str, delimiter: str) -> Iterator[Row | DataError]:
    """Yield the rows of a file; rows of blank cells are left out.

    A cell in double quotes may hold delimiters, line ends and doubled quotes. Of an invalid row only the
    first line is lost, so that a quote that is never closed does not swallow the rows after it.

    Example:
        rows = read_rows(Path("films.csv"), "films.csv", "utf-8", delimiter=",")

    Args:
        path: As in `read_lines`.
        name: As in `read_lines`.
        encoding: As in `read_lines`.
        delimiter: The character between two cells.

    Raises:
        UsageError: If the delimiter is not one character or there is no such encoding.
    """
    lines = _Lines(read_lines(path, name, encoding))
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))
    try:
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
    except (TypeError, ValueError) as error:
        raise UsageError(f"delimiter = {delimiter!r}: {error}") from error

    while True:
        lines.taken.clear()
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield _no_row(str(error), name, lines.first)
            lines.put_back_all_but_first()
        except DataError as error:
            if lines.taken:  # an open quote ran into the unreadable line: the lines between are rows
                yield _no_row("a quote is not closed", name, lines.first)
                lines.put_back_all_but_first(error)
            else:
                yield error
        else:
            if any(cell.strip() for cell in cells):
                yield Row(lines.first, cells)


def _no_row(reason: str, name: str, line: int) -> DataError:
    return DataError(f"is not a valid row: {reason}; check its quotes", file=name, line=line)


class _Lines:
    """The lines of a file for `csv.reader`; those it has taken can be put back."""

    def __init__(self, items: Iterator[tuple[int, str] | DataError]) -> None:
        self.taken: list[tuple[int, str]] = []
        self._items = items
        self._ahead: deque[tuple[int, str] | DataError] = deque()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        item = self._ahead.popleft() if self._ahead else next(self._items)
        if isinstance(item, DataError):
            raise item
        self.taken.append(item)
        return item[1] + "\n"

    @property
    def first(self) -> int:
        """The number of the first line taken."""
        return self.taken[0][0]

    def put_back_all_but_first(self, error: DataError | None = None) -> None:
        """Put back all taken lines except the first, followed by the error that ended them."""
        again: list[tuple[int, str] | DataError] = [*self.taken[1:], *([error] if error else [])]
        self._ahead.extendleft(reversed(again))
