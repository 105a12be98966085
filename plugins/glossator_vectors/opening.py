"""Files of vectors: opened, compressed or not, and told apart by their content."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from pathlib import Path
from typing import BinaryIO, Literal, cast, get_args

from glossator.errors import DataError, UsageError

Format = Literal["glove", "word2vec", "word2vec-binary", "fasttext", "gensim"]
FORMATS: tuple[Format, ...] = get_args(Format)

# What reading a compressed file raises where it is damaged or cut off.
DAMAGES = (EOFError, OSError, zlib.error, lzma.LZMAError)

FASTTEXT_MAGIC = (793712314).to_bytes(4, "little")
_LINES_TRIED = 20
_HEAD_BYTES = 1 << 20


def open_file(path: Path) -> BinaryIO:
    """Open a file, gzip, bzip2 and xz unpacked.

    Raises:
        DataError: It cannot be read, or is packed in another way.
    """
    try:
        with path.open("rb") as file:
            start = file.read(6)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", file=str(path)) from error
    if not start:
        raise DataError("is empty", file=str(path))
    if start.startswith(b"PK\x03\x04"):
        raise DataError("is a zip archive: unpack it, and name the file inside", file=str(path))
    if start.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.open(path))
    if start.startswith(b"BZh"):
        return cast(BinaryIO, bz2.open(path))
    if start.startswith(b"\xfd7zXZ\x00"):
        return cast(BinaryIO, lzma.open(path))
    return path.open("rb")


def read_block(file: BinaryIO, size: int) -> tuple[bytes, Exception | None]:
    """Return about the next `size` bytes, less only at the end, and the error that ended the file, if any.

    `read` would lose what was unpacked before the error.
    """
    pieces: list[bytes] = []
    missing = size
    while missing > 0:
        try:
            piece = cast(io.BufferedReader, file).read1(missing)
        except DAMAGES as error:
            return b"".join(pieces), error
        if not piece:
            break
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces), None


def is_packed(path: Path) -> bool:
    """Whether a file is compressed."""
    with open_file(path) as file:
        return not isinstance(file, io.BufferedReader)


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
