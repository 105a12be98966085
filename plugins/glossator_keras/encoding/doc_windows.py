"""Documents cut into windows that a network can take, and the answers for them joined again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glossator.ml.words import Words
from glossator_keras.arrays import Floats, Ints, Positions, Reals

WINDOW_WORDS = 400


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of a batch of Docs, in order; together they hold every word once.

    Attributes:
        docs: (windows,) the index of each window's Doc.
        starts: (windows,) the first word of each among the words of the Docs.
        lengths: (windows,) the number of words of each.

    Example:
        From rows of windows to rows of Docs:

            windows = windows_of(words)
            logits = windows.mean(network_answers, docs=len(docs))
    """

    docs: Positions
    starts: Positions
    lengths: Ints

    def sample(self, most: int, generator: np.random.Generator) -> Windows:
        """Return at most `most` windows per Doc, drawn at random."""
        shuffled = np.lexsort((generator.random(len(self.docs)), self.docs))
        rank = np.arange(len(self.docs)) - np.searchsorted(self.docs, self.docs)
        chosen = np.sort(shuffled[rank < most])
        return Windows(self.docs[chosen], self.starts[chosen], self.lengths[chosen])

    def mean(self, rows: Reals, docs: int) -> Floats:
        """Return the (docs, columns) means of the (windows, columns) rows of each Doc, weighted by words."""
        weights = np.maximum(self.lengths, 1).astype(np.float64)
        share = weights / np.bincount(self.docs, weights, minlength=docs)[self.docs]
        means = np.zeros((docs, rows.shape[1]))
        np.add.at(means, self.docs, rows * share[:, None])
        return means.astype(np.float32)


def windows_of(words: Words, window_words: int = WINDOW_WORDS) -> Windows:
    """Cut each Doc as `windows_between` does, into windows of words."""
    return windows_between(words.word_starts, window_words)


def windows_between(firsts: Positions, most: int) -> Windows:
    """Cut each Doc into the fewest windows of at most `most` words or pieces, all about as long.

    Args:
        firsts: (docs + 1,) where each Doc begins among the words or pieces of all. One without any has one
            window without any.
        most: Words or pieces per window.
    """
    sizes = np.diff(firsts)
    counts = np.maximum(-(-sizes // most), 1)
    docs = np.repeat(np.arange(len(sizes)), counts)
    number = np.arange(len(docs)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = firsts[docs] + number * sizes[docs] // counts[docs]
    ends = firsts[docs] + (number + 1) * sizes[docs] // counts[docs]
    return Windows(docs, starts, (ends - starts).astype(np.int32))
