"""Settings of stages: a frozen dataclass per stage, which is also the signature of the stage's factory.

    @dataclass(frozen=True, kw_only=True)
    class NeighboursSettings:
        write: str = "ents"
        width: int = 32

        def __post_init__(self):
            SettingsCheck("neighbours", self).width("width")

    def _build(settings):
        return KerasTagger(build_network, write=settings.write, settings={"width": settings.width})

    make_tagger = StageFactory(NeighboursSettings, _build)

A `glossator.Stage` names `make_tagger` as its factory; the engine reads the settings from its signature.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Generic, ParamSpec, TypeVar, get_args

from glossator.errors import ConfigError

P = ParamSpec("P")
SettingsT = TypeVar("SettingsT")
StageT = TypeVar("StageT")


class StageFactory(Generic[P, StageT]):
    """Builds a stage from the fields of its settings, which it takes as its own parameters.

    Args:
        settings: The dataclass of the settings.
        build: Builds the stage from them.

    Attributes:
        __signature__: That of the dataclass. The engine checks a config's settings against it and lists them.

    Example:
        Called as the dataclass is, it returns a stage:

            make_tagger = StageFactory(BiLSTMCRFSettings, build_stage)
            tagger = make_tagger("ents", width=64)
    """

    def __init__(self, settings: Callable[P, SettingsT], build: Callable[[SettingsT], StageT]) -> None:
        def make(*args: P.args, **kwargs: P.kwargs) -> StageT:
            return build(settings(*args, **kwargs))

        self._make = make
        self.__signature__ = inspect.signature(settings)
        self.__doc__ = settings.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> StageT:
        """Return an untrained stage; raise `ConfigError` for a setting out of range."""
        return self._make(*args, **kwargs)


class SettingsCheck:
    """Checks settings one by one; each method raises a `ConfigError` that names the stage and the setting.

    Args:
        stage: The name of the stage.
        settings: The dataclass that holds them.

    Example:
        In the `__post_init__` of the dataclass:

            check = SettingsCheck("lstm", self)
            check.choice("cell", Literal["lstm", "gru"])
            check.rate("learn_rate")
    """

    def __init__(self, stage: str, settings: object) -> None:
        self._stage = stage
        self._settings = settings

    def choice(self, name: str, choices: object) -> None:
        """Check that the value is one of `choices`, a `Literal` of strings."""
        value, names = getattr(self._settings, name), get_args(choices)
        if value not in names:
            raise ConfigError(f"{self._stage}: {name} = {value!r}: use one of {', '.join(names)}")

    def width(self, name: str) -> None:
        """Check that the value is a whole number above 0."""
        self.count(name, least=1)

    def widths(self, name: str, least: int = 1) -> None:
        """Check that the value is a list of whole numbers above 0, at least `least` of them."""
        values = getattr(self._settings, name)
        if isinstance(values, str) or not isinstance(values, Sequence) or len(values) < least:
            raise ConfigError(
                f"{self._stage}: {name} = {values!r}: give a list of numbers, e.g. {name} = [3, 4, 5]"
            )
        for value in values:
            self._check_count(name, value, 1)

    def count(self, name: str, least: int) -> None:
        """Check that the value is a whole number, at least `least`."""
        self._check_count(name, getattr(self._settings, name), least)

    def rate(self, name: str) -> None:
        """Check that the value is above 0."""
        value = getattr(self._settings, name)
        if not value > 0:
            raise ConfigError(f"{self._stage}: {name} must be above 0, not {value}")

    def share(self, name: str) -> None:
        """Check that the value is from 0 to below 1."""
        value = getattr(self._settings, name)
        if not 0 <= value < 1:
            raise ConfigError(f"{self._stage}: {name} must be from 0 to below 1, not {value}")

    def _check_count(self, name: str, value: object, least: int) -> None:
        # True is an int to Python, and no number to a person.
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigError(
                f"{self._stage}: {name} must be a whole number, at least {least}, not {value!r}"
            )
