"""The layers that a format can hold; the user gets a message about those that are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from glossator.annotations.layer import LayerKind

if TYPE_CHECKING:
    from glossator.formats import Writer

# How messages name the annotations of each layer; "spans" stands for every `spans:KEY`.
LAYERS: Mapping[LayerKind, str] = {
    "ents": "entities",
    "spans": "spans",
    "tag": "tags",
    "pos": "parts of speech",
    "cats": "categories",
}
REMEDY = "jsonl and docbin hold everything"


def can_hold(writer: Writer, kind: LayerKind) -> bool:
    """Whether a writer can hold layers of a kind; a writer without `layers` holds all.

    Example:
        can_hold(ConllU().writer(path), "cats")  # False
    """
    return kind in getattr(writer, "layers", LAYERS)


def not_held(writer: Writer, counts: Counter[str]) -> str:
    """Return the annotations that a writer cannot hold, e.g. "9 entities, 2 tags", or ""."""
    return spelt(Counter({kind: counts[kind] for kind in LAYERS if not can_hold(writer, kind)}))


def spelt(counts: Counter[str]) -> str:
    """Return counts by layer in words, e.g. "9 entities, 2 tags"; "" if there are none."""
    return ", ".join(f"{counts[kind]:,} {name}" for kind, name in LAYERS.items() if counts[kind])
