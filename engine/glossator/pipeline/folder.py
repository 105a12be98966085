"""A pipeline's folder: written whole or not at all, read back and checked.

    config.cfg  meta.json  golden.jsonl  embedders/NAME/  taggers/NAME/  classifiers/NAME/

`meta.json` holds names, versions, labels, scores and the size and checksum of every file. Stages come here in
`Slot`s: the folder knows nothing of the pipeline they make up.
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
    """A stage with its place in a pipeline's folder.

    Attributes:
        name: Its name in the pipeline.
        config: Its section of the config.
        stage: The stage.
        subfolder: Its own folder, below the pipeline's: "embedders/NAME", "taggers/NAME", "classifiers/NAME".
        title: What messages call it.
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
    """Write a pipeline's folder; a pipeline that is there is replaced in the last moment.

    Args:
        path: The folder.
        config: The pipeline's config.
        slots: Its stages, all trained.
        meta: What `meta.json` is to hold besides versions and files.
        record_golden: Returns the content of `golden.jsonl`. It is called once the stages are written, as
            writing them may change what annotates.
        attachments: More files for the folder, by name.

    Raises:
        PipelineError: `path` holds something that is no pipeline.
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
    """Return the config and the `meta.json` of a pipeline's folder, its files having their sizes.

    Raises:
        PipelineError: It is missing or damaged, or a later Glossator wrote it.
    """
    recover_folder(path)
    meta = read_meta(path)
    _check_sizes(path, meta)
    return read_config(path / CONFIG), meta


def restore(slots: Iterable[Slot], path: Path) -> None:
    """Let each stage read its own folder.

    Raises:
        PipelineError: One cannot.
    """
    for slot in slots:
        _restore(slot, path)


def prepare(slots: Iterable[Slot], folder: Path) -> None:
    """Let stages read the files their settings name, which count from `folder`.

    A saved pipeline's config still has the file names of the config it was trained from, which
    count from elsewhere: unless a stage's section was changed, its own copy is what it means.
    """
    saved = read_config(folder / CONFIG) if is_pipeline(folder) else None
    known = [*saved.embedders.items(), *((head.name, head) for head in saved.heads)] if saved else []
    for slot in slots:
        if isinstance(slot.stage, Preparable) and (slot.name, slot.config) in known:
            _restore(slot, folder)
        elif isinstance(slot.stage, Preparable):
            slot.stage.prepare(folder)


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
    """Return the files of a pipeline's folder that are missing or whose checksums differ."""
    files = read_meta(path)["files"]
    return [
        name
        for name, expected in files.items()
        if not (path / name).is_file() or sha256_of(path / name) != expected["sha256"]
    ]


def identity(path: Path | None) -> str:
    """Return a checksum that changes whenever the files of a pipeline's folder do; None: it has no folder."""
    files = read_meta(path)["files"] if path else {}
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


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
    """Sizes alone: summing gigabytes of vectors would cost every start; `info --check` does that."""
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
    """Make the data's paths count from the pipeline's folder, so that it can be trained again from there."""

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
