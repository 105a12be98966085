"""Labels of documents on their way from a file to a record's categories."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def categories(holding: Collection[str], labels: Sequence[str] = ()) -> dict[str, float]:
    """Return 1.0 for each label that holds, and 0.0 for the others of `labels`.

    Without `labels` nobody knows the others, and they are left out: a stage whose categories exclude
    each other takes them for 0, any other takes them for unknown.
    """
    return {label: float(label in holding) for label in labels or holding}


def names(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return names from a list of them, or from text with commas between, as a command line has it."""
    parts = given.split(",") if isinstance(given, str) else given
    return tuple(part.strip() for part in parts if part.strip())
