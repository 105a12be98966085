"""Text files made of blocks of lines with blank lines between: paragraphs, or sentences of token rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from glossator.errors import DataError
from glossator.formats.record import Record
from glossator.formats.shared.text_streams import read_lines

# The field of a record that holds comments other than "key = value".
COMMENTS = "comments"


class Line(NamedTuple):
    """A line of a file and its 1-based number.

    Example:
        Line(12, "Oslo B-LOC")
    """

    number: int
    text: str


def read_blocks(path: Path, name: str, encoding: str) -> Iterator[list[Line] | DataError]:
    """Yield the blocks of a file, without blank lines.

    A line that cannot be read replaces its block with a `DataError`. Arguments as in `read_lines`.

    Example:
        for block in read_blocks(path, path.name, "utf-8"):
            words = [] if isinstance(block, DataError) else [line.text for line in block]
    """
    block: list[Line] = []
    spoilt: DataError | None = None
    for item in read_lines(path, name, encoding):
        if isinstance(item, DataError):
            spoilt = spoilt or item
        elif item[1].strip():
            block.append(Line(*item))
        else:
            yield from _finished(block, spoilt)
            block, spoilt = [], None
    yield from _finished(block, spoilt)


def read_records(
    path: Path, name: str, encoding: str, parse: Callable[[list[Line], str], Record | None]
) -> Iterator[Record | DataError]:
    """Yield the records that `parse` makes of the blocks of a file.

    Example:
        def parse(block: list[Line], name: str) -> Record | None:
            return Record(" ".join(line.text for line in block), file=name, line=block[0].number)

        records = read_records(path, path.name, "utf-8", parse)

    Args:
        path: As in `read_lines`.
        name: As in `read_lines`.
        encoding: As in `read_lines`.
        parse: Takes a block and `name`; returns None if the block is not a document, and raises
            `DataError` if it is invalid.
    """
    for block in read_blocks(path, name, encoding):
        if isinstance(block, DataError):
            yield block
            continue
        try:
            record = parse(block, name)
        except DataError as error:
            yield error
        else:
            if record is not None:
                yield record


def parse_comments(comments: list[str]) -> dict[str, Any]:
    """Return fields from comment lines: "# key = value", or a list under `COMMENTS` for all others."""
    fields: dict[str, Any] = {}
    others: list[str] = []
    for comment in comments:
        content = comment.removeprefix("#").strip()
        key, equals, value = (part.strip() for part in content.partition("="))
        if equals and key and key not in (*fields, COMMENTS):
            fields[key] = value
        else:
            others.append(content)
    return {**fields, COMMENTS: others} if others else fields


def comment_lines(fields: Mapping[str, Any]) -> list[str]:
    """Return the comment lines that `parse_comments` reads as these fields; other values become JSON."""
    lines = []
    for key, value in fields.items():
        if key == COMMENTS and isinstance(value, list):
            lines += [f"# {_on_one_line(comment)}" for comment in value]
        else:
            lines.append(f"# {' '.join(key.split())} = {_on_one_line(value)}")
    return lines


def _on_one_line(value: Any) -> str:
    if isinstance(value, str) and "\n" not in value and "\r" not in value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _finished(block: list[Line], spoilt: DataError | None) -> Iterator[list[Line] | DataError]:
    if spoilt is not None:
        yield spoilt
    elif block:
        yield block
