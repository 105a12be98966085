"""The settings of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from glossator.errors import UsageError

Method = Literal["word2vec", "fasttext"]
METHODS: tuple[Method, ...] = get_args(Method)
LARGEST_SEED = 2**32 - 1  # of numpy's older generator, which gensim draws from


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """How vectors are trained.

    Attributes:
        method: "word2vec" or "fasttext".
        width: Numbers in a vector.
        window: Words to the left and to the right that a word is learned from.
        min_count: Words that occur less often get no vector.
        epochs: Passes over the corpus.
        skip_gram: Whether a word predicts its neighbours (skip-gram), not they it (CBOW).
        seed: Where the randomness starts; with one worker the same seed gives the same vectors.
        workers: Threads.
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
            raise UsageError(f"method {self.method!r}: there are {', '.join(METHODS)}")
        for name in ("width", "window", "min_count", "epochs", "workers"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name.replace('_', '-')} must be at least 1, not {getattr(self, name)}")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise UsageError(f"seed must be from 0 to {LARGEST_SEED}, not {self.seed}")
