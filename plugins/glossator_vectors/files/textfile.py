"""Text files of vectors, GloVe's, word2vec's and fastText's: a line a word, its numbers behind it.

Blocks of lines become numbers at once; only the lines of a block that does not fit are looked at one
by one. A word may hold blanks, as some of GloVe's do: the last fields of a line are its numbers.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from glossator.errors import DataError
from glossator_vectors.files.formats import header_of
from glossator_vectors.files.opening import read_block
from glossator_vectors.folder.writer import Fault, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK_BYTES = 4 << 20
LONGEST_LINE = 64 << 20
_LINES_SAMPLED = 100
_MARK = b"\xef\xbb\xbf"
# What numpy takes for a blank between numbers, too; and empty fields.
_STRANGE = (b"\t", b"\r", b"\x0b", b"\x0c", b"  ")


class _Line(NamedTuple):
    """A line that may be sound: its word, its numbers with single blanks between, where it stands."""

    word: bytes
    numbers: bytes
    place: int


class TextVectors:
    """Reads a text file of vectors.

    Args:
        stream: The file's bytes.
        name: What messages call the file.
        has_header: Whether its first line says "count width", as word2vec's and fastText's do.

    Attributes:
        width: Numbers in a vector.
        promised: The count that the header says; None where there is none.

    Raises:
        DataError: It cannot be read, or no line says how wide vectors are.
    """

    subwords: dict[str, int] | None = None
    buckets: NDArray[np.float32] | None = None

    def __init__(self, stream: BinaryIO, name: str, *, has_header: bool) -> None:
        self.promised: int | None = None
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
        """Yield blocks of words with their vectors, and each line that is left out."""
        number = self._first
        for block in self._blocks:
            if isinstance(block, Fault):
                yield Fault(number, block.reason)
                return
            yield from _parsed(block, number, self.width)
            number += len(block)

    def _read_header(self, lines: list[bytes]) -> int:
        header = header_of(lines[0])
        if header is None:
            raise DataError(
                'is no header, which says "count width": a file without one has --format glove',
                file=self._name,
                line=1,
            )
        del lines[0]
        self._first = 2
        self.promised = header[0]
        return header[1]


def _blocks(stream: BinaryIO, name: str) -> Iterator[list[bytes] | Fault]:
    """Yield lists of whole lines; the end of a file that is damaged comes as a fault."""
    rest = b""
    while True:
        chunk, error = read_block(stream, BLOCK_BYTES)
        whole, newline, after = (rest + chunk).rpartition(b"\n")
        if newline:
            yield whole.split(b"\n")
        rest = after
        if error is not None:
            yield Fault(0, f"from here on the file cannot be unpacked: {error}")
            return
        if not chunk:
            break
        if len(rest) > LONGEST_LINE:
            raise DataError(f"has a line of more than {LONGEST_LINE:,} bytes: no text of vectors", file=name)
    if rest:
        yield [rest]


def _common_width(lines: Sequence[bytes], name: str) -> int:
    """Return how many numbers most lines have; those whose word holds a blank seem to have more."""
    widths = Counter(len(line.split()) - 1 for line in lines[:_LINES_SAMPLED] if line.strip())
    if not widths or max(widths) < 1:
        raise DataError("holds no vectors: a line is a word and its numbers, blanks between", file=name)
    return max(widths, key=lambda width: (widths[width], -width))


def _parsed(lines: Sequence[bytes], first: int, width: int) -> Iterator[Rows | Fault]:
    candidates: list[_Line] = []
    for place, line in enumerate(lines, start=first):
        split = _split(line.rstrip(), place, width)
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
    yield from _sound(candidates, values)


def _split(line: bytes, place: int, width: int) -> _Line | Fault | None:
    """Part a line's word from its numbers; None for a blank line."""
    word, _, numbers = line.partition(b" ")
    if word and line.count(b" ") == width:
        return _Line(word, numbers, place)
    if not line:
        return None
    fields = line.rsplit(None, width)
    if len(fields) <= width:
        return Fault(place, f"it has {len(line.split()) - 1} numbers, not {width}")
    # A word of several fields ends in no number, or the line has a number too many.
    if b" " in fields[0].strip() and _is_number(fields[0].split()[-1]):
        return Fault(place, f"it has more than {width} numbers")
    return _Line(fields[0].strip(), b" ".join(fields[1:]), place)


def _numbers(parts: Sequence[bytes], width: int) -> NDArray[np.float32] | None:
    """Return (lines, width), or None unless every field is exactly one number."""
    joined = b" ".join(parts)
    if not parts or any(strange in joined for strange in _STRANGE):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is no number, or none that float32 can hold
        try:
            values = np.fromstring(joined, dtype=np.float32, sep=" ")
        except ValueError:
            return None
    # No field is empty, so each gave at least one number: if the sum fits, each gave one.
    return values.reshape(len(parts), width) if len(values) == len(parts) * width else None


def _checked(line: _Line, width: int) -> _Line | Fault:
    fields = line.numbers.split()
    if len(fields) != width:
        return Fault(line.place, f"it has {len(fields)} numbers, not {width}")
    wrong = next((field for field in fields if _numbers([field], 1) is None), None)
    if wrong is not None:
        return Fault(line.place, f"{wrong.decode(errors='replace')!r} is no number")
    return line._replace(numbers=b" ".join(fields))


def _sound(lines: Sequence[_Line], values: NDArray[np.float32]) -> Iterator[Rows | Fault]:
    """Yield what is finite and has a word of UTF-8; the others as faults."""
    words, kept = [], []
    finite: Any = np.isfinite(values).all(axis=1)
    for i, (line, is_finite) in enumerate(zip(lines, finite.tolist(), strict=True)):
        try:
            word = line.word.decode()
        except UnicodeDecodeError:
            yield Fault(line.place, f"its word is not UTF-8: {line.word!r}")
            continue
        if is_finite:
            words.append(word)
            kept.append(i)
        else:
            yield Fault(line.place, f"a number of {word!r} is not finite")
    if words:
        whole = len(kept) == len(lines)
        yield Rows(words, values if whole else values[kept], [lines[i].place for i in kept])


def _is_number(field: bytes) -> bool:
    return _numbers([field], 1) is not None
