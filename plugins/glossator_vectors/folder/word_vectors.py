"""Reading a folder of vectors, mapped into memory."""

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
    KEYS,
    METADATA,
    REMEDY,
    ROWS,
    TABLE,
    WORDS,
    VectorsMetadata,
    check_sizes,
    damaged,
    read_metadata,
)
from glossator_vectors.folder.subwords import SubwordVectors

if TYPE_CHECKING:
    from numpy.typing import NDArray


class WordVectors:
    """Word vectors in a folder; all files except `vectors.json` are read on first use.

    Open a folder with `open_vectors`.

    Example:
        vectors = open_vectors(Path("novels-128"))
        row = vectors.rows(word_keys(["sea"]))[0]
        vector = vectors.table[row]

    Attributes:
        folder: The folder.
        metadata: The content of its `vectors.json`.
    """

    def __init__(self, folder: Path, metadata: VectorsMetadata) -> None:
        self.folder = folder
        self.metadata = metadata

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """(count + 1, width); row 0 is zeros."""
        return self._mapped(TABLE, np.float32, (self.metadata.count + 1, self.metadata.width))

    @cached_property
    def words(self) -> list[str]:
        """The words; `words[r - 1]` belongs to row r."""
        # As bytes: a word may contain characters that `read_text` treats as line ends.
        words = (self.folder / WORDS).read_bytes().decode().split("\n")[:-1]
        if len(words) != self.metadata.count:
            raise damaged(self.folder / WORDS, f"it has {len(words)} words, not {self.metadata.count}")
        return words

    @cached_property
    def subwords(self) -> SubwordVectors | None:
        """The vectors of character n-grams, or None."""
        sizes = self.metadata.subwords
        return SubwordVectors(sizes["min_n"], sizes["max_n"], self.folder / BUCKETS) if sizes else None

    def check_unchanged(self) -> None:
        """Raise `PipelineError` if the folder has been replaced since it was opened."""
        if read_metadata(self.folder) != self.metadata:
            raise PipelineError(
                f"{self.folder}: the vectors were replaced while they were in use: load again"
            )

    def rows(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return the row of each of spaCy's string hashes, 0 for words without a vector."""
        if not self.metadata.count:
            return np.zeros(len(keys), dtype=np.int32)
        positions = np.searchsorted(self._keys, keys)
        positions[positions == len(self._keys)] = 0
        return np.where(self._keys[positions] == keys, self._rows[positions], np.int32(0))

    @cached_property
    def _keys(self) -> NDArray[np.uint64]:
        return self._mapped(KEYS, np.uint64, (self.metadata.count,))

    @cached_property
    def _rows(self) -> NDArray[np.int32]:
        return self._mapped(ROWS, np.int32, (self.metadata.count,))

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


# Each folder is mapped once, however many stages use it.
_open: WeakValueDictionary[tuple[Any, ...], WordVectors] = WeakValueDictionary()
_opening = Lock()


def open_vectors(folder: Path) -> WordVectors:
    """Open a folder of vectors; returns the same object for the same folder while it is in use.

    Raises:
        PipelineError: The folder or one of its files is missing or damaged.
    """
    folder = folder.resolve()
    try:
        state = (folder / METADATA).stat()
    except OSError as error:
        if not folder.is_dir():
            raise PipelineError(f"{folder}: this folder of vectors does not exist; {REMEDY}") from error
        raise PipelineError(f"{folder}: not a folder of vectors (no {METADATA}); {REMEDY}") from error

    # The path alone does not identify the vectors: `import` and `train` replace whole folders.
    key = (folder, state.st_ino, state.st_mtime_ns, state.st_size)
    with _opening:
        cached = _open.get(key)
        metadata = read_metadata(folder) if cached is None else cached.metadata
        check_sizes(folder, metadata)
        return _open.setdefault(key, cached or WordVectors(folder, metadata))


def word_keys(words: Iterable[str]) -> NDArray[np.uint64]:
    """Return spaCy's hash of each word."""
    return np.fromiter((get_string_id(word) for word in words), dtype=np.uint64)
