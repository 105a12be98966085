"""The embedder `vectors`: words looked up in a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from spacy.attrs import LOWER, ORTH

from glossator.errors import ConfigError, StageError
from glossator.words import Words, words_of
from glossator_vectors.folder.atomic import copy_folder
from glossator_vectors.folder.metadata import FACTS, REMEDY
from glossator_vectors.folder.word_vectors import WordVectors, open_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc
    from thinc.types import Floats2d, Ints1d

    from glossator_vectors.folder.subwords import SubWords

# Vectors made of sub-words that are remembered: 8 MB at a width of 128.
MOST_REMEMBERED = 16_384


class StaticVectors:
    """Gives each token the vector of its word.

    A word is looked up as it stands, then in lower case, then made of its sub-words if the vectors know
    sub-words; else, and at white-space tokens, there are zeros.

    Args:
        path: The folder of vectors; a relative one counts from the config's folder.
    """

    def __init__(self, path: str) -> None:
        if not isinstance(path, str) or not path:
            raise ConfigError(f"path = {path!r}: name a folder of vectors; {REMEDY}")
        self._path = path
        self._source: WordVectors | None = None
        self._remembered: dict[int, NDArray[np.float32]] = {}

    def prepare(self, folder: Path) -> None:
        """Open the folder that `path` names."""
        path = folder / self._path
        if not path.is_dir():
            raise ConfigError(f"path = {self._path!r}: there is no folder {path}; {REMEDY}")
        self._open(path)

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return self._vectors.facts.width

    @property
    def table(self) -> Floats2d:
        """(words + 1, width), mapped into memory; row 0 is zeros."""
        return cast("Floats2d", self._vectors.table)

    def rows(self, docs: Sequence[Doc]) -> Sequence[Ints1d]:
        """Return the row of each token, 0 for those without; what sub-words answer for has no row."""
        words = words_of(docs, [ORTH, LOWER])
        rows: Sequence[Ints1d] = words.scatter(self._rows(words))
        return rows

    def embed(self, docs: Sequence[Doc]) -> Sequence[Floats2d]:
        """Return the vectors of each Doc's tokens."""
        words = words_of(docs, [ORTH, LOWER])
        rows = self._rows(words)
        at_token = np.zeros(int(words.doc_starts[-1]), dtype=rows.dtype)
        at_token[words.positions] = rows
        values = np.take(self._vectors.table, at_token, axis=0)
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
        copy_folder(vectors.folder, path, [*vectors.facts.files, FACTS])

    def from_disk(self, path: Path) -> None:
        """Open the copy; nothing is read of it but its `vectors.json`."""
        self._open(path)

    def _open(self, path: Path) -> None:
        self._source = open_vectors(path)
        self._remembered = {}

    @property
    def _vectors(self) -> WordVectors:
        if self._source is None:
            raise StageError(f"the vectors of {self._path!r} are not read yet: call Pipeline.prepare()")
        return self._source

    def _rows(self, words: Words) -> NDArray[np.int32]:
        """Return the row of each word; every different word is looked up once."""
        orth, lower = words.features.T
        keys, first, at = np.unique(orth, return_index=True, return_inverse=True)
        rows = self._vectors.rows(keys)
        missing = np.flatnonzero(rows == 0)
        rows[missing] = self._vectors.rows(lower[first[missing]])
        return rows[at]

    def _from_subwords(
        self, subwords: SubWords, docs: Sequence[Doc], words: Words, unknown: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Return the vectors of the words at the places `unknown`, made of their sub-words."""
        keys, first, at = np.unique(words.features[unknown, 0], return_index=True, return_inverse=True)
        doc_of = np.searchsorted(words.word_starts, unknown[first], side="right") - 1
        if len(self._remembered) > MOST_REMEMBERED:
            self._remembered = {}
        known = self._remembered
        new = [pair for pair in zip(keys.tolist(), doc_of.tolist(), strict=True) if pair[0] not in known]
        made = subwords.vectors([docs[doc].vocab.strings[key] for key, doc in new])
        known.update(zip((key for key, _ in new), made, strict=True))
        found = np.asarray([known[key] for key in keys.tolist()], dtype=np.float32)
        return found.reshape(len(keys), self.width)[at]
