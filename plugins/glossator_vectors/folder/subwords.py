"""Vectors of unknown words, computed from character n-grams as in fastText.

Bojanowski, Grave, Joulin, Mikolov: Enriching Word Vectors with Subword Information, TACL 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FNV_OFFSET, FNV_PRIME = np.uint32(2166136261), np.uint32(16777619)
MAX_CHARACTER_BYTES = 4
# Vectors of n-grams that are summed at once: a token of 100,000 characters has 400,000 n-grams.
NGRAM_BATCH_SIZE = 8192


@dataclass(frozen=True)
class SubwordVectors:
    """The vectors of character n-grams.

    Example:
        subwords = SubwordVectors(min_n=3, max_n=6, file=folder / "buckets.npy")
        vectors = subwords.vectors(["windmill", "millers"])  # (2, width)

    Attributes:
        min_n: Length of the shortest n-grams, including the marks "<" and ">" around a word.
        max_n: Length of the longest n-grams.
        file: The (buckets, width) float32 vectors; the hash of an n-gram modulo buckets is its row.
    """

    min_n: int
    max_n: int
    file: Path

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """The (buckets, width) vectors, mapped into memory."""
        return np.asarray(np.load(self.file, mmap_mode="r", allow_pickle=False))

    def vectors(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Return (words, width): the mean of each word's n-grams, zeros for a word without n-grams."""
        owners, buckets = ngrams(words, self.min_n, self.max_n, len(self.table))
        sums = np.zeros((len(words), self.table.shape[1]), dtype=np.float32)
        for start in range(0, len(owners), NGRAM_BATCH_SIZE):
            part = owners[start : start + NGRAM_BATCH_SIZE]
            firsts = np.flatnonzero(np.diff(part, prepend=-1))
            rows = self.table[buckets[start : start + NGRAM_BATCH_SIZE]]
            sums[part[firsts]] += np.add.reduceat(rows, firsts, axis=0)
        counts = np.bincount(owners, minlength=len(words))
        return (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)


def ngrams(
    words: Sequence[str], min_n: int, max_n: int, buckets: int
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return the n-grams of words: the index of each n-gram's word, ascending, and its bucket.

    All words are hashed together, one character at a time: an n-gram begins at every character and grows
    until it reaches the end of its word. A single "<" or ">" is not an n-gram.
    """
    text, starts, owner = _characters(words)
    characters = len(owner)
    is_edge = np.diff(owner, prepend=-1) != 0
    is_edge |= np.diff(owner, append=len(words)) != 0
    hashes = np.full(characters, FNV_OFFSET, dtype=np.uint32)
    growing = np.arange(characters)  # where n-grams begin that still fit into their words

    owners: list[Any] = [np.zeros(0, dtype=np.intp)]
    bucket_parts: list[Any] = [np.zeros(0, dtype=np.int64)]
    for length in range(1, max_n + 1):
        last = growing + length - 1
        fits = last < characters
        growing, last = growing[fits], last[fits]
        fits = owner[last] == owner[growing]
        growing, last = growing[fits], last[fits]
        hashes[growing] = _extended(hashes[growing], text, starts[last], starts[last + 1])
        if length >= min_n:
            whole = growing if length > 1 else growing[~is_edge[growing]]
            owners.append(owner[whole])
            bucket_parts.append(hashes[whole].astype(np.int64) % buckets)

    all_owners = np.concatenate(owners)
    order = np.argsort(all_owners, kind="stable")
    return all_owners[order], np.concatenate(bucket_parts)[order]


def _characters(words: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.intp], NDArray[np.intp]]:
    """Return the bytes of all words with their marks, each character's start, and each character's word."""
    marked = [f"<{word}>" for word in words]
    encoded = np.frombuffer("".join(marked).encode(), dtype=np.uint8)
    starts = np.flatnonzero(encoded & 0xC0 != 0x80)
    owner = np.repeat(np.arange(len(words)), [len(word) for word in marked])
    # fastText hashes signed bytes: those from 0x80 on are sign-extended.
    widened = encoded.view(np.int8).astype(np.int32).view(np.uint32)
    return widened, np.append(starts, len(encoded)), owner


def _extended(
    hashes: NDArray[np.uint32], text: NDArray[np.uint32], starts: NDArray[np.intp], ends: NDArray[np.intp]
) -> NDArray[np.uint32]:
    """Return FNV-1a hashes, each extended by the bytes of one more character."""
    for byte in range(MAX_CHARACTER_BYTES):
        position = starts + byte
        is_inside = position < ends
        following = (hashes ^ text[np.minimum(position, len(text) - 1)]) * FNV_PRIME
        hashes = np.where(is_inside, following, hashes)
    return hashes
