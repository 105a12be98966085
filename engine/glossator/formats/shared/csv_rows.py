"""Rows of comma-separated values, one after another, whatever stands in those before (RFC 4180)."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from glossator.errors import DataError, UsageError
from glossator.formats.shared.text_streams import read_lines

# Characters. Python's own limit, 131,072, is less than a book; without one, a quote that nothing
# closes has the rest of the file in memory.
LONGEST_CELL = 10_000_000


class Row(NamedTuple):
    """The cells of a row and the 1-based number of its first line."""

    number: int
    cells: list[str]


def read_rows(path: Path, name: str, encoding: str, delimiter: str) -> Iterator[Row | DataError]:
    """Yield the rows of a file; rows of nothing but blank cells are left out.

    A cell in double quotes may hold delimiters, line ends and quotes, each of these doubled. A row
    that is wrong costs its first line alone, lest a quote that nothing closes swallow what follows.

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
            if lines.taken:  # an open quote has run into it: what came between is rows of its own
                yield _no_row("a quote is not closed", name, lines.first)
                lines.put_back_all_but_first(error)
            else:
                yield error
        else:
            if any(cell.strip() for cell in cells):
                yield Row(lines.first, cells)


def _no_row(reason: str, name: str, line: int) -> DataError:
    return DataError(f"is no row of cells: {reason}; check its quotes", file=name, line=line)


class _Lines:
    """The lines of a file for `csv.reader`, which remembers those it took to put them back."""

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
        """Have the lines taken read again, but for the first; then comes the error that ended them."""
        again: list[tuple[int, str] | DataError] = [*self.taken[1:], *([error] if error else [])]
        self._ahead.extendleft(reversed(again))
