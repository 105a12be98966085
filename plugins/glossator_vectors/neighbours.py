"""The words nearest to a word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from glossator.errors import DataError
from glossator_vectors.coverage import keys_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glossator_vectors.folder import WordVectors

_ROWS_AT_ONCE = 50_000
_DIGITS = 9  # of a cosine: equal vectors may differ in the last ones, by where they stand in the table


class Neighbour(NamedTuple):
    """A word and the cosine of its vector's angle to another's."""

    word: str
    cosine: float


def vector_of(vectors: WordVectors, word: str) -> tuple[NDArray[np.float32], int]:
    """Return the vector of a word and its row, 0 for one that sub-words make.

    Raises:
        DataError: The word has none.
    """
    try:
        word.encode()
    except UnicodeEncodeError:
        raise DataError(f"{word!r} is not Unicode, so it is no word") from None
    for spelling in (word, word.lower()):
        row = int(vectors.rows(keys_of([spelling]))[0])
        if row:
            return vectors.table[row], row
    made = vectors.subwords.vectors([word])[0] if vectors.subwords is not None else np.zeros(1, np.float32)
    if not made.any():
        raise DataError(f"{word!r} has no vector in {vectors.folder}")
    return made, 0


def neighbours(vectors: WordVectors, word: str, top: int) -> list[Neighbour]:
    """Return the words whose vectors are nearest to a word's, by cosine, the nearest first, equals in order.

    Raises:
        DataError: The word has no vector.
    """
    wanted, row = vector_of(vectors, word)
    cosines = _cosines(vectors.table, wanted)
    cosines[[0, row]] = -np.inf  # neither what stands for no word nor the word itself
    found = min(top, int(np.isfinite(cosines).sum()))
    nearest: Any = np.argsort(-np.round(cosines, _DIGITS), kind="stable")[:found]
    return [Neighbour(vectors.words[i - 1], float(cosines[i])) for i in nearest.tolist()]


def _cosines(table: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (rows,) cosines, 0 where a vector is zeros; the table is read a part at a time."""
    cosines = np.zeros(len(table))
    for start in range(0, len(table), _ROWS_AT_ONCE):
        part = table[start : start + _ROWS_AT_ONCE].astype(np.float64)
        norms = np.linalg.norm(part, axis=1) * np.linalg.norm(wanted.astype(np.float64))
        cosines[start : start + len(part)] = (part @ wanted) / np.where(norms > 0, norms, 1)
    return cosines
