"""Opening files of vectors, compressed or not."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from glossator.errors import DataError

# The exceptions of reading a compressed file that is damaged or cut off.
DAMAGES = (EOFError, OSError, zlib.error, lzma.LZMAError)


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading; gzip, bzip2 and xz are decompressed.

    Raises:
        DataError: The file cannot be read, is empty, or is a zip archive.
    """
    try:
        with path.open("rb") as file:
            start = file.read(6)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", file=str(path)) from error

    if not start:
        raise DataError("is empty", file=str(path))
    if start.startswith(b"PK\x03\x04"):
        raise DataError("is a zip archive: unpack it and name the file inside", file=str(path))
    if start.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.open(path))
    if start.startswith(b"BZh"):
        return cast(BinaryIO, bz2.open(path))
    if start.startswith(b"\xfd7zXZ\x00"):
        return cast(BinaryIO, lzma.open(path))
    return path.open("rb")


def read_block(file: BinaryIO, size: int) -> tuple[bytes, Exception | None]:
    """Return the next `size` bytes, fewer only at the end, and the error that ended reading, if any.

    `read` would lose the bytes that were decompressed before the error.
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
