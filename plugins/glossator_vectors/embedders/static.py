"""The embedder `vectors`: static vectors from a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from spacy.attrs import LOWER, ORTH

from glossator.errors import ConfigError, StageError
from glossator.ml.words import Words, words_of
from glossator_vectors.folder.atomic import copy_folder
from glossator_vectors.folder.metadata import METADATA, REMEDY
from glossator_vectors.folder.word_vectors import WordVectors, open_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc
    from thinc.types import Floats2d, Ints1d

    from glossator_vectors.folder.subwords import SubwordVectors

# Vectors of unknown words that are cached: 8 MB at a width of 128.
MAX_CACHED = 16_384


class StaticVectors:
    """Gives each token the vector of its word.

    A word is looked up as it is, then in lower case; if both are missing, its vector is computed from
    sub-words, if the folder has any. Other words and white-space tokens get zeros.

    Example:
        embedder = StaticVectors(path="novels-128")
        embedder.prepare(Path("configs"))
        [values] = embedder.embed([nlp("The old mill")])  # (3, 128)

    Args:
        path: The folder of vectors, relative to the config's folder.
    """

    def __init__(self, path: str) -> None:
        if not isinstance(path, str) or not path:
            raise ConfigError(f"path = {path!r}: name a folder of vectors; {REMEDY}")
        self._path = path
        self._source: WordVectors | None = None
        self._cache: dict[int, NDArray[np.float32]] = {}

    def prepare(self, folder: Path) -> None:
        """Open the folder at `path`."""
        path = folder / self._path
        if not path.is_dir():
            raise ConfigError(f"path = {self._path!r}: the folder {path} does not exist; {REMEDY}")
        self._open(path)

    @property
    def width(self) -> int:
        """Dimensions of a vector."""
        return self._vectors.metadata.width

    @property
    def table(self) -> Floats2d:
        """The (words + 1, width) vectors, mapped into memory; row 0 is zeros."""
        return cast("Floats2d", self._vectors.table)

    def rows(self, docs: Sequence[Doc]) -> Sequence[Ints1d]:
        """Return the row of each token in `table`, 0 for words without a vector of their own."""
        words = words_of(docs, [ORTH, LOWER])
        rows: Sequence[Ints1d] = words.scatter(self._rows(words))
        return rows

    def embed(self, docs: Sequence[Doc]) -> Sequence[Floats2d]:
        """Return one (tokens, width) array per Doc."""
        words = words_of(docs, [ORTH, LOWER])
        rows = self._rows(words)
        token_rows = np.zeros(int(words.doc_starts[-1]), dtype=rows.dtype)
        token_rows[words.positions] = rows
        values = np.take(self._vectors.table, token_rows, axis=0)

        if self._vectors.subwords is not None:
            unknown = np.flatnonzero(rows == 0)
            values[words.positions[unknown]] = self._from_subwords(
                self._vectors.subwords, docs, words, unknown
            )

        parts: Any = np.split(values, words.doc_starts[1:-1])[: len(docs)]
        return list(parts)

    def to_disk(self, path: Path) -> None:
        """Copy the folder of vectors."""
        vectors = self._vectors
        vectors.check_unchanged()
        copy_folder(vectors.folder, path, [*vectors.metadata.files, METADATA])

    def from_disk(self, path: Path) -> None:
        """Open the copy; only its `vectors.json` is read."""
        self._open(path)

    def _open(self, path: Path) -> None:
        self._source = open_vectors(path)
        self._cache = {}

    @property
    def _vectors(self) -> WordVectors:
        if self._source is None:
            raise StageError(f"the vectors of {self._path!r} are not loaded: call Pipeline.prepare() first")
        return self._source

    def _rows(self, words: Words) -> NDArray[np.int32]:
        """Return the row of each word; each distinct word is looked up once."""
        orth, lower = words.features.T
        keys, first, inverse = np.unique(orth, return_index=True, return_inverse=True)
        rows = self._vectors.rows(keys)
        missing = np.flatnonzero(rows == 0)
        rows[missing] = self._vectors.rows(lower[first[missing]])
        return rows[inverse]

    def _from_subwords(
        self, subwords: SubwordVectors, docs: Sequence[Doc], words: Words, unknown: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Compute the vectors of the words at the indices `unknown` from sub-words."""
        keys, first, inverse = np.unique(words.features[unknown, 0], return_index=True, return_inverse=True)
        doc_of = np.searchsorted(words.word_starts, unknown[first], side="right") - 1
        if len(self._cache) > MAX_CACHED:
            self._cache = {}
        cache = self._cache
        new = [pair for pair in zip(keys.tolist(), doc_of.tolist(), strict=True) if pair[0] not in cache]
        computed = subwords.vectors([docs[doc].vocab.strings[key] for key, doc in new])
        cache.update(zip((key for key, _ in new), computed, strict=True))
        values = np.asarray([cache[key] for key in keys.tolist()], dtype=np.float32)
        return values.reshape(len(keys), self.width)[inverse]
