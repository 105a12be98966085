"""word2vec's binary files: a header, then for each word its bytes, a blank, and its numbers as float32."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from glossator.errors import DataError
from glossator_vectors.files.formats import header_of
from glossator_vectors.files.opening import read_block
from glossator_vectors.folder.writer import Fault, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK_BYTES = 4 << 20
LONGEST_WORD = 10_000
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


class BinaryVectors:
    """Reads a binary file of word2vec's.

    A word that holds a blank makes everything behind it unreadable, since nothing else says where a word
    ends. Its own record seems sound; the next one shows it, and neither is kept.

    Args:
        stream: The file's bytes.
        name: What messages call the file.

    Attributes:
        width: Numbers in a vector.
        promised: How many words the header says there are.

    Raises:
        DataError: It has no header.
    """

    subwords: dict[str, int] | None = None
    buckets: NDArray[np.float32] | None = None
    promised: int | None

    def __init__(self, stream: BinaryIO, name: str) -> None:
        header = header_of(stream.readline(100))
        if header is None:
            raise DataError('does not begin with a line that says "count width"', file=name)
        self.promised = self._count = header[0]
        self.width = header[1]
        self._stream = stream

    def __iter__(self) -> Iterator[Rows | Fault]:
        """Yield blocks of words with their vectors, and each word left out; places are their numbers."""
        words: list[str] = []
        vectors: list[bytes] = []
        places: list[int] = []
        for number, (word, vector) in enumerate(self._records(), start=1):
            if _is_senseless(word):
                del words[-1:], vectors[-1:], places[-1:]
                yield from self._rows(words, vectors, places)
                yield Fault(
                    number,
                    "its bytes are no text: the file is damaged, or the word before holds a blank; "
                    "that one and all from here on are left out",
                )
                return
            try:
                words.append(word.decode())
            except UnicodeDecodeError:
                yield Fault(number, f"it is not UTF-8: {word!r}")
                continue
            vectors.append(vector)
            places.append(number)
            if len(words) * self.width * 4 > BLOCK_BYTES:
                # the last one waits until the next shows that it was sound
                yield from self._rows(words[:-1], vectors[:-1], places[:-1])
                del words[:-1], vectors[:-1], places[:-1]
        yield from self._rows(words, vectors, places)

    def _records(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield each word with the bytes of its vector, as far as whole ones go."""
        size = 4 * self.width
        data, start = b"", 0
        for _ in range(self._count):
            blank = data.find(b" ", start)
            while blank < 0 or len(data) < blank + 1 + size:
                if blank < 0 and len(data) - start > LONGEST_WORD:
                    yield b"\x00", b""
                    return
                # the count of the header tells if a damaged file ends too soon
                chunk, _ = read_block(self._stream, BLOCK_BYTES)
                if not chunk:
                    return
                data, start = data[start:] + chunk, 0
                blank = data.find(b" ", start)
            end = blank + 1 + size
            yield data[start:blank].lstrip(b"\n"), data[blank + 1 : end]
            start = end

    def _rows(self, words: list[str], vectors: list[bytes], places: list[int]) -> Iterator[Rows | Fault]:
        values: NDArray[np.float32] = np.frombuffer(b"".join(vectors), dtype="<f4").reshape(-1, self.width)
        finite: Any = np.isfinite(values).all(axis=1)
        for i in np.flatnonzero(~finite).tolist():
            yield Fault(places[i], f"a number of {words[i]!r} is not finite")
        kept = np.flatnonzero(finite).tolist()
        if kept:
            yield Rows([words[i] for i in kept], values[kept], [places[i] for i in kept])


def _is_senseless(word: bytes) -> bool:
    return not word or len(word) > LONGEST_WORD or _CONTROL.search(word) is not None
