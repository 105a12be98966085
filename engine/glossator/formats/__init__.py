"""File formats: how documents are stored on disk.

A reader yields one `Record` per document, or a `DataError` in its place: one bad line never loses the good
ones. A writer takes each annotated Doc together with the Record it was made from.
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

    A writer that cannot store every layer lists those it can store in an attribute `layers`, where "spans"
    stands for every `spans:KEY`. The user gets a message about the layers that are left out.

    Example:
        class TextWriter:
            layers = ()

            def __init__(self, path: Path, append: bool) -> None:
                self._file = path.open("a" if append else "w", encoding="utf-8")

            def write(self, doc: Doc, record: Record) -> None:
                print(doc.text, file=self._file)

            def flush(self) -> None:
                self._file.flush()

            def close(self) -> None:
                self._file.close()
    """

    def write(self, doc: Doc, record: Record) -> None:
        """Add one document."""

    def flush(self) -> None:
        """Put everything written so far on disk."""

    def close(self) -> None:
        """Finish the output."""


class Reader(Protocol):
    """A format that can be read.

    Example:
        class OneTextPerLine:
            def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
                with path.open(encoding=encoding) as file:
                    for number, line in enumerate(file, start=1):
                        yield Record(line.rstrip(), file=name, line=number)
    """

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
        """Yield the documents of `path` (`Path("-")`: standard input); messages call the file `name`."""


class FileFormat(Reader, Protocol):
    """A format that can be read and written. A format may have either half alone.

    Example:
        class OneTextPerLineBothWays(OneTextPerLine):
            def writer(self, path: Path, *, append: bool = False) -> Writer:
                return TextWriter(path, append)
    """

    def writer(self, path: Path, *, append: bool = False) -> Writer:
        """Open `path` (`Path("-")`: standard output); with `append`, keep its content and write after it."""
