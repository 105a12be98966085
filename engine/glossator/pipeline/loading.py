"""Loading saved pipelines, and checking that they still answer as they did."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from glossator.config.text import read_config
from glossator.errors import ConfigError, PipelineError
from glossator.pipeline import golden
from glossator.pipeline.folder import CONFIG, GOLDEN, damaged_files, open_folder, read_meta, restore
from glossator.pipeline.head import Head
from glossator.pipeline.pipeline import Pipeline
from glossator.plugins.manager import PluginManager


@dataclass(frozen=True, slots=True)
class Foreign:
    """What the other classifiers of a pipeline write: their labels, prefixes included, and these prefixes."""

    labels: frozenset[str]
    prefixes: tuple[str, ...]


def load(
    pipeline: str | Path,
    *,
    only: Collection[str] = (),
    without: Collection[str] = (),
    plugins: PluginManager | None = None,
) -> Pipeline:
    """Load a saved pipeline: a folder, or the name of one that an installed package carries.

    Args:
        pipeline: The folder or the name.
        only: Load these heads alone.
        without: Leave these heads out.
        plugins: Where stages are looked up; by default all that are installed.

    Raises:
        ConfigError: There is no head of such a name, or none is left.
        PipelineError: There is no such pipeline, or it is damaged.
        PluginError: A stage it needs is not installed.

    Example:
        pipeline = glossator.load("models/samples", only=["ner"])
    """
    manager = plugins or PluginManager.from_environment()
    folder = pipeline_folder(pipeline, manager)
    config, meta = open_folder(folder)
    loaded = Pipeline.from_config(config, plugins=manager, only=only, without=without)
    restore(loaded.slots(), folder)
    for head in loaded.heads.values():
        head.thresholds = dict(meta["heads"][head.name].get("thresholds", {}))
    loaded.source = folder
    loaded.meta = {key: meta[key] for key in ("scores", "data", "seeds") if key in meta}

    if (only or without) and not loaded.heads:
        raise ConfigError("no head is left to load: leave out fewer")
    return loaded


def pipeline_folder(pipeline: str | Path, plugins: PluginManager) -> Path:
    """Return the folder of a pipeline: itself, or that of one that an installed package carries."""
    path = Path(pipeline)
    is_name = isinstance(pipeline, str) and path.name == pipeline
    if is_name and not path.exists():
        found = next((d.record for d in plugins.pipelines() if d.record.name == pipeline), None)
        return found.path if found else path
    return path


def check_pipeline(folder: Path, *, plugins: PluginManager | None = None) -> None:
    """Check that a saved pipeline's files are whole, and that it answers its golden texts as it did.

    Raises:
        PipelineError: A file is damaged, or an answer is another one.
    """
    damaged = damaged_files(folder)
    if damaged:
        raise PipelineError(f"{folder}: damaged files: {', '.join(damaged)}; get the pipeline again")

    recorded = (folder / GOLDEN).read_text(encoding="utf-8")
    changes = changed_answers(load(folder, plugins=plugins), recorded)
    if changes:
        raise PipelineError(
            f"{folder}: the pipeline does not answer as it did when it was saved:\n" + "\n".join(changes)
        )


def changed_answers(pipeline: Pipeline, recorded: str) -> list[str]:
    """Return how a pipeline's answers differ from those of its `golden.jsonl`: see `golden.differences`."""
    docs = pipeline.pipe(golden.recorded_texts(recorded))
    return golden.differences(recorded, docs, pipeline.heads.values())


def other_classifiers(pipeline: Pipeline, head: Head) -> Foreign:
    """Return what the classifiers of a loaded pipeline's folder write, except one; left out or not."""
    assert pipeline.source is not None
    described = read_meta(pipeline.source)["heads"]
    saved = read_config(pipeline.source / CONFIG).heads
    others = [other for other in saved if other.kind == "classifier" and other.name != head.name]
    return Foreign(
        labels=frozenset(label for other in others for label in described[other.name]["labels"]),
        prefixes=tuple(other.prefix for other in others if other.prefix),
    )
