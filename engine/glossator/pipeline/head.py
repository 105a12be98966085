"""A tagger or classifier of a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.errors import ConfigError
from glossator.ml.thresholds import apply_thresholds

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from glossator.config.schema import HeadConfig
    from glossator.plugins.declared import Plugin


@dataclass(slots=True)
class Head:
    """A tagger or classifier of a pipeline: the stage, its config and its thresholds.

    Example:
        head = pipeline.heads["ner"]
        print(head.config.layer, head.labels)

    Attributes:
        config: Its section of the pipeline's config.
        stage: The stage.
        plugin: The plugin that declares the stage.
        thresholds: For a classifier, the lowest probability at which each label holds, see
            `ml.thresholds.apply_thresholds`; labels are without the head's prefix.
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
        """The labels as written to a Doc, with the prefix; empty before training."""
        return tuple(self.config.prefix + label for label in self.stage.labels)

    @property
    def exclusive(self) -> bool:
        """Whether a document has at most one of its labels."""
        return bool(getattr(self.stage, "exclusive", True))

    def apply_thresholds(self, probabilities: Any) -> list[list[str]]:
        """Return the labels that hold for each document, most probable first, from (docs, labels) values."""
        labels = self.stage.labels
        # The shape of an empty array does not say how many labels there are.
        rows = np.asarray(probabilities, dtype=np.float64).reshape(len(probabilities), len(labels))
        holding = apply_thresholds(rows, labels, self.thresholds, exclusive=self.exclusive)
        return [[self.config.prefix + label for label in doc_labels] for doc_labels in holding]

    def described(self) -> dict[str, Any]:
        """Return its entry in `meta.json`."""
        return {
            "kind": self.config.kind,
            "stage": self.config.stage,
            "writes": str(self.config.layer),
            "labels": list(self.labels),
            "thresholds": self.thresholds,
            "plugin": self.plugin.name,
            "distribution": self.plugin.distribution,
            "version": self.plugin.version,
        }

    def __str__(self) -> str:
        return f"{self.config.kind} {self.name!r} (stage {self.config.stage!r}, plugin {self.plugin.name!r})"


def check_labels_disjoint(labels: Mapping[str, Iterable[str]]) -> None:
    """Raise `ConfigError` for a label that two classifiers write to `doc.cats`.

    Example:
        check_labels_disjoint({"topic": ["news", "sport"], "mood": ["happy", "sad"]})

    Args:
        labels: The labels of each classifier, by its name, with the prefix.
    """
    owners: dict[str, str] = {}
    for name, written in labels.items():
        for label in written:
            if label in owners:
                raise ConfigError(
                    f"classifiers {owners[label]!r} and {name!r} both write doc.cats[{label!r}]: "
                    f'give one a prefix, e.g. [classifiers.{name}] prefix = "{name}:"'
                )
            owners[label] = name


def answer_of(doc: Doc, heads: Iterable[Head]) -> dict[str, Any]:
    """Return the predictions that heads wrote to a Doc, by head, as JSON values.

    Example:
        answer_of(doc, pipeline.heads.values())["ner"]  # [[0, 4, "PERSON", 0.98]]
    """
    answer: dict[str, Any] = {"text": doc.text}
    for head in heads:
        layer = head.config.layer
        if layer.is_categories:
            answer[head.name] = {label: doc.cats[label] for label in head.labels}
        elif layer.is_tags:
            tags = [layer.label_of(token) for token in doc]
            answer[head.name] = [tags, layer.tag_scores(doc, head.name)]
        else:
            answer[head.name] = [
                [span.start_char, span.end_char, span.label_, score]
                for span, score in layer.scored_spans(doc, head.name)
            ]
    return answer
