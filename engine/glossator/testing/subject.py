"""The stage under test: how to build it, and how to bring it back from a folder."""

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
    """A stage to be checked.

    Attributes:
        kind: What kind of stage it is.
        stage: Its name, "plugin/stage" (a plain name is found, too), or a record.
        settings: What its factory gets besides the layer.
        layer: What a tagger or classifier writes; None for others.
        plugins: Where names are looked up.
    """

    kind: Kind
    stage: str | Stage
    settings: Mapping[str, Any]
    layer: Layer | None
    plugins: PluginManager

    def compose(self, *, prepare: bool = True) -> Pipeline:
        """Return a pipeline with the stage alone, as a user composes it; `prepare=False` for loading."""
        # Every stage gets settings of its own, so that one that changes them is caught in one check alone.
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
        # An embedder that no head names is not loaded, and a record has no name to be found by.
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
        """Where the stage's own files are in a saved pipeline."""
        return f"{self.kind}s/{NAME}"

    def part(self, pipeline: Pipeline) -> Any:
        """Return the stage in a pipeline of `compose` or `load`."""
        if self.kind == "tokenizer":
            return pipeline.tokenizer
        if self.kind == "embedder":
            return pipeline.embedders[NAME]
        return pipeline.heads[NAME].stage

    def to_json(self) -> dict[str, Any]:
        """Describe the subject to another process.

        Raises:
            NotApplicable: It is a record whose factory has no name to be imported by.
        """
        stage = self.stage
        layer = None if self.layer is None else str(self.layer)
        named = stage if isinstance(stage, str) else {"name": stage.name, "factory": _reference(stage)}
        return {"kind": self.kind, "stage": named, "settings": dict(self.settings), "layer": layer}

    @classmethod
    def from_json(cls, described: Mapping[str, Any]) -> Subject:
        """Return the subject another process described."""
        stage = described["stage"]
        return cls(
            kind=described["kind"],
            stage=stage if isinstance(stage, str) else Stage(**stage),
            settings=described["settings"],
            layer=Layer.parse(described["layer"]) if described["layer"] else None,
            plugins=PluginManager.from_environment(),
        )


def head_of(pipeline: Pipeline) -> HeadConfig:
    """Return the config of the tagger or classifier under test."""
    return pipeline.heads[NAME].config


def _reference(record: Stage) -> str:
    """Return "module:name" of a record's factory."""
    factory = record.factory
    if isinstance(factory, str):
        return factory
    reference = f"{factory.__module__}:{getattr(factory, '__qualname__', '')}"
    try:
        found = load_object(reference, what=record.name)
    except PluginError:
        found = None
    if found is not factory or factory.__module__ == "__main__":
        raise NotApplicable(f"another process cannot import its factory as {reference!r}")
    return reference
