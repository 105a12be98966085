"""How a batch's sequences of words lie among the words of its Docs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int32]
Positions: TypeAlias = NDArray[np.intp]
Mask: TypeAlias = NDArray[np.bool_]


class Layout(Protocol):
    """Sequences of words of like length.

    Example:
        Rows of words become (batch, time, columns) by a single look-up:

            padded = np.where(layout.mask[:, :, None], rows[layout.positions], 0)
    """

    @property
    def lengths(self) -> Ints:
        """(batch,) the number of words of each sequence."""

    @property
    def positions(self) -> Positions:
        """(batch, time) the position of each word among the words of the Docs; any after a sequence's end."""

    @property
    def mask(self) -> Mask:
        """(batch, time) whether there is a word."""


@dataclass(frozen=True, slots=True)
class WordSequences:
    """Sequences of words, as arrays: a `Layout`.

    Attributes:
        lengths: (batch,) the number of words of each sequence.
        positions: (batch, time) the position of each word among the words of the Docs; that of the last word
            after a sequence's end.
        mask: (batch, time) whether there is a word.

    Example:
        Words 0 to 3 and 4 to 9 of the Docs:

            sequences = WordSequences.between(np.array([0, 4]), np.array([4, 10]))
            sequences.mask.shape  # (2, 6)
    """

    lengths: Ints
    positions: Positions
    mask: Mask

    @classmethod
    def between(cls, starts: Positions, ends: Positions) -> WordSequences:
        """Lay out the words from (batch,) `starts` to before (batch,) `ends`; no sequence is empty."""
        lengths = ends - starts
        steps = np.arange(int(lengths.max()))
        positions = np.minimum(starts[:, None] + steps, ends[:, None] - 1)
        return cls(lengths.astype(np.int32), positions, steps < lengths[:, None])
