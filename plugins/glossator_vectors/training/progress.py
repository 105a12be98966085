"""The progress of training."""

from __future__ import annotations


class TrainingView:
    """Hears how a training goes; this one says nothing."""

    def tokenized(self, words: int) -> None:
        """So many words are tokenized."""

    def training(self, words: int) -> None:
        """Training begins; it will go over so many words, all epochs together."""

    def trained(self, words: int) -> None:
        """So many more words were handed to gensim."""
