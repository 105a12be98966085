"""Phrases that error messages share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" with the known word nearest to `word`, or "" where none is near."""
    nearest = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {nearest[0]!r}?)" if nearest else ""


def listed(names: Iterable[str]) -> str:
    """Return the names sorted, with commas; "none" where there are none."""
    return ", ".join(sorted(names)) or "none"


def join_first(names: Sequence[str], most: int) -> str:
    """Return the first names, with commas, and how many more there are than `most`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def one_line(error: BaseException) -> str:
    """Return the error's type and message without line breaks."""
    return " ".join(f"{type(error).__name__}: {error}".split())
