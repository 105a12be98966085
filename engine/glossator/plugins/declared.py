"""What plugins declare: records with the plugin they come from, and faults."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from glossator.hookspecs import KINDS, Command, Format, Kind, PipelineRecord, Stage

AnyRecord = Stage | Format | PipelineRecord | Command
AnyKind = Kind | Literal["format", "pipeline", "command"]
State = Literal["active", "faulty", "failed", "blocked"]
R = TypeVar("R", bound=AnyRecord)
RECORDS: Mapping[AnyKind, type[AnyRecord]] = {
    **dict.fromkeys(KINDS, Stage),
    "format": Format,
    "pipeline": PipelineRecord,
    "command": Command,
}
HOOKS: Mapping[AnyKind, str] = {kind: f"glossator_{kind}s" for kind in RECORDS}


class PluginWarning(UserWarning):
    """A plugin that does not work, in whole or in part; everything else does."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin and the distribution that installed it."""

    name: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"plugin {self.name!r} ({self.distribution} {self.version})"


@dataclass(frozen=True, slots=True)
class Declared(Generic[R]):
    """A record and the plugin that declared it."""

    plugin: Plugin
    record: R

    @property
    def full_name(self) -> str:
        """The name that no other record of its kind has, "plugin/name"."""
        return f"{self.plugin.name}/{self.record.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """What `glossator plugins list` says of a plugin.

    Attributes:
        name: The name of its entry point.
        distribution: The pip package that brought it.
        version: That package's version.
        state: "active"; "faulty": something it declares does not work; "failed": nothing of it
            works; "blocked": it was not imported.
        reason: Why it is not active, one line; "" where it is.
        provides: Names it declares, by kind ("tagger", "format", ...); kinds without any are left out.
    """

    name: str
    distribution: str
    version: str
    state: State
    reason: str
    provides: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A fault of a plugin: its `kind` of record is missing, or, where None, any kind may be."""

    plugin: Plugin
    reason: str
    kind: AnyKind | None = None
    details: str = ""


def name_and_plugin(found: Declared[Any]) -> tuple[str, str]:
    """Return what records are sorted by and must differ in."""
    return found.record.name, found.plugin.name


def traceback_text(error: BaseException) -> str:
    """Return an error's traceback as Python prints it."""
    return "".join(traceback.format_exception(error))
