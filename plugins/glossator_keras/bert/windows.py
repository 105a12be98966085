"""Sequences of word pieces longer than the model: windows that overlap, each piece read where it sees most.

A piece's state is taken from the window in which it is furthest from the nearest edge behind which there is
more text. No piece is cut off, and each is taken from exactly one window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glossator.batching import of_like_length
from glossator_keras.bert.tokenizer import SPECIAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glossator_keras.bert.tokenizer import EncodedPieces, WordPieces

OVERLAP = 4  # neighbouring windows share at least one in so many pieces

# Word pieces a run of the network. Of 512, 1024, 2048 and 4096 the fewest were the fastest, with a run a
# processor side by side: there is less padding, and the states between two layers stay in its cache.
PREDICT_PLACES = 512


@dataclass(frozen=True, slots=True)
class PieceWindows:
    """Windows over the pieces of some sequences.

    Attributes:
        starts: (windows,) the first piece of each.
        lengths: (windows,) the pieces of each.
        owned: (windows, 2) the first piece that is taken from it, and the one after the last.
    """

    starts: NDArray[np.intp]
    lengths: NDArray[np.intp]
    owned: NDArray[np.intp]

    def chosen(self, which: NDArray[np.bool_]) -> PieceWindows:
        """Return some of the windows."""
        return PieceWindows(self.starts[which], self.lengths[which], self.owned[which])


def overlapping_windows(bounds: NDArray[np.intp], most: int) -> PieceWindows:
    """Cut sequences into the fewest windows of at most `most` pieces that overlap by a quarter or more.

    Args:
        bounds: (sequences + 1,) where each sequence begins; they stand end to end.
        most: Pieces of a window.
    """
    sizes = np.diff(bounds)
    overlap = most // OVERLAP
    counts = np.where(sizes <= most, 1, -(-(sizes - overlap) // (most - overlap)))
    sequences = np.repeat(np.arange(len(sizes)), counts)
    number = np.arange(len(sequences)) - np.repeat(np.cumsum(counts) - counts, counts)
    spread = np.maximum(sizes - most, 0)[sequences]
    starts = bounds[sequences] + number * spread // np.maximum(counts[sequences] - 1, 1)
    lengths = np.minimum(sizes, most)[sequences]
    # Two windows see a piece equally well in the middle of what they share.
    last = number == counts[sequences] - 1
    middles = (np.roll(starts, -1) + starts + lengths) // 2
    until = np.where(last, bounds[1:][sequences], middles)
    since = np.where(number == 0, bounds[:-1][sequences], np.roll(until, 1))
    return PieceWindows(starts, lengths, np.column_stack([since, until]))


@dataclass(frozen=True, slots=True)
class PaddedWindows:
    """Windows of like length, as networks take them.

    Attributes:
        windows: (batch,) which of the windows these are.
        token_ids: (batch, time) word pieces between [CLS] and [SEP]; any after that.
        padding_mask: (batch, time) ones where there is a piece, [CLS] and [SEP] among them.
        pieces: (batch, time) which piece stands there, counted over all.
    """

    windows: NDArray[np.intp]
    token_ids: NDArray[np.int32]
    padding_mask: NDArray[np.int32]
    pieces: NDArray[np.intp]

    @property
    def inputs(self) -> dict[str, NDArray[np.int32]]:
        """What every network over word pieces takes."""
        return {"token_ids": self.token_ids, "padding_mask": self.padding_mask}


def padded_windows(
    encoded: EncodedPieces,
    pieces: WordPieces,
    starts: NDArray[np.intp],
    lengths: NDArray[np.intp],
    max_places: int,
) -> Iterator[PaddedWindows]:
    """Lay windows out in batches of like length.

    Args:
        encoded: The Docs.
        pieces: What cut them.
        starts: (windows,) the first piece of each.
        lengths: (windows,) the pieces of each; there may be none.
        max_places: Places of a batch, [CLS], [SEP] and padding included; a longer window is a batch of its
            own.

    Yields:
        Batches; each window is in exactly one.
    """
    for batch in of_like_length(lengths + SPECIAL, max_places):
        size = lengths[batch][:, None]
        steps = np.arange(int(size.max()) + SPECIAL)
        places = starts[batch][:, None] + steps - 1
        inside = (steps > 0) & (steps <= size)
        ids = encoded.ids[np.where(inside, places, 0)] if inside.any() else np.zeros(inside.shape, np.int32)
        ends = np.where(steps == 0, pieces.cls, pieces.sep)
        yield PaddedWindows(
            windows=batch,
            token_ids=np.where(inside, ids, ends).astype(np.int32),
            padding_mask=(steps < size + SPECIAL).astype(np.int32),
            pieces=places,
        )
