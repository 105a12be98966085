"""Binary files of word2vec: a header, then for each word its bytes, a blank, and its numbers as float32."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from glossator.errors import DataError
from glossator_vectors.files.formats import parse_header
from glossator_vectors.files.opening import read_block
from glossator_vectors.folder.writer import Fault, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK_BYTES = 4 << 20
MAX_WORD_BYTES = 10_000
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


class BinaryVectors:
    """Reads a binary file of word2vec.

    If a word contains a blank, the rest of the file is unreadable, since a blank marks the end of a word.
    The record itself looks valid; only the next one reveals it, and both are skipped.

    Example:
        with open_file(path) as stream:
            for block in BinaryVectors(stream, str(path)):
                ...

    Args:
        stream: The file's bytes.
        name: Name of the file in error messages.

    Attributes:
        width: Dimensions of a vector.
        declared_count: Number of words according to the header.

    Raises:
        DataError: The file has no header.
    """

    subwords: dict[str, int] | None = None
    buckets: NDArray[np.float32] | None = None
    declared_count: int | None

    def __init__(self, stream: BinaryIO, name: str) -> None:
        header = parse_header(stream.readline(100))
        if header is None:
            raise DataError('does not begin with a header of the form "count width"', file=name)
        self.declared_count = self._count = header[0]
        self.width = header[1]
        self._stream = stream

    def __iter__(self) -> Iterator[Rows | Fault]:
        """Yield blocks of words with their vectors, and a fault for each skipped word, numbered from 1."""
        words: list[str] = []
        vectors: list[bytes] = []
        positions: list[int] = []
        for number, (word, vector) in enumerate(self._records(), start=1):
            if _is_garbage(word):
                del words[-1:], vectors[-1:], positions[-1:]
                yield from self._rows(words, vectors, positions)
                yield Fault(
                    number,
                    "its bytes are not text: the file is damaged, or the previous word contains a blank; "
                    "the previous word and all that follow are skipped",
                )
                return

            try:
                words.append(word.decode())
            except UnicodeDecodeError:
                yield Fault(number, f"it is not UTF-8: {word!r}")
                continue
            vectors.append(vector)
            positions.append(number)

            if len(words) * self.width * 4 > BLOCK_BYTES:
                # keep the last word until the next record shows that it is valid
                yield from self._rows(words[:-1], vectors[:-1], positions[:-1])
                del words[:-1], vectors[:-1], positions[:-1]
        yield from self._rows(words, vectors, positions)

    def _records(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield each word with the bytes of its vector, up to the last complete record."""
        size = 4 * self.width
        data, start = b"", 0
        for _ in range(self._count):
            blank = data.find(b" ", start)
            while blank < 0 or len(data) < blank + 1 + size:
                if blank < 0 and len(data) - start > MAX_WORD_BYTES:
                    yield b"\x00", b""
                    return
                # no error: a damaged file that ends early has fewer words than its header declares
                chunk, _ = read_block(self._stream, BLOCK_BYTES)
                if not chunk:
                    return
                data, start = data[start:] + chunk, 0
                blank = data.find(b" ", start)
            end = blank + 1 + size
            yield data[start:blank].lstrip(b"\n"), data[blank + 1 : end]
            start = end

    def _rows(self, words: list[str], vectors: list[bytes], positions: list[int]) -> Iterator[Rows | Fault]:
        values: NDArray[np.float32] = np.frombuffer(b"".join(vectors), dtype="<f4").reshape(-1, self.width)
        finite: Any = np.isfinite(values).all(axis=1)
        for i in np.flatnonzero(~finite).tolist():
            yield Fault(positions[i], f"a number of {words[i]!r} is not finite")
        kept = np.flatnonzero(finite).tolist()
        if kept:
            yield Rows([words[i] for i in kept], values[kept], [positions[i] for i in kept])


def _is_garbage(word: bytes) -> bool:
    return not word or len(word) > MAX_WORD_BYTES or _CONTROL.search(word) is not None
