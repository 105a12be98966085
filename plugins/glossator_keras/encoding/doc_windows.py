"""Documents cut into windows that a network can take, and what it says of them brought together again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glossator.words import Words

WINDOW_WORDS = 400


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of a batch of Docs, in order; together they hold every word once.

    Attributes:
        docs: (windows,) which Doc each is of.
        starts: (windows,) the first word of each among the words of the Docs.
        lengths: (windows,) the words of each.
    """

    docs: NDArray[np.intp]
    starts: NDArray[np.intp]
    lengths: NDArray[np.int32]

    def sample(self, most: int, generator: np.random.Generator) -> Windows:
        """Return the windows with no more than `most` of any Doc, drawn at random."""
        shuffled = np.lexsort((generator.random(len(self.docs)), self.docs))
        rank = np.arange(len(self.docs)) - np.searchsorted(self.docs, self.docs)
        kept = np.sort(shuffled[rank < most])
        return Windows(self.docs[kept], self.starts[kept], self.lengths[kept])

    def mean(self, rows: NDArray[Any], docs: int) -> NDArray[np.float32]:
        """Return the (docs, columns) means of the (windows, columns) rows of each Doc, weighted by words."""
        weights = np.maximum(self.lengths, 1).astype(np.float64)
        share = weights / np.bincount(self.docs, weights, minlength=docs)[self.docs]
        means = np.zeros((docs, rows.shape[1]))
        np.add.at(means, self.docs, rows * share[:, None])
        return means.astype(np.float32)


def windows_of(words: Words, window_words: int = WINDOW_WORDS) -> Windows:
    """Cut each Doc as `windows_between` does, into windows of words."""
    return windows_between(words.word_starts, window_words)


def windows_between(firsts: NDArray[np.intp], most: int) -> Windows:
    """Cut each Doc into the fewest windows of at most `most` words or pieces, all about as long.

    Args:
        firsts: (docs + 1,) where each Doc begins among the words or pieces of all. One without any has one
            window without any.
        most: Words or pieces of a window.
    """
    sizes = np.diff(firsts)
    counts = np.maximum(-(-sizes // most), 1)
    docs = np.repeat(np.arange(len(sizes)), counts)
    number = np.arange(len(docs)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = firsts[docs] + number * sizes[docs] // counts[docs]
    ends = firsts[docs] + (number + 1) * sizes[docs] // counts[docs]
    return Windows(docs, starts, (ends - starts).astype(np.int32))
