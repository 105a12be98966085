"""CSV and TSV: one document per row, its text and its labels in named columns."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from glossator.errors import DataError, UsageError
from glossator.formats.record import Record
from glossator.formats.shared.csv_rows import Row, read_rows
from glossator.formats.shared.labels import categories, names
from glossator.util.messages import listed

DEFAULT_LABEL = "label"


class Table:
    """Reads tables; columns other than the text and the label become fields.

    Example:
        reader = Table(text="comment", label="topics", label_separator=";", labels="news,sport")
        records = reader.read(Path("comments.csv"), name="comments.csv", encoding="utf-8")

    Args:
        text: The column of the text.
        label: The column of the label; by default "label", if there is one. A document
            whose cell is blank has no label.
        header: True if the first row names the columns, else their names, as a list or
            joined by commas. Columns without a name are left out.
        label_separator: The separator of a cell that holds any number of labels; needs `labels`,
            which are 0.0 if the cell does not name them. A blank cell means that no label holds.
        labels: All labels, as a list or joined by commas. A cell may hold a label or its number,
            counted from 0.
        delimiter: The character between two cells.

    Raises:
        UsageError: If the options contradict each other.
    """

    def __init__(
        self,
        text: str = "text",
        label: str | None = None,
        header: bool | str | Sequence[str] = True,
        label_separator: str = "",
        labels: str | Sequence[str] = (),
        delimiter: str = ",",
    ) -> None:
        if header is False:
            raise UsageError("header = false: name the columns instead, e.g. header = text,label")
        self.text = str(text)  # the command line takes the name of a column "2019" for a number
        self.label = None if label is None else str(label)
        self.header = None if header is True else _cells(header)
        self.label_separator = label_separator
        self.labels = names(labels)
        self.delimiter = delimiter
        if label_separator and not self.labels:
            raise UsageError("label_separator needs the list of all labels: labels = news,sport")

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
        """Yield one record per row; one `DataError` if the columns of the options are missing."""
        rows = read_rows(path, name, encoding, self.delimiter)
        header = Row(1, self.header) if self.header else next(rows, None)
        try:
            columns = self._columns(header, name)
        except DataError as error:
            yield error
            return
        for row in rows:
            yield row if isinstance(row, DataError) else self._read(row, columns, name)

    def _columns(self, header: Row | DataError | None, name: str) -> list[str]:
        """Return the names of the columns; raise `DataError` if they do not fit the options."""
        if isinstance(header, DataError):
            raise header
        columns = [cell.strip() for cell in header.cells] if header else []
        repeated = [column for column, times in Counter(columns).items() if times > 1 and column]
        if repeated:
            raise DataError(f"has two columns {repeated[0]!r}: rename one", file=name, line=1)
        for option, column in (("text", self.text), ("label", self.label)):
            if header and column is not None and column not in columns:
                raise DataError(
                    f"has no column {column!r}, only {', '.join(columns)}: set the option {option} "
                    f"(--from-option {option}=NAME), or the option delimiter",
                    file=name,
                    line=header.number,
                )
        return columns

    def _read(self, row: Row, columns: list[str], name: str) -> Record | DataError:
        if len(row.cells) != len(columns):
            advice = f": quote cells that hold {self.delimiter!r}" if len(row.cells) > len(columns) else ""
            return DataError(
                f"has {len(row.cells)} cells, not {len(columns)}{advice}", file=name, line=row.number
            )
        cells = dict(zip(columns, row.cells, strict=True))
        cells.pop("", None)
        text, label = cells.pop(self.text), cells.pop(self.label or DEFAULT_LABEL, None)
        try:
            cats = None if label is None else self._cats(label)
        except ValueError as error:
            return DataError(str(error), file=name, line=row.number)
        return Record(text, cats=cats, fields=cells, file=name, line=row.number)

    def _cats(self, cell: str) -> dict[str, float] | None:
        if self.label_separator:
            parts = [part.strip() for part in cell.split(self.label_separator)]
            return categories([self._label(part) for part in parts if part], self.labels)
        label = cell.strip()
        return categories([self._label(label)], self.labels) if label else None

    def _label(self, value: str) -> str:
        """Return the label with this name or number."""
        # Names first: labels may be numbers themselves, such as star ratings.
        if not self.labels or value in self.labels:
            return value
        if value.isdecimal() and int(value) < len(self.labels):
            return self.labels[int(value)]
        raise ValueError(f"{value!r} is neither a label ({listed(self.labels)}) nor the number of one")


def _cells(header: str | Sequence[str]) -> list[str]:
    return header.split(",") if isinstance(header, str) else list(header)


tab_separated = functools.partial(Table, delimiter="\t")
