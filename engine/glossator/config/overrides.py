"""Changes a config by values from the command line: `training.max_epochs=5`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from glossator.errors import ConfigError
from glossator.util.messages import listed


def parse_override(text: str) -> tuple[str, Any]:
    """Split an argument "a.b=value" into its name and its value; see `parse_value`.

    Example:
        parse_override("training.max_epochs=5")  # ("training.max_epochs", 5)

    Raises:
        ConfigError: The argument has no "=" or no name.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"--set {text}: write it as SECTION.NAME=VALUE, e.g. training.max_epochs=5")
    return name, parse_value(value)


def parse_value(text: str) -> Any:
    """Return the value of an argument: JSON, Python's True or False, or else the text itself.

    Example:
        parse_value("[3, 4]")  # [3, 4]
        parse_value("crf")  # "crf"
    """
    if text in ("True", "False"):  # config files accept them, too
        return text == "True"
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def with_overrides(sections: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the sections with some values replaced.

    Example:
        with_overrides({"training": {}}, {"training.max_epochs": 3})  # {"training": {"max_epochs": 3}}

    Args:
        sections: Settings by section; they are not changed.
        overrides: New values by dotted name.

    Raises:
        ConfigError: Part of a name is a value instead of a section, or the name belongs to a head or embedder
            that does not exist.
    """
    changed = json.loads(json.dumps(sections))  # a deep copy, of JSON's types alone

    for name, value in overrides.items():
        *parents, last = name.split(".")
        if not parents:
            raise ConfigError(f"--set {name}: begin with the section, as in training.max_epochs")
        _check_named(sections, parents, f"--set {name}", overrides)
        section = changed
        for parent in parents:
            section = section.setdefault(parent, {})
            if not isinstance(section, dict):
                raise ConfigError(f"--set {name}: {parent!r} is a value, not a section")
        section[last] = value
    return dict(changed)


def _check_named(
    sections: Mapping[str, Any], parents: Sequence[str], what: str, overrides: Mapping[str, Any]
) -> None:
    """Raise `ConfigError` for a setting of a head or embedder that neither the config nor `--set` adds."""
    if len(parents) != 2 or parents[0] not in ("taggers", "classifiers", "embedders"):
        return
    kind, name = parents
    declared = sections.get(kind)
    declared = declared if isinstance(declared, Mapping) else {}  # `config_from_dict` reports other types
    if name not in declared and f"{kind}.{name}.stage" not in overrides:
        raise ConfigError(f"{what}: there is no {kind[:-1]} {name!r}; {kind}: {listed(declared)}")
