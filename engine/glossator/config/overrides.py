"""Changes to a config from the command line: values by dotted name, `training.max_epochs=5`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from glossator.errors import ConfigError
from glossator.util.messages import listed


def parse_override(text: str) -> tuple[str, Any]:
    """Split "a.b=value" of the command line; see `parse_value`.

    Raises:
        ConfigError: There is no "=".
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"--set {text}: write it as SECTION.NAME=VALUE, e.g. training.max_epochs=5")
    return name, parse_value(value)


def parse_value(text: str) -> Any:
    """Return what a value of the command line stands for: JSON, Python's True and False, or else a string."""
    if text in ("True", "False"):  # config files know them, too
        return text == "True"
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def with_overrides(sections: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return sections with values changed by dotted name, e.g. {"training.max_epochs": 3}.

    Raises:
        ConfigError: A name leads through a value, or to a setting of a stage that there is not.
    """
    changed = json.loads(json.dumps(sections))
    for name, value in overrides.items():
        *parents, last = name.split(".")
        if not parents:
            raise ConfigError(f"--set {name}: begin with the section it stands in, as in training.max_epochs")
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
    """Raise `ConfigError` for settings of a head or an embedder that neither the config nor `--set` makes."""
    if len(parents) != 2 or parents[0] not in ("taggers", "classifiers", "embedders"):
        return
    kind, name = parents
    there = sections.get(kind)
    there = there if isinstance(there, Mapping) else {}  # what it is instead is said where all is checked
    if name not in there and f"{kind}.{name}.stage" not in overrides:
        raise ConfigError(f"{what}: there is no {kind[:-1]} {name!r}; there is {listed(there)}")
