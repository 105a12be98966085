"""Which layers of annotation a format can hold; what it cannot is left out, and said to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from glossator.annotations.layer import LayerKind

if TYPE_CHECKING:
    from glossator.formats import Writer

# What each layer holds, as messages call it; all `spans:KEY` are one here.
LAYERS: Mapping[LayerKind, str] = {
    "ents": "entities",
    "spans": "spans",
    "tag": "tags",
    "pos": "parts of speech",
    "cats": "categories",
}
REMEDY = "jsonl and docbin hold everything"


def can_hold(writer: Writer, kind: LayerKind) -> bool:
    """Whether a writer holds layers of a kind. One that says nothing of `layers` holds all."""
    return kind in getattr(writer, "layers", LAYERS)


def not_held(writer: Writer, found: Counter[str]) -> str:
    """Return what of the annotations a writer cannot hold, e.g. "9 entities, 2 tags", or ""."""
    return spelt(Counter({kind: found[kind] for kind in LAYERS if not can_hold(writer, kind)}))


def spelt(found: Counter[str]) -> str:
    """Return counts by layer in words, e.g. "9 entities, 2 tags"; "" where there are none."""
    return ", ".join(f"{found[kind]:,} {name}" for kind, name in LAYERS.items() if found[kind])
