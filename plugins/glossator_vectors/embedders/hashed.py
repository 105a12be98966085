"""The embedder `hash`: a random vector for each word, made from its hash alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from spacy.attrs import LOWER

from glossator.errors import ConfigError
from glossator.words import words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc
    from thinc.types import Floats2d

# The increment and the multipliers of splitmix64.
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class HashVectors:
    """Gives each token a random vector that its lower-cased word decides; white-space tokens get zeros.

    Its numbers are uniform with mean 0 and variance 1, drawn by splitmix64 (Steele, Lea, Flood: Fast
    splittable pseudorandom number generators, OOPSLA 2014) from the word's hash and `seed`.

    Args:
        width: Numbers in a vector.
        seed: Another seed, other vectors.
    """

    def __init__(self, width: int = 64, seed: int = 0) -> None:
        for name, value, least in (("width", width, 1), ("seed", seed, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"{name} = {value!r}: it is a whole number, at least {least}")
        self.width = width
        self._seed = seed

    def embed(self, docs: Sequence[Doc]) -> Sequence[Floats2d]:
        """Return the vectors of each Doc's tokens."""
        words = words_of(docs, [LOWER])
        keys, at = np.unique(words.features[:, 0], return_inverse=True)
        return words.scatter(self._drawn(keys)[at])

    def to_disk(self, path: Path) -> None:
        """Write nothing: the settings say it all."""

    def from_disk(self, path: Path) -> None:
        """Read nothing."""

    def _drawn(self, keys: NDArray[np.uint64]) -> NDArray[np.float32]:
        """Return (keys, width) random numbers."""
        start = _mixed(keys ^ _mixed(np.asarray([self._seed % 2**64], dtype=np.uint64) + _GAMMA))
        steps: Any = np.arange(1, self.width + 1, dtype=np.uint64) * _GAMMA
        bits = _mixed(start[:, None] + steps[None, :]) >> np.uint64(40)
        uniform = bits.astype(np.float32) / np.float32(2**24)
        return (uniform - np.float32(0.5)) * np.float32(np.sqrt(12))


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    return values ^ (values >> np.uint64(31))
