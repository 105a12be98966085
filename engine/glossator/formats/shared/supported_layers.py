"""Which layers of annotation a format can hold; what it cannot is left out, and said to be."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glossator.formats import Writer

# What each layer holds, as messages call it; all `spans:KEY` are one here.
LAYERS = {
    "ents": "entities",
    "spans": "spans",
    "tag": "tags",
    "pos": "parts of speech",
    "cats": "categories",
}
REMEDY = "jsonl and docbin hold everything"


def can_hold(writer: Writer, layer: str) -> bool:
    """Whether a writer holds a layer ("ents", "spans:KEY", "tag", "pos" or "cats").

    One that says nothing of `layers` holds all.
    """
    return layer.partition(":")[0] in getattr(writer, "layers", LAYERS)


def not_held(writer: Writer, found: Counter[str]) -> str:
    """Return what of the annotations a writer cannot hold, e.g. "9 entities, 2 tags", or ""."""
    return spelt(Counter({layer: found[layer] for layer in LAYERS if not can_hold(writer, layer)}))


def spelt(found: Counter[str]) -> str:
    """Return counts by layer in words, e.g. "9 entities, 2 tags"; "" where there are none."""
    return ", ".join(f"{found[layer]:,} {name}" for layer, name in LAYERS.items() if found[layer])
