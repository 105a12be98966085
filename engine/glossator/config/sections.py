"""Checks the sections of a config one by one; each error names its section."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from glossator.annotations.layer import CATS, Layer
from glossator.config.schema import (
    DataConfig,
    HeadConfig,
    HeadKind,
    PipelineConfig,
    StageConfig,
    TrainingConfig,
)
from glossator.errors import ConfigError
from glossator.util.messages import listed

_SECTIONS = {"glossator", "tokenizer", "embedders", "taggers", "classifiers", "data", "training"}
_TOP = {"lang", "name", "version", "licence", "heads", "seed", "tensor"}
_OLD_HEADS = "stages"  # what `heads` was called in the first configs, which still load


def config_from_dict(sections: Mapping[str, Any], *, folder: Path = Path()) -> PipelineConfig:
    """Check the sections of a config and return them as typed records.

    Example:
        config_from_dict({"glossator": {"lang": "en"}, "taggers": {"ner": {"stage": "crf"}}})

    Args:
        sections: Settings by section, as thinc reads them from a config file.
        folder: What relative paths in the config count from.

    Raises:
        ConfigError: A section or setting is unknown, missing or of the wrong type.
    """
    _check_names(sections, _SECTIONS, "the config has no section", "valid sections")

    top = _section(sections, "glossator")
    order = _heads_setting(top)
    _check_names(top, _TOP, "[glossator] has no setting", "valid settings")
    if not isinstance(top.get("lang"), str):
        raise ConfigError('[glossator] needs lang, a spaCy language code such as lang = "en"')

    tokenizer = _stage({"stage": "spacy", **_section(sections, "tokenizer")}, "[tokenizer]")
    # Every line below a header belongs to it: a top setting written last ends up in [tokenizer].
    misplaced = sorted({*_TOP, _OLD_HEADS} & set(tokenizer.settings))
    if misplaced:
        raise ConfigError(f"[tokenizer] has no setting {misplaced[0]!r}: it belongs in [glossator]")

    heads = _heads(sections)
    data = {name: _data(values, f"[data.{name}]") for name, values in _section(sections, "data").items()}
    unknown = sorted(set(data) - {head.name for head in heads})
    if unknown:
        raise ConfigError(f"[data.{unknown[0]}] belongs to no tagger or classifier of that name")

    embedders = {
        check_name(name, "embedders"): _stage(values, f"[embedders.{name}]")
        for name, values in _section(sections, "embedders").items()
    }
    config = PipelineConfig(
        lang=top["lang"],
        name=str(top.get("name", "pipeline")),
        version=str(top.get("version", "0.0.0")),
        licence=str(top.get("licence", "")),
        seed=_seed(top.get("seed", 0)),
        tokenizer=tokenizer,
        embedders=embedders,
        heads=_in_order(heads, order),
        data=data,
        training=_training(_section(sections, "training")),
        tensor=_tensor(top.get("tensor", "")),
        folder=folder,
    )
    _check_vectors(config)
    return config


def _heads_setting(top: dict[str, Any]) -> Any:
    """Take the order of the heads out of the [glossator] section, under its name of today or the old one."""
    if "heads" in top and _OLD_HEADS in top:
        raise ConfigError(f"[glossator] has both heads and {_OLD_HEADS}, its old name: remove {_OLD_HEADS}")
    return top.pop(_OLD_HEADS) if _OLD_HEADS in top else top.get("heads")


def _heads(sections: Mapping[str, Any]) -> list[HeadConfig]:
    heads = [
        head_config(name, "tagger", values) for name, values in _section(sections, "taggers").items()
    ] + [
        head_config(name, "classifier", values) for name, values in _section(sections, "classifiers").items()
    ]
    names = [head.name for head in heads]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(f"{repeated[0]!r} names both a tagger and a classifier: rename one")
    return heads


def head_config(name: str, kind: HeadKind, values: Any) -> HeadConfig:
    """Check one `[taggers.NAME]` or `[classifiers.NAME]` section.

    Example:
        head_config("ner", "tagger", {"stage": "bilstm-crf", "write": "ents", "width": 128})

    Args:
        name: The head's name.
        kind: "tagger" or "classifier".
        values: The settings of the section; those that are not the engine's go to the stage.

    Raises:
        ConfigError: A setting of the engine is missing or of the wrong type.
    """
    where = f"[{kind}s.{name}]"
    settings = dict(_stage(values, where).settings)

    vectors = settings.pop("vectors", [])
    if not isinstance(vectors, Sequence) or isinstance(vectors, str):
        raise ConfigError(f'{where} vectors: give a list of embedders, e.g. vectors = ["words"]')
    tune = settings.pop("tune", False)
    if not isinstance(tune, bool):
        raise ConfigError(f"{where} tune must be true or false, not {tune!r}")
    if tune and not vectors:
        raise ConfigError(f"{where} tune = true needs vectors = [...]: there is nothing to tune")

    if kind == "tagger":
        layer, prefix = _layer(settings.pop("write", "ents"), where), ""
    else:
        layer, prefix = CATS, str(settings.pop("prefix", ""))

    return HeadConfig(
        name=check_name(name, f"{kind}s"),
        kind=kind,
        stage=str(values["stage"]),
        layer=layer,
        prefix=prefix,
        vectors=tuple(str(vector) for vector in vectors),
        tune=tune,
        settings=settings,
    )


def _layer(value: Any, where: str) -> Layer:
    try:
        return Layer.for_tagger(str(value))
    except ConfigError as error:
        raise ConfigError(f"{where} {error}") from None


def _in_order(heads: list[HeadConfig], order: Any) -> tuple[HeadConfig, ...]:
    if order is None:
        return tuple(heads)
    by_name = {head.name: head for head in heads}
    if not isinstance(order, Sequence) or isinstance(order, str):
        raise ConfigError(f'[glossator] heads: give a list of names, e.g. heads = ["ner"], not {order!r}')
    if sorted(map(str, order)) != sorted(by_name):
        raise ConfigError(
            f"[glossator] heads = {list(order)} must name each tagger and classifier once: {sorted(by_name)}"
        )
    return tuple(by_name[name] for name in order)


def _check_vectors(config: PipelineConfig) -> None:
    for head in config.heads:
        for name in head.vectors:
            check_embedder(name, config.embedders, f"[{head.kind}s.{head.name}] vectors")
    if config.tensor:
        check_embedder(config.tensor, config.embedders, "[glossator] tensor")


def check_embedder(name: str, embedders: Collection[str], where: str) -> None:
    """Raise a `ConfigError` that begins with `where` if there is no embedder `name`.

    Example:
        check_embedder("words", config.embedders, "[taggers.ner] vectors")
    """
    if name not in embedders:
        raise ConfigError(f"{where}: no embedder {name!r} (embedders: {listed(embedders)})")


def _tensor(value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigError(f'[glossator] tensor: name an embedder, e.g. tensor = "words", not {value!r}')
    return value


def check_name(name: str, section: str) -> str:
    """Return the name, which becomes a section of the config and a folder of the saved pipeline.

    Example:
        check_name("ner", "taggers")  # "ner"

    Raises:
        ConfigError: The name contains anything but letters, digits, "_" and "-".
    """
    if not re.fullmatch(r"\w[\w-]*", name):
        raise ConfigError(f"[{section}.{name}]: a name consists of letters, digits, '_' and '-'")
    return name


def _section(sections: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = sections.get(name, {})
    if not isinstance(section, Mapping):
        raise ConfigError(f"{name} must be a section, [{name}]")
    return dict(section)


def _stage(values: Any, where: str) -> StageConfig:
    if not isinstance(values, Mapping) or not isinstance(values.get("stage"), str):
        raise ConfigError(f'{where} needs stage, the name of a stage (see "glossator plugins list")')
    return StageConfig(stage=values["stage"], settings={k: v for k, v in values.items() if k != "stage"})


def _typed(kind: type[Any], values: Any, where: str) -> Any:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} must be a section")
    _check_names(values, {entry.name for entry in fields(kind)}, f"{where} has no setting", "valid settings")
    return kind(**values)


def _data(values: Any, where: str) -> DataConfig:
    data: DataConfig = _typed(DataConfig, values, where)
    for entry in fields(DataConfig):
        value = getattr(data, entry.name)
        if entry.name == "options" and not isinstance(value, Mapping):
            raise ConfigError(f"{where} options must be a section, [{where[1:-1]}.options]")
        if entry.name != "options" and not isinstance(value, str):
            raise ConfigError(f"{where} {entry.name} must be a string, not {value!r}")
    return data


def _training(values: Mapping[str, Any]) -> TrainingConfig:
    training: TrainingConfig = _typed(TrainingConfig, values, "[training]")
    for entry in fields(TrainingConfig):
        if _whole_number(getattr(training, entry.name), f"[training] {entry.name}") < 1:
            raise ConfigError(f"[training] {entry.name} must be at least 1")
    return training


def _whole_number(value: Any, where: str) -> int:
    # In Python, True is an int.
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{where} must be a whole number, not {value!r}")
    return value


def _seed(value: Any) -> int:
    seed = _whole_number(value, "[glossator] seed")
    if seed < 0:
        raise ConfigError(f"[glossator] seed must be at least 0, not {seed}")
    return seed


def _check_names(values: Mapping[str, Any], valid: set[str], problem: str, choices: str) -> None:
    for name in values:
        if name not in valid:
            raise ConfigError(f"{problem} {name!r}; {choices}: {listed(valid)}")
