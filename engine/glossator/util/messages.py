"""Phrases of error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def did_you_mean(word: str, valid: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" with the valid word most similar to `word`, or "" if none is similar.

    Example:
        did_you_mean("widht", ["width", "depth"])  # " (did you mean 'width'?)"
    """
    nearest = difflib.get_close_matches(word, list(valid), n=1)
    return f" (did you mean {nearest[0]!r}?)" if nearest else ""


def listed(names: Iterable[str]) -> str:
    """Return the names, sorted and separated by commas; "none" if there are none.

    Example:
        listed({"ner", "mood"})  # "mood, ner"
    """
    return ", ".join(sorted(names)) or "none"


def join_first(names: Sequence[str], most: int) -> str:
    """Return the first `most` names, separated by commas, and how many more there are.

    Example:
        join_first(["a", "b", "c"], 2)  # "a, b and 1 more"
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def one_line(error: BaseException) -> str:
    """Return the error's type and message without line breaks.

    Example:
        one_line(ValueError("no number"))  # "ValueError: no number"
    """
    return " ".join(f"{type(error).__name__}: {error}".split())
