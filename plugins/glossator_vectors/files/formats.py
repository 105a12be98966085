"""The formats of files of vectors, told apart by their content."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast, get_args

from glossator.errors import DataError, UsageError
from glossator_vectors.files.opening import open_file, read_block

Format = Literal["glove", "word2vec", "word2vec-binary", "fasttext", "gensim"]
FORMATS: tuple[Format, ...] = get_args(Format)

FASTTEXT_MAGIC = (793712314).to_bytes(4, "little")
_LINES_TRIED = 20
_HEAD_BYTES = 1 << 20


def format_of(path: Path) -> Format:
    """Return the format of a file by what it holds.

    Raises:
        DataError: It cannot be read.
        UsageError: Its content is of none of the formats.
    """
    with open_file(path) as file:
        head, error = read_block(file, _HEAD_BYTES)
    if not head and error is not None:
        raise DataError(f"cannot be unpacked: {error}", file=str(path)) from error
    if head.startswith(FASTTEXT_MAGIC):
        return "fasttext"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "gensim"
    first, *others = head.split(b"\n", _LINES_TRIED + 1)[: _LINES_TRIED + 1]
    if header_of(first) is not None:
        width = cast("tuple[int, int]", header_of(first))[1]
        is_text = not others or any(_holds_numbers(line, width) for line in others)
        return "word2vec" if is_text else "word2vec-binary"
    if any(_holds_numbers(line, 1) for line in (first, *others)):
        return "glove"
    raise UsageError(f"{path}: not a file of vectors, or --format has to say which: {', '.join(FORMATS)}")


def header_of(line: bytes) -> tuple[int, int] | None:
    """Return the count and the width that a header of word2vec's says, or None for another line."""
    fields = line.removeprefix(b"\xef\xbb\xbf").split()
    if len(fields) != 2 or not all(field.isdigit() and len(field) < 19 for field in fields):
        return None
    count, width = map(int, fields)
    return (count, width) if width else None


def _holds_numbers(line: bytes, width: int) -> bool:
    """Whether a line is a word and at least so many numbers."""
    fields = line.split()[1:]
    if len(fields) < width:
        return False
    try:
        return bool([float(field) for field in fields[-width:]])
    except ValueError:
        return False
