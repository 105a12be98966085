"""CLINC150: one JSON object of lists of [text, intent] (Larson et al. 2019)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from glossator.errors import DataError
from glossator.formats.record import Record
from glossator.formats.shared.labels import categories, names
from glossator.formats.shared.text_streams import read_text


class Clinc:
    """Reads the lists of a CLINC file; a record's field "list" holds the name of its list.

    Example:
        reader = Clinc(lists="train,oos_train")
        records = reader.read(Path("data_full.json"), name="data_full.json", encoding="utf-8")

    Args:
        lists: The lists to read, in this order, as a list or joined by commas, e.g. train,oos_train;
            without it all are read.
    """

    def __init__(self, lists: str | Sequence[str] = ()) -> None:
        self.lists = names(lists)

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
        """Yield one record per item."""
        try:
            lists = _lists(read_text(path, name, encoding), name)
        except DataError as error:
            yield error
            return
        for wanted in self.lists or lists:
            yield from _items(lists, wanted, name)


def _lists(text: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"is not JSON: {error.msg}", file=name, line=error.lineno) from error
    except ValueError as error:  # Python refuses integers of thousands of digits
        raise DataError(f"is not JSON that can be read: {error}", file=name) from error
    except RecursionError as error:
        raise DataError("is nested too deeply", file=name) from error
    if not isinstance(value, dict):
        raise DataError("is not a JSON object of lists", file=name)
    return value


def _items(lists: dict[str, Any], wanted: str, name: str) -> Iterator[Record | DataError]:
    items = lists.get(wanted)
    if not isinstance(items, list):
        yield DataError(f"has no list {wanted!r}; it has: {', '.join(lists) or 'none'}", file=name)
        return
    for number, item in enumerate(items, start=1):
        match item:
            case [str(text), str(intent)] if intent:
                yield Record(text, cats=categories([intent]), fields={"list": wanted}, file=name)
            case _:
                yield DataError(f"item {number} of the list {wanted!r} is not [text, intent]", file=name)
