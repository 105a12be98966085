"""File formats: what a document looks like on disk.

A reader yields a `Record` a document, or the `DataError` that took its place: one bad line never
loses the good ones. A writer takes each annotated Doc with the Record it came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from glossator.errors import DataError
from glossator.formats.record import CharSpan, GoldTokens, Record

if TYPE_CHECKING:
    from spacy.tokens import Doc

__all__ = ["CharSpan", "FileFormat", "GoldTokens", "Reader", "Record", "Writer"]


class Writer(Protocol):
    """Writes Docs one after another; used once, closed once.

    One that cannot hold every layer has an attribute `layers` with those it can, all `spans:KEY` as
    "spans": what the others hold is left out, and the user is told.
    """

    def write(self, doc: Doc, record: Record) -> None:
        """Add one document."""

    def flush(self) -> None:
        """Put everything written so far on disk."""

    def close(self) -> None:
        """Finish the output."""


class Reader(Protocol):
    """A format that can be read."""

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
        """Yield the documents of `path` (`Path("-")`: standard input); messages call the file `name`."""


class FileFormat(Reader, Protocol):
    """A format that can be read and written. A format may have either half alone."""

    def writer(self, path: Path, *, append: bool = False) -> Writer:
        """Open `path` (`Path("-")`: standard output); with `append`, go on after what is there."""
