"""The stage under test: builds it, and loads it from a folder."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glossator.annotations.layer import Layer
from glossator.errors import PluginError
from glossator.hookspecs import Kind, Stage
from glossator.pipeline.loading import load
from glossator.pipeline.pipeline import Pipeline
from glossator.plugins.building import load_object
from glossator.plugins.manager import PluginManager
from glossator.testing.outcome import NotApplicable

if TYPE_CHECKING:
    from glossator.config.schema import HeadConfig

NAME = "checked"  # of the stage in its pipeline
LANG = "xx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A stage under test.

    Example:
        subject = Subject(
            kind="tagger", stage="builtin/crf", settings={}, layer=TAG, plugins=PluginManager()
        )
        pipeline = subject.compose()

    Attributes:
        kind: The kind of stage.
        stage: Its name, "stage" or "plugin/stage", or a record.
        settings: Keyword arguments of its factory, without the layer.
        layer: The layer that a tagger or classifier writes; None for others.
        plugins: Where names are looked up.
    """

    kind: Kind
    stage: str | Stage
    settings: Mapping[str, Any]
    layer: Layer | None
    plugins: PluginManager

    def compose(self, *, prepare: bool = True) -> Pipeline:
        """Return a pipeline of the stage alone, as a user composes it; `prepare=False` for loading."""
        # Each stage gets a copy of the settings, so that one that changes them fails one check only.
        settings = copy.deepcopy(dict(self.settings))
        if self.kind == "tokenizer":
            return Pipeline(
                settings.pop("lang", LANG), tokenizer=self.stage, plugins=self.plugins, **settings
            )
        pipeline = Pipeline(LANG, plugins=self.plugins)
        if self.kind == "embedder":
            pipeline.add_embedder(NAME, self.stage, **settings)
        elif self.kind == "tagger":
            pipeline.add_tagger(NAME, self.stage, write=str(self.written), **settings)
        else:
            pipeline.add_classifier(NAME, self.stage, **settings)
        return pipeline.prepare() if prepare else pipeline

    def load(self, folder: Path) -> Pipeline:
        """Load a saved pipeline of this stage."""
        # An embedder that no head names is not loaded, and a record cannot be looked up by name.
        if isinstance(self.stage, str) and self.kind != "embedder":
            return load(folder, plugins=self.plugins)
        pipeline = self.compose(prepare=False)
        if self.kind != "tokenizer":
            self.part(pipeline).from_disk(folder / self.subfolder)
        return pipeline

    @property
    def written(self) -> Layer:
        """The layer that the tagger or classifier writes.

        Raises:
            NotApplicable: The stage is neither.
        """
        if self.layer is None:
            raise NotApplicable("it writes no layer")
        return self.layer

    @property
    def subfolder(self) -> str:
        """The subfolder of the stage's own files in a saved pipeline."""
        return f"{self.kind}s/{NAME}"

    def part(self, pipeline: Pipeline) -> Any:
        """Return the stage in a pipeline from `compose` or `load`."""
        if self.kind == "tokenizer":
            return pipeline.tokenizer
        if self.kind == "embedder":
            return pipeline.embedders[NAME]
        return pipeline.heads[NAME].stage

    def to_json(self) -> dict[str, Any]:
        """Return a description of the subject for another process.

        Raises:
            NotApplicable: It is a record whose factory cannot be imported by name.
        """
        stage = self.stage
        description = stage if isinstance(stage, str) else {"name": stage.name, "factory": _reference(stage)}
        layer = None if self.layer is None else str(self.layer)
        return {"kind": self.kind, "stage": description, "settings": dict(self.settings), "layer": layer}

    @classmethod
    def from_json(cls, description: Mapping[str, Any]) -> Subject:
        """Return the subject that another process described."""
        stage = description["stage"]
        return cls(
            kind=description["kind"],
            stage=stage if isinstance(stage, str) else Stage(**stage),
            settings=description["settings"],
            layer=Layer.parse(description["layer"]) if description["layer"] else None,
            plugins=PluginManager.from_environment(),
        )


def head_of(pipeline: Pipeline) -> HeadConfig:
    """Return the config of the tagger or classifier under test.

    Example:
        pipeline.vector_space(head_of(pipeline))
    """
    return pipeline.heads[NAME].config


def _reference(record: Stage) -> str:
    """Return "module:name" of a record's factory."""
    factory = record.factory
    if isinstance(factory, str):
        return factory
    reference = f"{factory.__module__}:{getattr(factory, '__qualname__', '')}"
    try:
        imported = load_object(reference, what=record.name)
    except PluginError:
        imported = None
    # In another process, "__main__" is another module.
    if imported is not factory or factory.__module__ == "__main__":
        raise NotApplicable(f"another process cannot import its factory as {reference!r}")
    return reference
