"""Reading texts for a command: what cannot be read is reported and counted, and the rest goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from glossator.errors import DataError

if TYPE_CHECKING:
    from glossator.formats.record import Record

MOST_SHOWN = 20


class Reading:
    """Documents as they are read; what cannot be is reported and counted."""

    def __init__(self, items: Iterable[Record | DataError]) -> None:
        self._items = items
        self._failed = 0

    def good(self) -> Iterator[Record]:
        """Yield the documents that could be read."""
        for item in self._items:
            if not isinstance(item, DataError):
                yield item
                continue
            self._failed += 1
            if self._failed <= MOST_SHOWN:
                click.echo(f"{click.style('failed:', fg='red')} {item}", err=True)

    def end(self) -> None:
        """End the command with 3 if anything failed."""
        if self._failed:
            click.echo(f"{self._failed:,} lines or documents could not be read", err=True)
            raise click.exceptions.Exit(3)
