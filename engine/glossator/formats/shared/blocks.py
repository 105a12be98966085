"""Text files made of blocks of lines with blank lines between: paragraphs, or sentences of token rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from glossator.errors import DataError
from glossator.formats.record import Record
from glossator.formats.shared.text_streams import read_lines

# Where comments that are not "key = value" are kept among a record's fields.
COMMENTS = "comments"


class Line(NamedTuple):
    """A line of a file and its 1-based number."""

    number: int
    text: str


def read_blocks(path: Path, name: str, encoding: str) -> Iterator[list[Line] | DataError]:
    """Yield the blocks of a file, blank lines left out.

    A line that cannot be read spoils its block, which the `DataError` replaces. Arguments as in
    `read_lines`.
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
    """Yield what `parse` makes of each block of a file; None means that the block is no document.

    Args:
        path: As in `read_lines`.
        name: As in `read_lines`.
        encoding: As in `read_lines`.
        parse: Gets a block and `name`; raises `DataError` for a block that is wrong.
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
    """Return the comment lines that `parse_comments` reads as these fields; what is no text becomes JSON."""
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
