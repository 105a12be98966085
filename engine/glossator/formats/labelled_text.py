"""Texts with one label each: before the text, or said by the name of its file or folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from glossator.errors import DataError, UsageError
from glossator.formats.record import Record
from glossator.formats.shared.labels import categories, names
from glossator.formats.text import TextFiles


class LabelledLines:
    """Reads lines of a label, a tab and the text; blank lines are no documents."""

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
        """Yield a record a line."""
        for item in TextFiles("line").read(path, name=name, encoding=encoding):
            yield item if isinstance(item, DataError) else _parted(item)


class ClassFiles:
    """Reads one file a class, a document a line; blank lines are no documents.

    Args:
        classes: The class of each file by its name. Without it the file's name up to its ending is the
            class.
    """

    def __init__(self, classes: Mapping[str, str] | None = None) -> None:
        if not (classes is None or isinstance(classes, Mapping)):
            raise UsageError(f'classes = {classes!r}: give the class of each file, {{"a.txt": "news"}}')
        self.classes = classes

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
        """Yield a record a line."""
        label = path.stem if self.classes is None else self.classes.get(path.name)
        if label is None:
            yield DataError(f"is of no class: give it one in classes = {{{path.name!r}: ...}}", file=name)
            return
        cats = categories([label], [*dict.fromkeys(self.classes.values())] if self.classes else ())
        for item in TextFiles("line").read(path, name=name, encoding=encoding):
            yield item if isinstance(item, DataError) else _labelled(item, cats)


class ClassFolders:
    """Reads one folder a class, a document a text file.

    Args:
        classes: The folders that are classes, as a list or joined by commas; files that lie in others
            are left out. Without it every folder is a class.
    """

    def __init__(self, classes: str | Sequence[str] = ()) -> None:
        self.classes = names(classes)

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
        """Yield the one record of a file."""
        label = path.absolute().parent.name
        if self.classes and label not in self.classes:
            return
        cats = categories([label], self.classes)
        for item in TextFiles("file").read(path, name=name, encoding=encoding):
            yield item if isinstance(item, DataError) else _labelled(item, cats)


def _parted(record: Record) -> Record | DataError:
    label, tab, text = record.text.partition("\t")
    if not tab or not label.strip():
        return DataError("is no label, tab and text", file=record.file, line=record.line)
    record.text = text
    return _labelled(record, categories([label.strip()]))


def _labelled(record: Record, cats: Mapping[str, float]) -> Record:
    record.cats = dict(cats)
    return record
