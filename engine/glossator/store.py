"""A pipeline's folder: written whole or not at all, read back and checked.

    config.cfg  meta.json  golden.jsonl  embedders/NAME/  taggers/NAME/  classifiers/NAME/

`meta.json` holds names, versions, labels, scores and the size and sum of every file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glossator import golden
from glossator.about import __version__
from glossator.config.schema import HeadConfig, PipelineConfig, StageConfig
from glossator.config.text import config_to_text, read_config
from glossator.errors import GlossatorError, PipelineError
from glossator.gold_categories import Foreign
from glossator.stages import Finishable, Preparable
from glossator.util.files import file_sum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glossator.heads import Head
    from glossator.pipeline import Pipeline
    from glossator.plugins.manager import PluginManager

FORMAT_VERSION = 1
CONFIG, META, GOLDEN = "config.cfg", "meta.json", "golden.jsonl"


def save(pipeline: Pipeline, path: Path, *, attachments: Mapping[str, bytes] | None = None) -> None:
    """Save a pipeline to a folder; a pipeline that is there is replaced in the last moment.

    Args:
        pipeline: A pipeline whose heads are all trained.
        path: The folder.
        attachments: More files for the folder, by name.

    Raises:
        PipelineError: `path` holds something that is no pipeline.
        StageError: A head is not trained.
    """
    path = path.resolve()
    check_replaceable(path)
    pipeline.check_labels()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        _write(pipeline, temporary, path, attachments or {})
        _swap(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def pipeline_folder(pipeline: str | Path, plugins: PluginManager) -> Path:
    """Return the folder of a pipeline: itself, or that of one that an installed package carries."""
    path = Path(pipeline)
    is_name = isinstance(pipeline, str) and path.name == pipeline
    if is_name and not path.exists():
        found = next((d.record for d in plugins.pipelines() if d.record.name == pipeline), None)
        return found.path if found else path
    return path


def load(
    path: Path, *, only: Collection[str] = (), without: Collection[str] = (), plugins: PluginManager
) -> Pipeline:
    """Load a pipeline's folder; see `glossator.load`."""
    from glossator.pipeline import Pipeline

    _recover(path)
    meta = read_meta(path)
    _check_sizes(path, meta)
    config = read_config(path / CONFIG)
    pipeline = Pipeline.from_config(config, plugins=plugins, only=only, without=without)
    for _, stage, folder, what in _stages(pipeline, path):
        _restore(stage, folder, what)
    for head in pipeline.heads.values():
        head.thresholds = dict(meta["heads"][head.name].get("thresholds", {}))
    pipeline.source = path
    pipeline.meta = {key: meta[key] for key in ("scores", "data", "seeds") if key in meta}
    return pipeline


def other_classifiers(pipeline: Pipeline, head: Head) -> Foreign:
    """Return what the classifiers of a loaded pipeline's folder write, but for one, left out or not."""
    assert pipeline.source is not None
    facts = read_meta(pipeline.source)["heads"]
    saved = read_config(pipeline.source / CONFIG).heads
    others = [other for other in saved if other.kind == "classifier" and other.name != head.name]
    return Foreign(
        labels=frozenset(label for other in others for label in facts[other.name]["labels"]),
        prefixes=tuple(other.prefix for other in others if other.prefix),
    )


def prepare(pipeline: Pipeline) -> None:
    """Let stages read the files their settings name; see `Pipeline.prepare`.

    A saved pipeline's config still has the file names of the config it was trained from, which
    count from elsewhere: unless a stage's section was changed, its own copy is what it means.
    """
    folder = pipeline.config.folder
    saved = read_config(folder / CONFIG) if is_pipeline(folder) else None
    known = [*saved.embedders.items(), *((head.name, head) for head in saved.heads)] if saved else []
    for config, stage, own, what in _stages(pipeline, folder):
        if isinstance(stage, Preparable) and (own.name, config) in known:
            _restore(stage, own, what)
        elif isinstance(stage, Preparable):
            stage.prepare(folder)


def write_stage(stage: Any, folder: Path) -> None:
    """Write a stage, ready for annotating, into an existing, empty folder."""
    if isinstance(stage, Finishable):
        stage.finish()
    stage.to_disk(folder)


def read_meta(path: Path) -> dict[str, Any]:
    """Return a pipeline folder's `meta.json`.

    Raises:
        PipelineError: There is none, it is damaged, or a later Glossator wrote it.
    """
    if not path.exists():
        raise PipelineError(f"{path}: there is no such pipeline folder")
    if not (path / META).is_file():
        raise PipelineError(f"{path}: not a pipeline folder, it has no {META}")
    try:
        meta = json.loads((path / META).read_text(encoding="utf-8"))
        version, files = meta["format"], meta["files"]
        if not isinstance(files, dict):
            raise ValueError("its list of files is no object")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PipelineError(f"{path / META} is damaged: {error}") from error
    if version != FORMAT_VERSION:
        raise PipelineError(
            f"{path}: made by Glossator {meta.get('glossator')} in folder format {version}; this is "
            f"Glossator {__version__}, which reads format {FORMAT_VERSION}: train it again or change versions"
        )
    return dict(meta)


def damaged_files(path: Path) -> list[str]:
    """Return the files of a pipeline's folder that are missing or whose sums differ."""
    files = read_meta(path)["files"]
    return [
        name
        for name, facts in files.items()
        if not (path / name).is_file() or file_sum(path / name) != facts["sha256"]
    ]


def identity(pipeline: Pipeline) -> str:
    """Return a sum that changes whenever the files of a loaded pipeline do."""
    files = read_meta(pipeline.source)["files"] if pipeline.source else {}
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def _write(pipeline: Pipeline, folder: Path, final: Path, attachments: Mapping[str, bytes]) -> None:
    for _, stage, own, _ in _stages(pipeline, folder):
        own.mkdir(parents=True)
        write_stage(stage, own)
    config = _with_moved_data(pipeline.config, final)
    (folder / CONFIG).write_text(config_to_text(config), encoding="utf-8")
    (folder / GOLDEN).write_text(golden.record(pipeline), encoding="utf-8")
    for name, content in attachments.items():
        (folder / name).write_bytes(content)
    meta = json.dumps(_meta(pipeline, folder), ensure_ascii=False, indent=1)
    (folder / META).write_text(meta, encoding="utf-8")


def _meta(pipeline: Pipeline, folder: Path) -> dict[str, Any]:
    config = pipeline.config
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {
        "format": FORMAT_VERSION,
        "glossator": __version__,
        "name": config.name,
        "version": config.version,
        "lang": config.lang,
        "licence": config.licence,
        "heads": {head.name: _head_facts(head) for head in pipeline.heads.values()},
        **pipeline.meta,
        "files": {
            file.relative_to(folder).as_posix(): {"bytes": file.stat().st_size, "sha256": file_sum(file)}
            for file in files
        },
    }


def _head_facts(head: Head) -> dict[str, Any]:
    return {
        "kind": head.config.kind,
        "stage": head.config.stage,
        "writes": head.config.layer,
        "labels": list(head.labels),
        "thresholds": head.thresholds,
        "plugin": head.plugin.name,
        "distribution": head.plugin.distribution,
        "version": head.plugin.version,
    }


def _restore(stage: Any, folder: Path, what: str) -> None:
    try:
        stage.from_disk(folder)
    except GlossatorError as error:
        raise PipelineError(f"{what} cannot be loaded: {error}") from error
    except Exception as error:
        raise PipelineError(
            f"{what} cannot be loaded from {folder}: {type(error).__name__}: {error}"
        ) from error


def _stages(pipeline: Pipeline, path: Path) -> Iterator[tuple[StageConfig | HeadConfig, Any, Path, str]]:
    """Yield each stage that has a folder in a pipeline's folder: its config, itself, the folder, its name."""
    for name, embedder in pipeline.embedders.items():
        config = pipeline.config.embedders[name]
        yield config, embedder, path / "embedders" / name, f"embedder {name!r}"
    for head in pipeline.heads.values():
        yield head.config, head.stage, path / f"{head.config.kind}s" / head.name, str(head)


def _check_sizes(path: Path, meta: Mapping[str, Any]) -> None:
    """Sizes alone: summing gigabytes of vectors would cost every start; `info --check` does that."""
    for name, facts in meta["files"].items():
        file = path / name
        if not file.is_file():
            raise PipelineError(f"{path}: the pipeline is damaged, {name} is missing")
        if file.stat().st_size != facts["bytes"]:
            raise PipelineError(
                f"{path}: the pipeline is damaged, {name} has {file.stat().st_size} bytes, "
                f"not {facts['bytes']}"
            )


def _with_moved_data(config: PipelineConfig, folder: Path) -> PipelineConfig:
    """Make the data's paths count from the pipeline's folder, so that it can be trained again from there."""
    from dataclasses import replace

    def moved(name: str) -> str:
        if not name:
            return name
        target = (config.folder / name).resolve()
        try:
            return Path(os.path.relpath(target, folder.resolve())).as_posix()
        except ValueError:  # another drive
            return target.as_posix()

    data = {
        head: replace(data, train=moved(data.train), dev=moved(data.dev), test=moved(data.test))
        for head, data in config.data.items()
    }
    return replace(config, data=data)


def check_replaceable(path: Path) -> None:
    """Raise `PipelineError` if `path` holds something that is no pipeline."""
    if path.is_file():
        raise PipelineError(f"{path} is a file: name a folder for the pipeline")
    if path.is_dir() and any(path.iterdir()) and not is_pipeline(path):
        raise PipelineError(f"{path} holds something that is no pipeline: name another folder")


def is_pipeline(path: Path) -> bool:
    """Whether Glossator wrote this folder, in whichever version; spaCy's have a `meta.json` too."""
    try:
        meta = json.loads((path / META).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(meta, dict) and "glossator" in meta


def _swap(new: Path, path: Path) -> None:
    previous = _previous(path)
    if path.exists():
        shutil.rmtree(previous, ignore_errors=True)
        path.rename(previous)
    new.rename(path)
    shutil.rmtree(previous, ignore_errors=True)


def _recover(path: Path) -> None:
    """Bring back the old folder where a swap was cut off between its two renames."""
    previous = _previous(path)
    if not path.exists() and previous.is_dir():
        previous.rename(path)


def _previous(path: Path) -> Path:
    path = path.resolve()
    return path.with_name(f".{path.name}.previous")
