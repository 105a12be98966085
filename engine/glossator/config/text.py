"""Reads and writes configs as text, in thinc's config language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from configparser import Error as ConfigParserError
from dataclasses import fields
from pathlib import Path
from typing import Any

from glossator.config.overrides import with_overrides
from glossator.config.schema import DataConfig, HeadConfig, PipelineConfig, StageConfig, TrainingConfig
from glossator.config.sections import config_from_dict
from glossator.errors import ConfigError


def read_config(path: str | Path, overrides: Mapping[str, Any] | None = None) -> PipelineConfig:
    """Read a config file.

    Example:
        read_config("corpora/recipes/samples.cfg", {"training.max_epochs": 3})

    Args:
        path: The file.
        overrides: Values by dotted name, which replace those of the file.

    Raises:
        ConfigError: The file is missing or invalid; the message names the section.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the config: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the config is not UTF-8: {error}") from None
    return parse_config(text, folder=path.parent, source=str(path), overrides=overrides)


def parse_config(
    text: str, *, folder: Path, source: str = "config", overrides: Mapping[str, Any] | None = None
) -> PipelineConfig:
    """Read a config from its text.

    Example:
        parse_config('[glossator]\nlang = "en"', folder=Path())

    Args:
        text: The text of a config file.
        folder: What relative paths in the config count from.
        source: What error messages call the config.
        overrides: As in `read_config`.

    Raises:
        ConfigError: The text is invalid; the message names the section.
    """
    from thinc.api import Config  # heavy: `glossator --help` must not import it

    try:
        sections = dict(Config().from_str(_with_parent_sections(_without_comments(text))))
    except (ValueError, ConfigParserError) as error:
        raise ConfigError(f"{source}: not a config file: {error}") from None
    except KeyError as error:
        raise ConfigError(f"{source}: section {error} must stand before the sections inside it") from None

    try:
        return config_from_dict(with_overrides(sections, overrides or {}), folder=folder)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None


def _without_comments(text: str) -> str:
    """Cut off comments behind values, which thinc would read as part of the value."""
    # Anything but a quote or a comment, any quoted string: a "#" inside a string is no comment.
    before = r"""^((?:[^"#\n]|(?<!\s)#|"(?:\\.|[^"\\\n])*")*)"""
    return re.sub(before + r"(?<=\s)#.*$", r"\1", text, flags=re.MULTILINE)


def _with_parent_sections(text: str) -> str:
    """Add the empty parents of sections such as [taggers.ner], which thinc requires."""
    header = re.compile(r"^\[([^\]\n]+)\]", flags=re.MULTILINE)
    declared = set(header.findall(text))

    def with_parents(match: re.Match[str]) -> str:
        parts = match[1].split(".")
        parents = [".".join(parts[:length]) for length in range(1, len(parts))]
        missing = [parent for parent in parents if parent not in declared]
        declared.update(missing)
        return "".join(f"[{parent}]\n\n" for parent in missing) + match[0]

    return header.sub(with_parents, text)


def config_to_text(config: PipelineConfig) -> str:
    """Return a config as text that `parse_config` reads back as the same config.

    Example:
        config_to_text(PipelineConfig(lang="en")).splitlines()[0]  # "[glossator]"
    """
    from thinc.api import Config

    sections: dict[str, Any] = {
        "glossator": {
            "lang": config.lang,
            "name": config.name,
            "version": config.version,
            "licence": config.licence,
            "heads": [head.name for head in config.heads],
            "seed": config.seed,
            # Left out where empty, so that configs without it read as they always did.
            **({"tensor": config.tensor} if config.tensor else {}),
        },
        "tokenizer": _stage_section(config.tokenizer),
        "embedders": {name: _stage_section(stage) for name, stage in config.embedders.items()},
        "taggers": {head.name: _head_section(head) for head in config.heads if head.kind == "tagger"},
        "classifiers": {head.name: _head_section(head) for head in config.heads if head.kind == "classifier"},
        "data": {name: _set_fields(data) for name, data in config.data.items()},
        "training": {entry.name: getattr(config.training, entry.name) for entry in fields(TrainingConfig)},
    }

    return str(Config({name: section for name, section in sections.items() if section}).to_str())


def _stage_section(config: StageConfig) -> dict[str, Any]:
    return {"stage": config.stage, **config.settings}


def _head_section(head: HeadConfig) -> dict[str, Any]:
    section: dict[str, Any] = {"stage": head.stage}
    if head.kind == "tagger":
        section["write"] = str(head.layer)
    if head.prefix:
        section["prefix"] = head.prefix
    if head.vectors:
        section["vectors"] = list(head.vectors)
    if head.tune:
        section["tune"] = True
    return {**section, **head.settings}


def _set_fields(data: DataConfig) -> dict[str, Any]:
    default = DataConfig()
    return {
        entry.name: getattr(data, entry.name)
        for entry in fields(DataConfig)
        if getattr(data, entry.name) != getattr(default, entry.name)
    }
