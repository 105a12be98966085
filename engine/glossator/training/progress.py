"""What long work says about itself while it goes on; the command line shows it, a library call need not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from glossator.training.checkpoints import Epoch


class TrainingProgress(Protocol):
    """Hears of a training run."""

    def head_started(self, head: str, seed: int, words: int, max_epochs: int) -> None:
        """A head starts to learn; `words` are in an epoch, `max_epochs` is 0 where it learns at once."""

    def batch_done(self, words: int) -> None:
        """A batch of so many words was learned."""

    def epoch_done(self, epoch: Epoch, *, best: bool) -> None:
        """An epoch was scored; `best` says whether it is the best so far."""

    def message(self, text: str) -> None:
        """Something else a person wants to know."""


class Silent:
    """Hears and says nothing."""

    def head_started(self, head: str, seed: int, words: int, max_epochs: int) -> None:
        """Ignore it."""

    def batch_done(self, words: int) -> None:
        """Ignore it."""

    def epoch_done(self, epoch: Epoch, *, best: bool) -> None:
        """Ignore it."""

    def message(self, text: str) -> None:
        """Ignore it."""
