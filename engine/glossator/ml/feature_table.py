"""The features that a sparse model knows: 64-bit hashes, and what they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """Features, each with a number: their place in the order of their hashes.

    Example:
        table = FeatureTable.of({11: "lower=oslo", 7: "shape=Xxxx"})
        table.find(np.array([7, 8], dtype=np.uint64))  # [0, 2]: 2, the number of features, stands for unknown

    Attributes:
        hashes: (features,) 64-bit hashes, rising.
        names: The features as text.
    """

    hashes: Hashes
    names: tuple[str, ...]

    @classmethod
    def of(cls, named: Mapping[int, str]) -> FeatureTable:
        """Return a table of features by their hashes."""
        hashes = sorted(named)
        return cls(np.asarray(hashes, dtype=np.uint64), tuple(named[key] for key in hashes))

    def __len__(self) -> int:
        return len(self.hashes)

    def find(self, hashes: Hashes) -> NDArray[np.int32]:
        """Return the numbers of features, in the shape of `hashes`; `len(table)` for unknown ones."""
        if not len(self):
            return np.zeros(hashes.shape, dtype=np.int32)
        places = np.minimum(np.searchsorted(self.hashes, hashes), len(self) - 1)
        return np.where(self.hashes[places] == hashes, places, len(self)).astype(np.int32)

    def some(self, kept: NDArray[np.intp]) -> FeatureTable:
        """Return the features with some numbers, which rise."""
        return FeatureTable(self.hashes[kept], tuple(self.names[number] for number in kept.tolist()))

    def extended(self, named: Mapping[int, str]) -> tuple[FeatureTable, NDArray[np.intp]]:
        """Return a table with further features, and the new numbers of the old ones."""
        joined = dict(zip(self.hashes.tolist(), self.names, strict=True)) | dict(named)
        table = FeatureTable.of(joined) if len(joined) > len(self) else self
        return table, np.searchsorted(table.hashes, self.hashes)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all as arrays, for `write_arrays`."""
        return {"hashes": self.hashes, "names": np.frombuffer("\n".join(self.names).encode(), dtype=np.uint8)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> FeatureTable:
        """Return what `to_arrays` was made of.

        Raises:
            KeyError: An array is missing.
            ValueError: The arrays do not fit each other, or are damaged.
        """
        hashes = arrays["hashes"]
        names = tuple(arrays["names"].tobytes().decode().split("\n")) if len(hashes) else ()
        if hashes.dtype != np.uint64 or hashes.ndim != 1 or len(names) != len(hashes):
            raise ValueError("the features and their names do not fit each other")
        if not (hashes[1:] > hashes[:-1]).all():
            raise ValueError("the features are not in order")
        return cls(hashes, names)


def first_of_each(hashes: Hashes) -> Iterable[tuple[int, int]]:
    """Return the distinct hashes, each with its first index.

    Example:
        list(first_of_each(np.array([5, 3, 5], dtype=np.uint64)))  # [(3, 1), (5, 0)]
    """
    distinct, first = np.unique(hashes, return_index=True)
    return zip(distinct.tolist(), first.tolist(), strict=True)
