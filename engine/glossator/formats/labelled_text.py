"""Texts with one label each: before the text, or the name of its file or folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from glossator.errors import DataError, UsageError
from glossator.formats.record import Record
from glossator.formats.shared.labels import categories, names
from glossator.formats.text import TextFiles


class LabelledLines:
    """Reads lines of a label, a tab and the text; blank lines are skipped.

    Example:
        records = LabelledLines().read(Path("spam.txt"), name="spam.txt", encoding="utf-8")
    """

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
        """Yield one record per line."""
        for item in TextFiles("line").read(path, name=name, encoding=encoding):
            yield item if isinstance(item, DataError) else _parted(item)


class ClassFiles:
    """Reads one file per class with one document per line; blank lines are skipped.

    Example:
        reader = ClassFiles(classes={"rt-polarity.pos": "positive", "rt-polarity.neg": "negative"})

    Args:
        classes: The class of each file, by file name. By default the file's name without its ending is
            the class.
    """

    def __init__(self, classes: Mapping[str, str] | None = None) -> None:
        if not (classes is None or isinstance(classes, Mapping)):
            raise UsageError(f'classes = {classes!r}: name the class of each file, {{"a.txt": "news"}}')
        self.classes = classes

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
        """Yield one record per line."""
        label = path.stem if self.classes is None else self.classes.get(path.name)
        if label is None:
            yield DataError(f"has no class: name it in classes = {{{path.name!r}: ...}}", file=name)
            return
        cats = categories([label], [*dict.fromkeys(self.classes.values())] if self.classes else ())
        for item in TextFiles("line").read(path, name=name, encoding=encoding):
            yield item if isinstance(item, DataError) else _labelled(item, cats)


class ClassFolders:
    """Reads one folder per class with one document per text file.

    Example:
        reader = ClassFolders(classes="pos,neg")  # aclImdb/train/pos/0_9.txt is positive

    Args:
        classes: The folders that are classes, as a list or joined by commas; files in other folders
            are left out. By default every folder is a class.
    """

    def __init__(self, classes: str | Sequence[str] = ()) -> None:
        self.classes = names(classes)

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
        """Yield the one record of a file."""
        label = path.absolute().parent.name  # a relative path may have no parent to name
        if self.classes and label not in self.classes:
            return
        cats = categories([label], self.classes)
        for item in TextFiles("file").read(path, name=name, encoding=encoding):
            yield item if isinstance(item, DataError) else _labelled(item, cats)


def _parted(record: Record) -> Record | DataError:
    label, tab, text = record.text.partition("\t")
    if not tab or not label.strip():
        return DataError("is not a label, a tab and a text", file=record.file, line=record.line)
    record.text = text
    return _labelled(record, categories([label.strip()]))


def _labelled(record: Record, cats: Mapping[str, float]) -> Record:
    record.cats = dict(cats)
    return record
