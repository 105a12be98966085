"""Sequences of word pieces longer than the model: windows that overlap, each piece read where it sees most.

A piece's state is taken from the window in which it is furthest from the nearest edge beyond which there is
more text. No piece is cut off, and each is taken from exactly one window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glossator.ml.batching import bucket_by_length
from glossator_keras.arrays import Ints, Mask, Positions
from glossator_keras.bert.tokenizer import SPECIAL, EncodedPieces, WordPieceTokenizer

OVERLAP = 4  # neighbouring windows share at least one piece in four

# Word pieces per run of the network. Of 512, 1024, 2048 and 4096 the fewest were the fastest, with one run
# per processor side by side: there is less padding, and the states between two layers stay in its cache.
PREDICT_POSITIONS = 512


@dataclass(frozen=True, slots=True)
class PieceWindows:
    """Windows over the pieces of some sequences.

    Attributes:
        starts: (windows,) the first piece of each.
        lengths: (windows,) the pieces of each.
        owned: (windows, 2) the first piece whose state is taken from it, and the one after the last.

    Example:
        A sequence of 100 pieces in windows of at most 60:

            windows = overlapping_windows(np.array([0, 100]), 60)
            windows.owned  # [[0, 50], [50, 100]]
    """

    starts: Positions
    lengths: Positions
    owned: Positions

    def select(self, mask: Mask) -> PieceWindows:
        """Return the windows where the mask is true."""
        return PieceWindows(self.starts[mask], self.lengths[mask], self.owned[mask])


def overlapping_windows(bounds: Positions, most: int) -> PieceWindows:
    """Cut sequences into the fewest windows of at most `most` pieces that overlap by a quarter or more.

    Args:
        bounds: (sequences + 1,) where each sequence begins; they lie end to end.
        most: Pieces per window.
    """
    sizes = np.diff(bounds)
    overlap = most // OVERLAP
    counts = np.where(sizes <= most, 1, -(-(sizes - overlap) // (most - overlap)))
    sequences = np.repeat(np.arange(len(sizes)), counts)
    number = np.arange(len(sequences)) - np.repeat(np.cumsum(counts) - counts, counts)
    spread = np.maximum(sizes - most, 0)[sequences]
    starts = bounds[sequences] + number * spread // np.maximum(counts[sequences] - 1, 1)
    lengths = np.minimum(sizes, most)[sequences]

    # In the middle of what two windows share, a piece is equally far from the edges of both.
    last = number == counts[sequences] - 1
    middles = (np.roll(starts, -1) + starts + lengths) // 2
    until = np.where(last, bounds[1:][sequences], middles)
    since = np.where(number == 0, bounds[:-1][sequences], np.roll(until, 1))
    return PieceWindows(starts, lengths, np.column_stack([since, until]))


@dataclass(frozen=True, slots=True)
class PaddedWindows:
    """Windows of like length, as networks take them.

    Attributes:
        windows: (batch,) indices of these windows among all.
        token_ids: (batch, time) word pieces between [CLS] and [SEP]; any after that.
        padding_mask: (batch, time) ones where there is a piece, [CLS] and [SEP] among them.
        pieces: (batch, time) the index of each piece among all.

    Example:
        The states of all pieces of some windows:

            for batch in padded_windows(encoded, tokenizer, windows.starts, windows.lengths, 512):
                states = network(batch.inputs)
    """

    windows: Positions
    token_ids: Ints
    padding_mask: Ints
    pieces: Positions

    @property
    def inputs(self) -> dict[str, Ints]:
        """The inputs of every network over word pieces."""
        return {"token_ids": self.token_ids, "padding_mask": self.padding_mask}


def padded_windows(
    encoded: EncodedPieces,
    tokenizer: WordPieceTokenizer,
    starts: Positions,
    lengths: Positions,
    max_positions: int,
) -> Iterator[PaddedWindows]:
    """Lay windows out in batches of like length.

    Args:
        encoded: The Docs.
        tokenizer: The tokenizer that cut them.
        starts: (windows,) the first piece of each.
        lengths: (windows,) the pieces of each; there may be none.
        max_positions: Positions per batch, [CLS], [SEP] and padding included; a longer window is a batch of
            its own.

    Yields:
        Batches; each window is in exactly one.
    """
    for batch in bucket_by_length(lengths + SPECIAL, max_positions):
        size = lengths[batch][:, None]
        steps = np.arange(int(size.max()) + SPECIAL)
        pieces = starts[batch][:, None] + steps - 1
        inside = (steps > 0) & (steps <= size)
        ids = encoded.ids[np.where(inside, pieces, 0)] if inside.any() else np.zeros(inside.shape, np.int32)
        ends = np.where(steps == 0, tokenizer.cls, tokenizer.sep)
        yield PaddedWindows(
            windows=batch,
            token_ids=np.where(inside, ids, ends).astype(np.int32),
            padding_mask=(steps < size + SPECIAL).astype(np.int32),
            pieces=pieces,
        )
