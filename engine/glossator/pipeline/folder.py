"""The folder of a pipeline: saved atomically, loaded and checked.

    config.cfg  meta.json  golden.jsonl  embedders/NAME/  taggers/NAME/  classifiers/NAME/

`meta.json` holds names, versions, labels, scores and the size and checksum of every file. Stages are passed
in as `Slot`s: this module does not depend on `Pipeline`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glossator.about import __version__
from glossator.config.schema import HeadConfig, PipelineConfig, StageConfig
from glossator.config.text import config_to_text, read_config
from glossator.errors import GlossatorError, PipelineError
from glossator.stages import Finishable, Preparable
from glossator.util.files import recover_folder, replacing_folder, sha256_of

FORMAT_VERSION = 1
CONFIG, META, GOLDEN = "config.cfg", "meta.json", "golden.jsonl"


@dataclass(frozen=True, slots=True)
class Slot:
    """A stage and its subfolder in a pipeline's folder.

    Example:
        Slot("ner", head.config, head.stage, "taggers/ner", str(head))

    Attributes:
        name: Its name in the pipeline.
        config: Its section of the config.
        stage: The stage.
        subfolder: Its own folder, below the pipeline's: "embedders/NAME", "taggers/NAME", "classifiers/NAME".
        title: Its name in messages.
    """

    name: str
    config: StageConfig | HeadConfig
    stage: Any
    subfolder: str
    title: str


def save(
    path: Path,
    config: PipelineConfig,
    slots: Iterable[Slot],
    *,
    meta: Mapping[str, Any],
    record_golden: Callable[[], str],
    attachments: Mapping[str, bytes],
) -> None:
    """Write a pipeline's folder; an existing pipeline is replaced when the new one is complete.

    Example:
        save(path, pipeline.config, pipeline.slots(), meta={}, record_golden=lambda: "", attachments={})

    Args:
        path: The folder.
        config: The pipeline's config.
        slots: Its stages, all trained.
        meta: The content of `meta.json` besides versions and files.
        record_golden: Returns the content of `golden.jsonl`. It is called after the stages are written, as
            writing may change their predictions.
        attachments: More files for the folder, by name.

    Raises:
        PipelineError: `path` contains files but is not a pipeline.
        StageError: A stage is not trained.
    """
    check_replaceable(path.resolve())
    with replacing_folder(path) as folder:
        for slot in slots:
            own = folder / slot.subfolder
            own.mkdir(parents=True)
            write_stage(slot.stage, own)
        moved = _with_moved_data(config, path.resolve())
        (folder / CONFIG).write_text(config_to_text(moved), encoding="utf-8")
        (folder / GOLDEN).write_text(record_golden(), encoding="utf-8")
        for name, content in attachments.items():
            (folder / name).write_bytes(content)

        described = {"format": FORMAT_VERSION, "glossator": __version__, **meta, "files": _files(folder)}
        (folder / META).write_text(json.dumps(described, ensure_ascii=False, indent=1), encoding="utf-8")


def open_folder(path: Path) -> tuple[PipelineConfig, dict[str, Any]]:
    """Return the config and the `meta.json` of a pipeline's folder, after a check of its file sizes.

    Example:
        config, meta = open_folder(Path("models/samples"))

    Raises:
        PipelineError: The folder is missing or damaged, or a later Glossator wrote it.
    """
    # Saving may have been killed between the two renames that replace a folder.
    recover_folder(path)
    meta = read_meta(path)
    _check_sizes(path, meta)
    return read_config(path / CONFIG), meta


def restore(slots: Iterable[Slot], path: Path) -> None:
    """Load each stage from its own folder.

    Example:
        restore(pipeline.slots(), Path("models/samples"))

    Raises:
        PipelineError: A stage cannot be loaded.
    """
    for slot in slots:
        _restore(slot, path)


def prepare(slots: Iterable[Slot], folder: Path) -> None:
    """Let stages read the files that their settings name, relative to `folder`.

    The config of a saved pipeline keeps the file names of the config it was trained from, relative to
    another folder: unless a stage's section has changed, the stage is loaded from its saved copy.

    Example:
        prepare(pipeline.slots(), pipeline.config.folder)
    """
    saved = read_config(folder / CONFIG) if is_pipeline(folder) else None
    unchanged = [*saved.embedders.items(), *((head.name, head) for head in saved.heads)] if saved else []
    for slot in slots:
        if isinstance(slot.stage, Preparable) and (slot.name, slot.config) in unchanged:
            _restore(slot, folder)
        elif isinstance(slot.stage, Preparable):
            slot.stage.prepare(folder)


def write_stage(stage: Any, folder: Path) -> None:
    """Write a stage, ready for annotating, into an existing, empty folder.

    Example:
        write_stage(head.stage, folder)
    """
    if isinstance(stage, Finishable):
        stage.finish()
    stage.to_disk(folder)


def read_meta(path: Path) -> dict[str, Any]:
    """Return the `meta.json` of a pipeline's folder.

    Example:
        read_meta(Path("models/samples"))["heads"]["ner"]["labels"]

    Raises:
        PipelineError: It is missing or damaged, or a later Glossator wrote it.
    """
    if not path.exists():
        raise PipelineError(f"{path}: there is no such pipeline folder")
    if not (path / META).is_file():
        raise PipelineError(f"{path}: not a pipeline folder, it has no {META}")
    try:
        meta = json.loads((path / META).read_text(encoding="utf-8"))
        version, files = meta["format"], meta["files"]
        if not isinstance(files, dict):
            raise ValueError('"files" is not an object')
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PipelineError(f"{path / META} is damaged: {error}") from error
    if version != FORMAT_VERSION:
        raise PipelineError(
            f"{path}: made by Glossator {meta.get('glossator')} in folder format {version}; this is "
            f"Glossator {__version__}, which reads format {FORMAT_VERSION}: train it again or change versions"
        )
    return dict(meta)


def damaged_files(path: Path) -> list[str]:
    """Return the files of a pipeline's folder that are missing or whose checksums differ.

    Example:
        damaged_files(Path("models/samples"))  # ["taggers/ner/weights.npz"]
    """
    files = read_meta(path)["files"]
    return [
        name
        for name, expected in files.items()
        if not (path / name).is_file() or sha256_of(path / name) != expected["sha256"]
    ]


def identity(path: Path | None) -> str:
    """Return a checksum of all files of a pipeline's folder; `path` is None for a pipeline without one.

    Example:
        identity(pipeline.source)
    """
    files = read_meta(path)["files"] if path else {}
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def check_replaceable(path: Path) -> None:
    """Raise `PipelineError` if `path` contains files but is not a pipeline."""
    if path.is_file():
        raise PipelineError(f"{path} is a file: name a folder for the pipeline")
    if path.is_dir() and any(path.iterdir()) and not is_pipeline(path):
        raise PipelineError(f"{path} contains files but is not a pipeline: name another folder")


def is_pipeline(path: Path) -> bool:
    """Whether any version of Glossator wrote this folder."""
    # The folders of spaCy pipelines have a `meta.json` too.
    try:
        meta = json.loads((path / META).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(meta, dict) and "glossator" in meta


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {
        file.relative_to(folder).as_posix(): {"bytes": file.stat().st_size, "sha256": sha256_of(file)}
        for file in files
    }


def _restore(slot: Slot, path: Path) -> None:
    folder = path / slot.subfolder
    try:
        slot.stage.from_disk(folder)
    except GlossatorError as error:
        raise PipelineError(f"{slot.title} cannot be loaded: {error}") from error
    except Exception as error:
        raise PipelineError(
            f"{slot.title} cannot be loaded from {folder}: {type(error).__name__}: {error}"
        ) from error


def _check_sizes(path: Path, meta: Mapping[str, Any]) -> None:
    """Raise `PipelineError` if a file is missing or differs in size."""
    # Only sizes: the checksums of gigabytes of vectors would slow down every start. `info --check` has them.
    for name, expected in meta["files"].items():
        file = path / name
        if not file.is_file():
            raise PipelineError(f"{path}: the pipeline is damaged, {name} is missing")
        if file.stat().st_size != expected["bytes"]:
            raise PipelineError(
                f"{path}: the pipeline is damaged, {name} has {file.stat().st_size} bytes, "
                f"not {expected['bytes']}"
            )


def _with_moved_data(config: PipelineConfig, folder: Path) -> PipelineConfig:
    """Make the data's paths relative to the pipeline's folder, so that it can be trained again from there."""

    def moved(name: str) -> str:
        if not name:
            return name
        target = (config.folder / name).resolve()
        try:
            return Path(os.path.relpath(target, folder.resolve())).as_posix()
        except ValueError:  # another drive on Windows: there is no relative path
            return target.as_posix()

    data = {
        head: replace(data, train=moved(data.train), dev=moved(data.dev), test=moved(data.test))
        for head, data in config.data.items()
    }
    return replace(config, data=data)
