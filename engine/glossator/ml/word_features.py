"""What is known of a word by itself, as 64-bit hashes: the word, its shape, its first and last characters.

All words are hashed at once; there is no Python loop over tokens, and none over characters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from spacy.strings import get_string_id

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

AFFIX_SIZES = (1, 2, 3, 4)
# The columns of `word_features`.
WORD, LOWER, SHAPE, OUTLINE = 0, 1, 2, 3
PREFIXES = tuple(4 + i for i in range(len(AFFIX_SIZES)))
SUFFIXES = tuple(4 + len(AFFIX_SIZES) + i for i in range(len(AFFIX_SIZES)))

_LONGEST = AFFIX_SIZES[-1]
_STEP = np.uint64(0x100000001B3)
_RUN = re.compile(r"(.)\1+")


def word_features(
    words: Hashes, lower: Hashes, shapes: Hashes, strings: Sequence[str], shape_strings: Sequence[str]
) -> Hashes:
    """Return the (words, 12) hashes of distinct words: word, lower case, shape, outline, prefixes, suffixes.

    The outline of "2026-11" is "d-d": its shape without repetitions.

    Args:
        words: (words,) spaCy's `ORTH`.
        lower: (words,) spaCy's `LOWER`.
        shapes: (words,) spaCy's `SHAPE`.
        strings: The words as text.
        shape_strings: Their shapes as text.

    Example:
        word_features(orth, lower, shapes, ["Oslo"], ["Xxxx"]).shape  # (1, 12)
    """
    columns = [words, lower, shapes, _outlines(shapes, shape_strings), *affix_hashes(strings)]
    return np.stack(columns, axis=1).astype(np.uint64)


def outline_of(shape: str) -> str:
    """Return a shape without repetitions.

    Example:
        outline_of("dddd-dd")  # "d-d"
    """
    return _RUN.sub(r"\1", shape)


def affix_hashes(strings: Sequence[str]) -> list[Hashes]:
    """Return (strings,) hashes of each prefix and then of each suffix, of 1 to 4 characters.

    A word with fewer characters counts as one that ends there: its longer affixes have a hash, too.

    Example:
        prefix1, *_, suffix4 = affix_hashes(["Oslo", "Bergen"])
    """
    prefixes = _code_points([string[:_LONGEST] for string in strings])
    suffixes = _code_points([string[: -_LONGEST - 1 : -1] for string in strings])
    return [*_running_hashes(prefixes), *_running_hashes(suffixes)]


def _outlines(shapes: Hashes, strings: Sequence[str]) -> Hashes:
    _, first, inverse = np.unique(shapes, return_index=True, return_inverse=True)
    outlines = [get_string_id(outline_of(strings[word])) for word in first.tolist()]
    return np.asarray(outlines, dtype=np.uint64)[inverse.reshape(-1)]


def _code_points(strings: Sequence[str]) -> Hashes:
    """Return (strings, 4) code points, 0 after the end."""
    # The character put in front keeps numpy from cutting nulls off the end of a word.
    padded = np.asarray([string.ljust(_LONGEST, "\0") + "." for string in strings], dtype=f"<U{_LONGEST + 1}")
    points = padded.view(np.uint32).reshape(len(strings), _LONGEST + 1)
    return points[:, :_LONGEST].astype(np.uint64)


def _running_hashes(points: Hashes) -> list[Hashes]:
    """Return hashes (strings,) of the first character, the first two, and so on (FNV-1a by code points)."""
    state = np.full(len(points), 0xCBF29CE484222325, dtype=np.uint64)
    hashes = []
    for column in points.T:
        state = (state ^ column) * _STEP
        hashes.append(state)
    return hashes
