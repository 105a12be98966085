"""The layers of annotation a head can write: `ents`, `spans:KEY`, `tag`, `pos` and `cats`."""

from __future__ import annotations

from glossator.errors import ConfigError


def check_tagger_layer(layer: str) -> str:
    """Return `layer` if a tagger can write it; raise `ConfigError` otherwise."""
    if layer in ("ents", "tag", "pos") or (layer.startswith("spans:") and spans_key(layer)):
        return layer
    raise ConfigError(f"write = {layer!r}: a tagger writes 'ents', 'spans:KEY', 'tag' or 'pos'")


def holds_spans(layer: str) -> bool:
    """Whether the layer holds spans (`ents`, `spans:KEY`) and not one label a token."""
    return layer == "ents" or layer.startswith("spans:")


def spans_key(layer: str) -> str:
    """Return the KEY of `spans:KEY`."""
    return layer.removeprefix("spans:")
