"""Text files of vectors of GloVe, word2vec and fastText: one word per line, followed by its numbers.

Numbers are parsed by blocks of lines; only if a block is malformed are its lines parsed one by one. A word
may contain blanks, as some of GloVe's do: the last fields of a line are its numbers.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from glossator.errors import DataError
from glossator_vectors.files.formats import parse_header
from glossator_vectors.files.opening import read_block
from glossator_vectors.folder.writer import Fault, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK_BYTES = 4 << 20
MAX_LINE_BYTES = 64 << 20
_LINES_SAMPLED = 100
_MARK = b"\xef\xbb\xbf"
# Separators that numpy accepts beside single blanks.
_STRANGE = (b"\t", b"\r", b"\x0b", b"\x0c", b"  ")


class _Line(NamedTuple):
    """A line that may be valid: its word, its numbers separated by single blanks, and its line number."""

    word: bytes
    numbers: bytes
    position: int


class TextVectors:
    """Reads a text file of vectors.

    Example:
        with open_file(path) as stream:
            for block in TextVectors(stream, str(path), has_header=False):
                ...

    Args:
        stream: The file's bytes.
        name: Name of the file in error messages.
        has_header: Whether the first line is "count width", as in word2vec's and fastText's files.

    Attributes:
        width: Dimensions of a vector.
        declared_count: The count in the header; None without a header.

    Raises:
        DataError: The file cannot be read, or no line determines the width.
    """

    subwords: dict[str, int] | None = None
    buckets: NDArray[np.float32] | None = None

    def __init__(self, stream: BinaryIO, name: str, *, has_header: bool) -> None:
        self.declared_count: int | None = None
        self._name = name
        self._blocks = _blocks(stream, name)
        self._first = 1
        first = next(self._blocks, None)
        if not isinstance(first, list):
            raise DataError(first.reason if first else "holds no line", file=name)
        first[0] = first[0].removeprefix(_MARK)
        self.width = self._read_header(first) if has_header else _common_width(first, name)
        self._blocks = chain([first], self._blocks)

    def __iter__(self) -> Iterator[Rows | Fault]:
        """Yield blocks of words with their vectors, and a fault for each line that is skipped."""
        number = self._first
        for block in self._blocks:
            if isinstance(block, Fault):
                yield Fault(number, block.reason)
                return
            yield from _parsed(block, number, self.width)
            number += len(block)

    def _read_header(self, lines: list[bytes]) -> int:
        header = parse_header(lines[0])
        if header is None:
            raise DataError(
                'is not a header of the form "count width": for a file without one use --format glove',
                file=self._name,
                line=1,
            )
        del lines[0]
        self._first = 2
        self.declared_count = header[0]
        return header[1]


def _blocks(stream: BinaryIO, name: str) -> Iterator[list[bytes] | Fault]:
    """Yield lists of whole lines; if the file is damaged, the last item is a fault."""
    rest = b""
    while True:
        chunk, error = read_block(stream, BLOCK_BYTES)
        whole, newline, after = (rest + chunk).rpartition(b"\n")
        if newline:
            yield whole.split(b"\n")
        rest = after
        if error is not None:
            yield Fault(0, f"from here on the file cannot be decompressed: {error}")
            return
        if not chunk:
            break
        if len(rest) > MAX_LINE_BYTES:
            raise DataError(
                f"has a line of more than {MAX_LINE_BYTES:,} bytes: not a text file of vectors", file=name
            )
    if rest:
        yield [rest]


def _common_width(lines: Sequence[bytes], name: str) -> int:
    """Return the most common count of numbers; lines whose word contains a blank seem to have one more."""
    widths = Counter(len(line.split()) - 1 for line in lines[:_LINES_SAMPLED] if line.strip())
    if not widths or max(widths) < 1:
        raise DataError(
            "holds no vectors: a line must be a word and its numbers, separated by blanks", file=name
        )
    return max(widths, key=lambda width: (widths[width], -width))


def _parsed(lines: Sequence[bytes], first: int, width: int) -> Iterator[Rows | Fault]:
    candidates: list[_Line] = []
    for position, line in enumerate(lines, start=first):
        split = _split(line.rstrip(), position, width)
        if isinstance(split, Fault):
            yield split
        elif split is not None:
            candidates.append(split)

    values = _numbers([line.numbers for line in candidates], width)
    if values is None:
        checked = [_checked(line, width) for line in candidates]
        yield from (line for line in checked if isinstance(line, Fault))
        candidates = [line for line in checked if isinstance(line, _Line)]
        values = _numbers([line.numbers for line in candidates], width)
    if values is None or not candidates:
        return
    yield from _valid(candidates, values)


def _split(line: bytes, position: int, width: int) -> _Line | Fault | None:
    """Split a line into its word and its numbers; None for a blank line."""
    word, _, numbers = line.partition(b" ")
    if word and line.count(b" ") == width:
        return _Line(word, numbers, position)
    if not line:
        return None
    fields = line.rsplit(None, width)
    if len(fields) <= width:
        return Fault(position, f"it has {len(line.split()) - 1} numbers, not {width}")
    # If the last field of a word with blanks is a number, the line more likely has one number too many.
    if b" " in fields[0].strip() and _is_number(fields[0].split()[-1]):
        return Fault(position, f"it has more than {width} numbers")
    return _Line(fields[0].strip(), b" ".join(fields[1:]), position)


def _numbers(parts: Sequence[bytes], width: int) -> NDArray[np.float32] | None:
    """Return (lines, width), or None unless every field is exactly one number."""
    joined = b" ".join(parts)
    if not parts or any(strange in joined for strange in _STRANGE):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about fields that are no number or exceed float32
        try:
            values = np.fromstring(joined, dtype=np.float32, sep=" ")
        except ValueError:
            return None
    # No field is empty, so each yields at least one number: if the total is right, each yields exactly one.
    return values.reshape(len(parts), width) if len(values) == len(parts) * width else None


def _checked(line: _Line, width: int) -> _Line | Fault:
    fields = line.numbers.split()
    if len(fields) != width:
        return Fault(line.position, f"it has {len(fields)} numbers, not {width}")
    wrong = next((field for field in fields if _numbers([field], 1) is None), None)
    if wrong is not None:
        return Fault(line.position, f"{wrong.decode(errors='replace')!r} is not a number")
    return line._replace(numbers=b" ".join(fields))


def _valid(lines: Sequence[_Line], values: NDArray[np.float32]) -> Iterator[Rows | Fault]:
    """Yield the lines with finite numbers and a word in UTF-8; yield the others as faults."""
    words, kept = [], []
    finite: Any = np.isfinite(values).all(axis=1)
    for i, (line, is_finite) in enumerate(zip(lines, finite.tolist(), strict=True)):
        try:
            word = line.word.decode()
        except UnicodeDecodeError:
            yield Fault(line.position, f"its word is not UTF-8: {line.word!r}")
            continue
        if is_finite:
            words.append(word)
            kept.append(i)
        else:
            yield Fault(line.position, f"a number of {word!r} is not finite")
    if words:
        whole = len(kept) == len(lines)
        yield Rows(words, values if whole else values[kept], [lines[i].position for i in kept])


def _is_number(field: bytes) -> bool:
    return _numbers([field], 1) is not None
