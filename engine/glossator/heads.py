"""A tagger or classifier in its place in a pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glossator.thresholds import holding

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from glossator.config import HeadConfig
    from glossator.plugins import Plugin


@dataclass(slots=True)
class Head:
    """A tagger or classifier in its place: the stage, and what the pipeline knows about it.

    Attributes:
        config: Its description.
        stage: The stage.
        plugin: Which plugin it is from.
        thresholds: For a classifier, from which probability each label holds, as `thresholds.holding` takes
            it; without its prefix.
    """

    config: HeadConfig
    stage: Any
    plugin: Plugin
    thresholds: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name in the pipeline."""
        return self.config.name

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels as they stand on a Doc, prefix included; empty before training."""
        return tuple(self.config.prefix + label for label in self.stage.labels)

    @property
    def exclusive(self) -> bool:
        """Whether a document has at most one of its labels."""
        return bool(getattr(self.stage, "exclusive", True))

    def holding(self, doc: Doc) -> list[str]:
        """Return which of a classifier's labels hold on an annotated Doc, the likeliest first."""
        probabilities = {label: doc.cats[label] for label in self.labels}
        thresholds = {self.config.prefix + label: least for label, least in self.thresholds.items()}
        return holding(probabilities, thresholds, exclusive=self.exclusive)

    def __str__(self) -> str:
        return f"{self.config.kind} {self.name!r} (stage {self.config.stage!r}, plugin {self.plugin.name!r})"
