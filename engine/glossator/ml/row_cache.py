"""Rows of numbers by 64-bit keys, such as what a word contributes to a model; each is computed once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Keys = NDArray[np.uint64]


class RowCache:
    """A bounded cache of rows.

    Its answers do not depend on what was asked before, as long as a row depends on its key alone.

    Example:
        cache = RowCache(most=100_000)
        cache.rows(keys, lambda new: embeddings_of(keys[new]))

    Args:
        most: The maximum number of rows that are kept; when more would be, the cache begins anew.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._keys: Keys = np.zeros(0, dtype=np.uint64)
        self._rows: NDArray[Any] | None = None

    def rows(self, keys: Keys, compute: Callable[[NDArray[np.intp]], NDArray[Any]]) -> NDArray[Any]:
        """Return the (keys, ...) rows of distinct keys, which rise.

        Args:
            keys: (n,) the keys.
            compute: Returns the rows of the keys at some indices.
        """
        places = np.searchsorted(self._keys, keys)
        known = np.zeros(len(keys), dtype=bool)
        inside = places < len(self._keys)
        known[inside] = self._keys[places[inside]] == keys[inside]
        if known.all() and self._rows is not None:
            return np.asarray(self._rows[places])

        new = np.flatnonzero(~known)
        if self._rows is None or len(self._keys) + len(new) > self._most:
            new = np.arange(len(keys))
            self._keys, self._rows = keys[:0], compute(new[:0])
        self._insert(keys[new], compute(new))
        return np.asarray(self._rows[np.searchsorted(self._keys, keys)])

    def _insert(self, keys: Keys, rows: NDArray[Any]) -> None:
        places = np.searchsorted(self._keys, keys)
        self._keys = np.insert(self._keys, places, keys)
        self._rows = np.insert(self._rows, places, rows, axis=0) if self._rows is not None else rows
