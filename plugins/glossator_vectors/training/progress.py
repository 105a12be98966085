"""Receiving the progress of training."""

from __future__ import annotations


class TrainingProgress:
    """Receives the progress of training and ignores it; override what you need.

    Example:
        class Total(TrainingProgress):
            def training_started(self, words: int) -> None:
                print(f"{words:,} words to train on")
    """

    def tokenized(self, words: int) -> None:
        """Called with the number of words tokenized so far."""

    def training_started(self, words: int) -> None:
        """Called before training with the number of words of all epochs together."""

    def trained(self, words: int) -> None:
        """Called with the number of words trained on since the last call."""
