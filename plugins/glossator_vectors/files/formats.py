"""The formats of files of vectors, and detecting the format from the content."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast, get_args

from glossator.errors import DataError, UsageError
from glossator_vectors.files.opening import open_file, read_block

Format = Literal["glove", "word2vec", "word2vec-binary", "fasttext", "gensim"]
FORMATS: tuple[Format, ...] = get_args(Format)

FASTTEXT_MAGIC = (793712314).to_bytes(4, "little")
_LINES_SAMPLED = 20
_HEAD_BYTES = 1 << 20


def detect_format(path: Path) -> Format:
    """Detect the format of a file from its content.

    Raises:
        DataError: The file cannot be read.
        UsageError: The content has none of the formats.
    """
    with open_file(path) as file:
        head, error = read_block(file, _HEAD_BYTES)
    if not head and error is not None:
        raise DataError(f"cannot be decompressed: {error}", file=str(path)) from error

    if head.startswith(FASTTEXT_MAGIC):
        return "fasttext"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "gensim"  # a pickle of protocol 2 to 5

    first, *others = head.split(b"\n", _LINES_SAMPLED + 1)[: _LINES_SAMPLED + 1]
    if parse_header(first) is not None:
        width = cast("tuple[int, int]", parse_header(first))[1]
        is_text = not others or any(_holds_numbers(line, width) for line in others)
        return "word2vec" if is_text else "word2vec-binary"
    if any(_holds_numbers(line, 1) for line in (first, *others)):
        return "glove"
    raise UsageError(
        f"{path}: not a file of vectors; if it is one, name its format with --format: {', '.join(FORMATS)}"
    )


def parse_header(line: bytes) -> tuple[int, int] | None:
    """Return the count and the width in a word2vec header, or None if the line is no header."""
    fields = line.removeprefix(b"\xef\xbb\xbf").split()
    if len(fields) != 2 or not all(field.isdigit() and len(field) < 19 for field in fields):
        return None
    count, width = map(int, fields)
    return (count, width) if width else None


def _holds_numbers(line: bytes, width: int) -> bool:
    """Whether a line is a word followed by at least `width` numbers."""
    fields = line.split()[1:]
    if len(fields) < width:
        return False
    try:
        return bool([float(field) for field in fields[-width:]])
    except ValueError:
        return False
