"""The progress of training, reported to whoever wants to show it: the command line, or a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from glossator.training.checkpoints import Epoch


class TrainingProgress(Protocol):
    """Receives the progress of a training run.

    Example:
        class Prints(Silent):
            def epoch_done(self, epoch, *, best):
                print(f"epoch {epoch.number}: {epoch.score:.4f}{' (best)' if best else ''}")

        train(config, "models/mine", progress=Prints())
    """

    def head_started(self, head: str, seed: int, words: int, max_epochs: int) -> None:
        """A head starts; an epoch has `words` words, and `max_epochs` is 0 for a stage fitted at once."""

    def batch_done(self, words: int) -> None:
        """A batch of `words` words was learned; a stage that is fitted at once has a single one."""

    def epoch_done(self, epoch: Epoch, *, best: bool) -> None:
        """An epoch was scored; `best` says whether it is the best so far."""

    def message(self, text: str) -> None:
        """Anything else that a user should know."""


class Silent:
    """Ignores all progress.

    Example:
        train(config, "models/mine", progress=Silent())
    """

    def head_started(self, head: str, seed: int, words: int, max_epochs: int) -> None:
        """Do nothing."""

    def batch_done(self, words: int) -> None:
        """Do nothing."""

    def epoch_done(self, epoch: Epoch, *, best: bool) -> None:
        """Do nothing."""

    def message(self, text: str) -> None:
        """Do nothing."""
