"""Opening text files: encodings, bytes that are invalid in them, and the standard streams.

`Path("-")` is standard input or output. Input may have a byte order mark and any of the three
line ends; output is UTF-8 with "\\n".
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from glossator.errors import DataError, UsageError

STANDARD_STREAM = Path("-")

# The error handler "surrogateescape" decodes an invalid byte 0x80 to 0xff as one of these.
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")


def read_lines(path: Path, name: str, encoding: str) -> Iterator[tuple[int, str] | DataError]:
    """Yield the lines of a text file with their numbers, without their line ends.

    Lines end at "\\n", "\\r\\n" or "\\r" only. A line with a byte that is invalid in the encoding is
    replaced by a `DataError`, and so is a file that cannot be read.

    Example:
        for item in read_lines(Path("notes.txt"), "notes.txt", "utf-8"):
            print(item)  # (1, "The first line"), or a DataError

    Args:
        path: The file, or `Path("-")` for standard input.
        name: What messages call the file.
        encoding: Its encoding; UTF-8 is read with or without a byte order mark.

    Raises:
        UsageError: If there is no such encoding.
    """
    number = 0
    try:
        with _open_input(path, encoding) as file:
            for number, line in enumerate(file, start=1):
                bad = _ESCAPED_BYTE.search(line)
                yield _bad_byte(bad[0], encoding, name, number) if bad else (number, line.removesuffix("\n"))
    except OSError as error:
        yield _unreadable(error, name)
    except UnicodeError as error:
        yield DataError(f"is not {encoding} from here on: {error}", file=name, line=number + 1)


def read_text(path: Path, name: str, encoding: str) -> str:
    """Return a whole text file, with "\\n" as line end; arguments as in `read_lines`.

    Example:
        text = read_text(Path("-"), "standard input", "utf-8")

    Raises:
        DataError: If the file cannot be read or decoded.
        UsageError: If there is no such encoding.
    """
    try:
        with _open_input(path, encoding) as file:
            text = file.read()
    except OSError as error:
        raise _unreadable(error, name) from error
    except UnicodeError as error:
        raise DataError(f"is not {encoding}: {error}", file=name) from error
    bad = _ESCAPED_BYTE.search(text)
    if bad:
        raise _bad_byte(bad[0], encoding, name, text.count("\n", 0, bad.start()) + 1)
    return text


def open_output(path: Path, append: bool, *, ending: str = "\n") -> TextIO:
    """Open a text file to write to; closing standard output (`Path("-")`) only flushes it.

    Lone surrogates, which JSON can express and UTF-8 cannot, are written as JSON escapes.

    Example:
        with open_output(Path("out.jsonl"), append=True) as file:
            print('{"text": "one more"}', file=file)

    Args:
        path: The file, or `Path("-")` for standard output.
        append: Whether to keep the content of the file and write after it.
        ending: The line ends that existing content must end in; missing ones are added first, so that an
            incomplete last line is not joined with the next one.

    Raises:
        DataError: If the file cannot be written.
    """
    if path == STANDARD_STREAM:
        sys.stdout.flush()
        return _StandardOutput(
            sys.stdout.buffer, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True
        )
    try:
        missing = _missing_ending(path, ending) if append and path.exists() else ""
        file = path.open("a" if append else "w", encoding="utf-8", errors="backslashreplace", newline="\n")
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror or error}", file=str(path)) from error
    file.write(missing)
    return file


class _StandardOutput(io.TextIOWrapper):
    """Text on standard output, which stays open for other code."""

    def close(self) -> None:
        self.flush()


@contextlib.contextmanager
def _open_input(path: Path, encoding: str) -> Iterator[TextIO]:
    encoding = _with_optional_mark(encoding)
    if path != STANDARD_STREAM:
        with path.open(encoding=encoding, errors="surrogateescape") as file:
            yield file
        return
    standard = io.TextIOWrapper(sys.stdin.buffer, encoding=encoding, errors="surrogateescape")
    try:
        yield standard
    finally:
        standard.detach()


def _with_optional_mark(encoding: str) -> str:
    try:
        "".encode(encoding)  # unlike codecs.lookup, refuses codecs that are not of text
        codec = codecs.lookup(encoding).name
    except (LookupError, ValueError) as error:
        raise UsageError(
            f"there is no encoding {encoding!r}: name one that Python knows, for instance utf-8 or cp1252"
        ) from error
    return "utf-8-sig" if codec == "utf-8" else encoding


def _missing_ending(path: Path, ending: str) -> str:
    """Return the part of `ending`, a run of line ends, that a file lacks; an empty file lacks none."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(ending)))
        tail = file.read()
    present = len(tail) - len(tail.rstrip(b"\n"))
    return ending[present:] if size else ""


def _bad_byte(escaped: str, encoding: str, name: str, line: int) -> DataError:
    byte = ord(escaped) - 0xDC00
    advice = "it is in another encoding, or not text"
    if encoding.lower() in ("utf-8", "utf-8-sig"):
        advice = "name the encoding with --encoding, for instance cp1252 or utf-16, if it is text"
    return DataError(f"the byte 0x{byte:02x} is not {encoding}: {advice}", file=name, line=line)


def _unreadable(error: OSError, name: str) -> DataError:
    return DataError(f"cannot be read: {error.strerror or error}", file=name)
