"""Turns the labels of a file into the categories of a record."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def categories(holding: Collection[str], labels: Sequence[str] = ()) -> dict[str, float]:
    """Return 1.0 for each label that holds, and 0.0 for the others of `labels`.

    Without `labels` the others are unannotated: a stage with exclusive categories treats them as 0, any
    other stage as missing.

    Example:
        categories(["news"], ["news", "sport"])  # {"news": 1.0, "sport": 0.0}
    """
    return {label: float(label in holding) for label in labels or holding}


def names(value: str | Sequence[str]) -> tuple[str, ...]:
    """Return names from a list, or from a text with commas, as on the command line.

    Example:
        names("news, sport")  # ("news", "sport")
    """
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(part.strip() for part in parts if part.strip())
