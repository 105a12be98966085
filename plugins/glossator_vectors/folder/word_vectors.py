"""A folder of vectors, mapped into memory."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np
from spacy.strings import get_string_id

from glossator.errors import PipelineError
from glossator_vectors.folder.metadata import (
    BUCKETS,
    FACTS,
    KEYS,
    REMEDY,
    ROWS,
    TABLE,
    WORDS,
    Facts,
    check_sizes,
    damaged,
    read_facts,
)
from glossator_vectors.folder.subwords import SubWords

if TYPE_CHECKING:
    from numpy.typing import NDArray


class WordVectors:
    """Vectors of words in a folder; beside `vectors.json` nothing is read before it is used.

    Open one with `open_vectors`.

    Attributes:
        folder: The folder.
        facts: What its `vectors.json` says.
    """

    def __init__(self, folder: Path, facts: Facts) -> None:
        self.folder = folder
        self.facts = facts

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """(count + 1, width); row 0 is zeros."""
        return self._mapped(TABLE, np.float32, (self.facts.count + 1, self.facts.width))

    @cached_property
    def words(self) -> list[str]:
        """The words; that of row r is `words[r - 1]`."""
        # As bytes, for a word may hold what `read_text` would take for the end of a line.
        words = (self.folder / WORDS).read_bytes().decode().split("\n")[:-1]
        if len(words) != self.facts.count:
            raise damaged(self.folder / WORDS, f"it has {len(words)} words, not {self.facts.count}")
        return words

    @cached_property
    def subwords(self) -> SubWords | None:
        """The vectors of character n-grams, if there are any."""
        sizes = self.facts.subwords
        return SubWords(sizes["min_n"], sizes["max_n"], self.folder / BUCKETS) if sizes else None

    def check_unchanged(self) -> None:
        """Raise `PipelineError` if the folder holds other vectors by now."""
        if read_facts(self.folder) != self.facts:
            raise PipelineError(
                f"{self.folder}: the vectors were replaced while they were in use: load again"
            )

    def rows(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return the row of each of spaCy's string hashes, 0 for those without a vector."""
        if not self.facts.count:
            return np.zeros(len(keys), dtype=np.int32)
        places = np.searchsorted(self._keys, keys)
        places[places == len(self._keys)] = 0
        return np.where(self._keys[places] == keys, self._rows[places], np.int32(0))

    @cached_property
    def _keys(self) -> NDArray[np.uint64]:
        return self._mapped(KEYS, np.uint64, (self.facts.count,))

    @cached_property
    def _rows(self) -> NDArray[np.int32]:
        return self._mapped(ROWS, np.int32, (self.facts.count,))

    def _mapped(self, name: str, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        file = self.folder / name
        self.check_unchanged()
        try:
            array = np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise damaged(file, str(error)) from error
        if array.dtype != dtype or array.shape != shape:
            raise damaged(file, f"it holds {array.shape} of {array.dtype}, not {shape}")
        return np.asarray(array)


# Each folder is mapped once, however many stages look words up in it.
_open: WeakValueDictionary[tuple[Any, ...], WordVectors] = WeakValueDictionary()
_opening = Lock()


def open_vectors(folder: Path) -> WordVectors:
    """Return the vectors in a folder; the same object for the same folder while it is in use.

    Raises:
        PipelineError: The folder or a file of it is missing or damaged.
    """
    folder = folder.resolve()
    try:
        state = (folder / FACTS).stat()
    except OSError as error:
        if not folder.is_dir():
            raise PipelineError(f"{folder}: there is no such folder of vectors; {REMEDY}") from error
        raise PipelineError(f"{folder}: not a folder of vectors, it has no {FACTS}; {REMEDY}") from error
    key = (folder, state.st_ino, state.st_mtime_ns, state.st_size)  # a folder can be replaced by another
    with _opening:
        known = _open.get(key)
        facts = read_facts(folder) if known is None else known.facts
        check_sizes(folder, facts)
        return _open.setdefault(key, known or WordVectors(folder, facts))


def keys_of(words: Iterable[str]) -> NDArray[np.uint64]:
    """Return spaCy's hash of each word."""
    return np.fromiter((get_string_id(word) for word in words), dtype=np.uint64)
