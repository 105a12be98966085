"""Reading documents for a command: errors are printed and counted, and reading continues."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from glossator.errors import DataError

if TYPE_CHECKING:
    from glossator.formats import Record

MAX_ERRORS_PRINTED = 20


class RecordReader:
    """Passes on the documents that could be read; prints and counts the errors.

    Example:
        reader = RecordReader(read_paragraphs(files, InputFormat(), plugins))
        counts = count_words(reader.records(), tokenizer)
        reader.exit_on_errors()

    Args:
        items: Documents, and an error in place of each that could not be read.
    """

    def __init__(self, items: Iterable[Record | DataError]) -> None:
        self._items = items
        self._errors = 0

    def records(self) -> Iterator[Record]:
        """Yield the documents that could be read."""
        for item in self._items:
            if not isinstance(item, DataError):
                yield item
                continue
            self._errors += 1
            if self._errors <= MAX_ERRORS_PRINTED:
                click.echo(f"{click.style('failed:', fg='red')} {item}", err=True)

    def exit_on_errors(self) -> None:
        """End the command with exit code 3 if any document could not be read."""
        if self._errors:
            click.echo(f"{self._errors:,} lines or documents could not be read", err=True)
            raise click.exceptions.Exit(3)
