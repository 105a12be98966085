"""Character n-grams of words, hashed for many words at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

# Web addresses and the like are cut: beyond so many characters no n-gram is worth its memory.
MOST_CHARACTERS = 40
_BASE = np.uint64(0x9E3779B97F4A7C15)  # any odd number with many bits
_BOUNDARY = " "


@dataclass(frozen=True, slots=True)
class NGrams:
    """The character n-grams of some words.

    Example:
        grams = character_ngrams(["tea"], sizes=(2,))  # " t", "te", "ea", "a "
        grams.text(["tea"], 1)  # "te"

    Attributes:
        hashes: (n-grams,) 64-bit hashes, the same in every process.
        owners: (n-grams,) index of the word of each.
        starts: (n-grams,) index of its first character; the space before the word has index 0.
        sizes: (n-grams,) characters of each.
    """

    hashes: Hashes
    owners: NDArray[np.int32]
    starts: NDArray[np.int32]
    sizes: NDArray[np.int32]

    def text(self, words: Sequence[str], index: int) -> str:
        """Return an n-gram of these words as text; "_" stands for the space at a word's ends."""
        start = int(self.starts[index])
        padded = _padded(words[int(self.owners[index])])
        return padded[start : start + int(self.sizes[index])].replace(_BOUNDARY, "_")


def character_ngrams(words: Sequence[str], sizes: Sequence[int]) -> NGrams:
    """Return the n-grams of each word between two spaces; digits count as 0, so that numbers look alike.

    Example:
        character_ngrams(["tea", "42"], sizes=(2, 3, 4, 5))

    Args:
        words: The words.
        sizes: The sizes of the n-grams, rising.
    """
    padded = [_padded(word) for word in words]
    lengths = np.asarray([len(word) for word in padded], dtype=np.int32)
    codes = _code_points(padded)
    hashes = np.zeros_like(codes)
    found: list[tuple[Hashes, Any, Any, Any]] = []

    for size in range(1, max(sizes) + 1):
        # Each n-gram's hash grows out of that of the n-gram which is a character shorter.
        width = codes.shape[1] - size + 1
        if width < 1:
            break
        hashes = hashes[:, :width] * _BASE + codes[:, size - 1 :]
        if size in sizes:
            owners, starts = np.nonzero(np.arange(width) < (lengths - size + 1)[:, None])
            found.append((mixed(hashes[owners, starts], size), owners, starts, np.full(len(owners), size)))

    if not found:
        found.append((np.zeros(0, dtype=np.uint64), np.zeros(0), np.zeros(0), np.zeros(0)))
    joined = [np.concatenate(column) for column in zip(*found, strict=True)]
    return NGrams(joined[0], *(column.astype(np.int32) for column in joined[1:]))


def mixed(hashes: Hashes, kind: int) -> Hashes:
    """Return other hashes, different ones for each kind (the end of MurmurHash3 by Appleby).

    Example:
        mixed(words[:-1] * np.uint64(3) + words[1:], 1)
    """
    result = (hashes + np.uint64(kind + 1)) * _BASE
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        result = (result ^ (result >> np.uint64(33))) * np.uint64(factor)
    return np.asarray(result ^ (result >> np.uint64(33)))


def _padded(word: str) -> str:
    return f"{_BOUNDARY}{word[:MOST_CHARACTERS]}{_BOUNDARY}"


def _code_points(words: Sequence[str]) -> Hashes:
    """Return the (words, longest) code points, digits as 0."""
    if not words:
        return np.zeros((0, 1), dtype=np.uint64)
    array = np.asarray(words, dtype=np.str_)
    codes = array.view(np.uint32).reshape(len(words), -1).astype(np.uint64)
    return np.where((codes >= ord("0")) & (codes <= ord("9")), np.uint64(ord("0")), codes)
