"""The settings of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from glossator.errors import UsageError

Method = Literal["word2vec", "fasttext"]
METHODS: tuple[Method, ...] = get_args(Method)
MAX_SEED = 2**32 - 1  # the limit of numpy's legacy generator, which gensim uses


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """The settings of training.

    Example:
        TrainingSettings(method="fasttext", width=300, skip_gram=True)

    Attributes:
        method: "word2vec" or "fasttext".
        width: Dimensions of a vector.
        window: Context words on each side.
        min_count: Words that occur less often get no vector.
        epochs: Passes over the corpus.
        skip_gram: Whether a word predicts its context (skip-gram) instead of the reverse (CBOW).
        seed: Seed of the random numbers; with one worker the same seed gives the same vectors.
        workers: Number of threads.
    """

    method: Method = "word2vec"
    width: int = 128
    window: int = 5
    min_count: int = 5
    epochs: int = 5
    skip_gram: bool = False
    seed: int = 0
    workers: int = 1

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(f"method {self.method!r}: valid methods: {', '.join(METHODS)}")
        for name in ("width", "window", "min_count", "epochs", "workers"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name.replace('_', '-')} must be at least 1, not {getattr(self, name)}")
        if not 0 <= self.seed <= MAX_SEED:
            raise UsageError(f"seed must be from 0 to {MAX_SEED}, not {self.seed}")
