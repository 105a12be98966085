"""Loading saved pipelines, and checking that their predictions have not changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from glossator.config.text import read_config
from glossator.errors import ConfigError, PipelineError, UsageError
from glossator.pipeline import golden
from glossator.pipeline.folder import CONFIG, GOLDEN, damaged_files, open_folder, read_meta, restore
from glossator.pipeline.head import Head
from glossator.pipeline.pipeline import Pipeline
from glossator.plugins.manager import PluginManager


@dataclass(frozen=True, slots=True)
class Foreign:
    """The labels of the other classifiers of a pipeline, with prefixes, and these prefixes.

    Example:
        foreign = other_classifiers(pipeline, pipeline.heads["topic"])
        "mood:happy" in foreign.labels
    """

    labels: frozenset[str]
    prefixes: tuple[str, ...]


def load(
    pipeline: str | Path,
    *,
    only: Collection[str] = (),
    without: Collection[str] = (),
    plugins: PluginManager | None = None,
) -> Pipeline:
    """Load a saved pipeline: a folder, or the name of one that comes with an installed package.

    Example:
        pipeline = glossator.load("models/samples", only=["ner"])

    Args:
        pipeline: The folder or the name.
        only: Load these heads alone.
        without: Leave these heads out.
        plugins: Where stages are looked up; by default all that are installed.

    Raises:
        ConfigError: There is no head of such a name, or none is left.
        PipelineError: There is no such pipeline, or it is damaged.
        PluginError: A stage it needs is not installed.
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
        raise ConfigError("no head is left to load: exclude fewer heads")
    return loaded


def load_if_named(
    pipeline: Pipeline | str | Path,
    *,
    only: Collection[str] = (),
    without: Collection[str] = (),
    plugins: PluginManager | None = None,
) -> Pipeline:
    """Return a pipeline as it is, or load the one with this name or folder; raise as `load`.

    Example:
        pipeline = load_if_named("models/samples", without=["pos"])

    Raises:
        UsageError: `only` or `without` is given for a pipeline that is loaded already.
    """
    if not isinstance(pipeline, Pipeline):
        return load(pipeline, only=only, without=without, plugins=plugins)
    if only or without:
        raise UsageError("heads are chosen when a pipeline is loaded: pass its folder, or load it with them")
    return pipeline


def plugins_of(pipeline: Pipeline | str | Path, plugins: PluginManager | None) -> PluginManager:
    """Return the plugins to use: `plugins`, else those of a loaded pipeline, else all that are installed.

    Example:
        plugins = plugins_of("models/samples", None)  # all installed plugins
    """
    if plugins is not None:
        return plugins
    return pipeline.plugins if isinstance(pipeline, Pipeline) else PluginManager.from_environment()


def pipeline_folder(pipeline: str | Path, plugins: PluginManager) -> Path:
    """Return the folder of a pipeline: the path itself, or the folder in an installed package.

    Example:
        folder = pipeline_folder("models/samples", plugins)
    """
    path = Path(pipeline)
    is_name = isinstance(pipeline, str) and path.name == pipeline
    # A folder of the user's comes before a package that uses the same name.
    if is_name and not path.exists():
        record = next((d.record for d in plugins.pipelines() if d.record.name == pipeline), None)
        return record.path if record else path
    return path


def check_pipeline(folder: Path, *, plugins: PluginManager | None = None) -> None:
    """Check that the files of a saved pipeline are unchanged, and its predictions for the golden texts too.

    Example:
        check_pipeline(Path("models/samples"))

    Raises:
        PipelineError: A file is damaged, or a prediction differs.
    """
    damaged = damaged_files(folder)
    if damaged:
        raise PipelineError(f"{folder}: damaged files: {', '.join(damaged)}; download or train it again")

    recorded = (folder / GOLDEN).read_text(encoding="utf-8")
    changes = changed_answers(load(folder, plugins=plugins), recorded)
    if changes:
        raise PipelineError(
            f"{folder}: the pipeline's predictions differ from those when it was saved:\n"
            + "\n".join(changes)
        )


def changed_answers(pipeline: Pipeline, recorded: str) -> list[str]:
    """Return how a pipeline's predictions differ from its `golden.jsonl`: see `golden.differences`."""
    docs = pipeline.pipe(golden.recorded_texts(recorded))
    return golden.differences(recorded, docs, pipeline.heads.values())


def other_classifiers(pipeline: Pipeline, head: Head) -> Foreign:
    """Return the labels and prefixes of all classifiers except one, also of those that were not loaded.

    Example:
        foreign = other_classifiers(pipeline, pipeline.heads["topic"])
    """
    labels = {other.name: other.labels for other in pipeline.heads.values()}
    configs = {other.name: other.config for other in pipeline.heads.values()}
    if pipeline.source is not None:
        described = read_meta(pipeline.source)["heads"]
        labels = {name: tuple(entry["labels"]) for name, entry in described.items()} | labels
        configs = {saved.name: saved for saved in read_config(pipeline.source / CONFIG).heads} | configs

    others = [other for other in configs.values() if other.kind == "classifier" and other.name != head.name]
    return Foreign(
        labels=frozenset(label for other in others for label in labels[other.name]),
        prefixes=tuple(other.prefix for other in others if other.prefix),
    )
