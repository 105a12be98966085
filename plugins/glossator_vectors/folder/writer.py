"""Writing a folder of vectors: the table goes to disk as it comes, so that memory holds words alone."""

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

from glossator_vectors.folder.metadata import BUCKETS, FACTS, KEYS, ROWS, TABLE, WORDS, Facts

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Rows(NamedTuple):
    """Some words with their vectors.

    Attributes:
        words: The words.
        values: (words, width) float32.
        places: Where each stood: its line, or its number in a file without lines.
    """

    words: Sequence[str]
    values: NDArray[np.float32]
    places: Sequence[int]


class Fault(NamedTuple):
    """A word that is left out: where it stood (0: not one place), and why."""

    place: int
    reason: str


class VectorWriter:
    """Writes the files of a folder of vectors.

    Args:
        folder: An existing, empty folder.
        width: Numbers in a vector.
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
        """How many words were written."""
        return len(self._keys)

    def add(self, rows: Rows) -> list[Fault]:
        """Write words and vectors; return those left out, which are no words or were there before."""
        kept, faults = [], []
        for i, (word, place) in enumerate(zip(rows.words, rows.places, strict=True)):
            reason = self._take(word)
            if reason:
                faults.append(Fault(place, reason))
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

    def finish(self, facts: Facts) -> None:
        """Write everything else; `facts` need not know the count, the width and the files."""
        self._write_header()
        self.close()
        keys = np.frombuffer(self._keys, dtype=np.uint64) if self.count else np.zeros(0, dtype=np.uint64)
        order = np.argsort(keys)
        np.save(self._folder / KEYS, keys[order], allow_pickle=False)
        np.save(self._folder / ROWS, (order + 1).astype(np.int32), allow_pickle=False)
        sizes = {file.name: file.stat().st_size for file in sorted(self._folder.iterdir())}
        facts = replace(facts, count=self.count, width=self.width, checksum=self._checksum, files=sizes)
        (self._folder / FACTS).write_text(facts.to_json(), encoding="utf-8")

    def close(self) -> None:
        """Close the files."""
        self._words.close()
        self._table.close()

    def _take(self, word: str) -> str:
        """Note a word; return why it cannot be one, or ""."""
        if not word or "\n" in word:
            return f"{word!r} cannot be a word"
        try:
            key = get_string_id(word)
        except UnicodeEncodeError:
            return f"{word!r} cannot be a word: it is not Unicode"
        if key in self._seen:
            return f"{word!r} was there before: the first is kept"
        self._seen.add(key)
        self._keys.append(key)
        return ""

    def _write_header(self) -> None:
        """Write the table's header; numpy leaves room in it for more rows."""
        self._table.seek(0)
        shape = (self.count + 1, self.width)
        header: Any = {"descr": "<f4", "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(self._table, header)
