"""A span tagger without anything to learn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from spacy.tokens import Doc

from glossator.annotations.layer import Layer
from glossator.errors import ConfigError
from glossator.stages import ScoredSpan, Vectors


class ShoutingTagger:
    """Marks every word of two or more letters that is all in capitals."""

    def __init__(self, *, write: str = "ents", label: str = "SHOUT") -> None:
        if not Layer.for_tagger(write).is_spans:
            raise ConfigError(f"shouting writes 'ents' or 'spans:KEY', not {write!r}")
        self.labels = (label,)

    def predict(self, docs: Sequence[Doc], vectors: Vectors) -> list[list[ScoredSpan]]:
        return [
            [ScoredSpan(t.i, t.i + 1, self.labels[0], 1.0) for t in doc if t.is_upper and len(t) > 1]
            for doc in docs
        ]

    def to_disk(self, path: Path) -> None:
        (path / "labels.json").write_text(json.dumps(self.labels), encoding="utf-8")

    def from_disk(self, path: Path) -> None:
        self.labels = tuple(json.loads((path / "labels.json").read_text(encoding="utf-8")))
