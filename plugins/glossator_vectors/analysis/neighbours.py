"""Nearest neighbours of a word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from glossator.errors import DataError
from glossator_vectors.folder.word_vectors import WordVectors, word_keys

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROW_BATCH_SIZE = 50_000
# Of a cosine: those of equal vectors may differ in the last digits, by where they stand in the table.
_RANKING_DIGITS = 9


class Neighbour(NamedTuple):
    """A neighbour of a word.

    Example:
        Neighbour(word="queen", cosine=0.71)

    Attributes:
        word: The neighbour.
        cosine: Cosine similarity of the two words' vectors.
    """

    word: str
    cosine: float


def vector_of(vectors: WordVectors, word: str) -> tuple[NDArray[np.float32], int]:
    """Return the vector of a word and its row; the row is 0 if the vector is computed from sub-words.

    Raises:
        DataError: The word has no vector.
    """
    try:
        word.encode()
    except UnicodeEncodeError:
        raise DataError(f"{word!r} is not valid Unicode") from None
    for spelling in (word, word.lower()):
        row = int(vectors.rows(word_keys([spelling]))[0])
        if row:
            return vectors.table[row], row
    if vectors.subwords is not None:
        vector = vectors.subwords.vectors([word])[0]
        if vector.any():
            return vector, 0
    raise DataError(f"{word!r} has no vector in {vectors.folder}")


def nearest_words(vectors: WordVectors, word: str, top: int) -> list[Neighbour]:
    """Return the words whose vectors are nearest to a word's by cosine, the nearest first.

    Equally near words keep the order of the table.

    Raises:
        DataError: The word has no vector.
    """
    wanted, row = vector_of(vectors, word)
    cosines = _cosines(vectors.table, wanted)
    cosines[[0, row]] = -np.inf  # the row for unknown words, and the word itself
    count = min(top, int(np.isfinite(cosines).sum()))
    nearest: Any = np.argsort(-np.round(cosines, _RANKING_DIGITS), kind="stable")[:count]
    return [Neighbour(vectors.words[i - 1], float(cosines[i])) for i in nearest.tolist()]


def _cosines(table: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the (rows,) cosines, 0 for zero vectors; reads the table in parts to bound memory."""
    cosines = np.zeros(len(table))
    for start in range(0, len(table), _ROW_BATCH_SIZE):
        part = table[start : start + _ROW_BATCH_SIZE].astype(np.float64)
        norms = np.linalg.norm(part, axis=1) * np.linalg.norm(wanted.astype(np.float64))
        cosines[start : start + len(part)] = (part @ wanted) / np.where(norms > 0, norms, 1)
    return cosines
