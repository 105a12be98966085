"""Writing a folder of vectors: rows go to disk as they arrive, only the words stay in memory."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.lib import format as npy
from spacy.strings import get_string_id

from glossator_vectors.folder.metadata import BUCKETS, KEYS, METADATA, ROWS, TABLE, WORDS, VectorsMetadata

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Rows(NamedTuple):
    """A block of words with their vectors.

    Example:
        Rows(["sea", "ship"], np.zeros((2, 128), dtype=np.float32), positions=[1, 2])

    Attributes:
        words: The words.
        values: (words, width) float32.
        positions: Line number of each word, or its index from 1 in a file without lines.
    """

    words: Sequence[str]
    values: NDArray[np.float32]
    positions: Sequence[int]


class Fault(NamedTuple):
    """A word that is skipped.

    Example:
        Fault(position=4, reason="it has 3 numbers, not 128")

    Attributes:
        position: Its line number or index from 1; 0 if the fault concerns no single position.
        reason: Why it is skipped.
    """

    position: int
    reason: str


class VectorWriter:
    """Writes the files of a folder of vectors.

    Example:
        with new_folder(output) as folder:
            writer = VectorWriter(folder, width=128)
            try:
                faults = writer.add(rows)
                writer.finish(VectorsMetadata(method="word2vec"))
            finally:
                writer.close()

    Args:
        folder: An existing, empty folder.
        width: Dimensions of a vector.
    """

    def __init__(self, folder: Path, width: int) -> None:
        self.width = width
        self._folder = folder
        self._keys = array("Q")
        self._seen: set[int] = set()
        self._checksum = 0
        self._words = (folder / WORDS).open("w", encoding="utf-8", newline="\n")
        self._table = (folder / TABLE).open("wb")
        self._write_header()
        self._table.write(bytes(4 * width))

    @property
    def count(self) -> int:
        """Number of words written."""
        return len(self._keys)

    def add(self, rows: Rows) -> list[Fault]:
        """Write words and vectors; return a fault for each invalid or repeated word, which is skipped."""
        kept, faults = [], []
        for i, (word, position) in enumerate(zip(rows.words, rows.positions, strict=True)):
            reason = self._take(word)
            if reason:
                faults.append(Fault(position, reason))
            else:
                kept.append(i)

        values = rows.values if len(kept) == len(rows.words) else rows.values[kept]
        content = np.ascontiguousarray(values, dtype="<f4").data
        self._checksum = crc32(content, self._checksum)
        self._table.write(content)
        self._words.writelines(f"{rows.words[i]}\n" for i in kept)
        return faults

    def add_buckets(self, buckets: NDArray[np.float32]) -> None:
        """Write the (buckets, width) vectors of n-grams."""
        np.save(self._folder / BUCKETS, np.ascontiguousarray(buckets, dtype="<f4"), allow_pickle=False)

    def finish(self, metadata: VectorsMetadata) -> None:
        """Write all other files; count, width, checksum and file sizes in `metadata` are filled in."""
        self._write_header()  # again, for the number of rows is known only now
        self.close()

        keys = np.frombuffer(self._keys, dtype=np.uint64) if self.count else np.zeros(0, dtype=np.uint64)
        order = np.argsort(keys)
        np.save(self._folder / KEYS, keys[order], allow_pickle=False)
        np.save(self._folder / ROWS, (order + 1).astype(np.int32), allow_pickle=False)

        sizes = {file.name: file.stat().st_size for file in sorted(self._folder.iterdir())}
        metadata = replace(metadata, count=self.count, width=self.width, checksum=self._checksum, files=sizes)
        (self._folder / METADATA).write_text(metadata.to_json(), encoding="utf-8")

    def close(self) -> None:
        """Close the files."""
        self._words.close()
        self._table.close()

    def _take(self, word: str) -> str:
        """Record a word; return the reason why it is skipped, or ""."""
        if not word or "\n" in word:
            return f"{word!r} cannot be a word"
        try:
            key = get_string_id(word)
        except UnicodeEncodeError:
            return f"{word!r} cannot be a word: it is not Unicode"
        if key in self._seen:
            return f"{word!r} is repeated: the first one is kept"
        self._seen.add(key)
        self._keys.append(key)
        return ""

    def _write_header(self) -> None:
        """Write the table's header; numpy pads it, so that a larger number of rows fits the same bytes."""
        self._table.seek(0)
        shape = (self.count + 1, self.width)
        header: Any = {"descr": "<f4", "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(self._table, header)
