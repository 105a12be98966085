"""What a batch of encoded sequences is to those that read the network's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Layout(Protocol):
    """Sequences of words of like length, such as `hashed_words.PaddedSequences`."""

    @property
    def lengths(self) -> NDArray[np.int32]:
        """(batch,) the words of each."""

    @property
    def places(self) -> NDArray[np.intp]:
        """(batch, time) where each word stands among the words of the Docs; any after a sequence's end."""

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(batch, time): whether there is a word."""
