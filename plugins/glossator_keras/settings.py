"""Checks of stages' settings, with messages that name the stage and the setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glossator.errors import ConfigError


def check_choice(stage: str, name: str, value: Any, known: Sequence[str]) -> None:
    """Raise `ConfigError` unless the value is one of those known."""
    if value not in known:
        raise ConfigError(f"{stage}: {name} = {value!r}: use one of {', '.join(known)}")


def check_widths(stage: str, name: str, values: Any, least: int = 1) -> None:
    """Raise `ConfigError` unless these are whole numbers above 0, and at least `least` of them."""
    if isinstance(values, str) or not isinstance(values, Sequence) or len(values) < least:
        raise ConfigError(f"{stage}: {name} = {values!r}: give a list of numbers, e.g. {name} = [3, 4, 5]")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(f"{stage}: {name} must be a whole number, at least 1, not {value!r}")


def check_rate(stage: str, name: str, value: float) -> None:
    """Raise `ConfigError` unless the value is above 0."""
    if not value > 0:
        raise ConfigError(f"{stage}: {name} must be above 0, not {value}")


def check_share(stage: str, name: str, value: float) -> None:
    """Raise `ConfigError` unless the value is from 0 to below 1."""
    if not 0 <= value < 1:
        raise ConfigError(f"{stage}: {name} must be from 0 to below 1, not {value}")
