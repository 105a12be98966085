"""Declared records with their plugins, and the problems of plugins."""

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
    """A plugin does not work, in whole or in part; everything else does.

    Example:
        warnings.simplefilter("error", PluginWarning)
    """


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin and the distribution that installed it.

    Example:
        str(Plugin("shouting", "glossator-shouting", "1.0"))  # "plugin 'shouting' (glossator-shouting 1.0)"
    """

    name: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"plugin {self.name!r} ({self.distribution} {self.version})"


@dataclass(frozen=True, slots=True)
class Declared(Generic[R]):
    """A record and the plugin that declared it.

    Example:
        manager.find("tagger", "crf").full_name  # "builtin/crf"
    """

    plugin: Plugin
    record: R

    @property
    def full_name(self) -> str:
        """The unambiguous name of the record among those of its kind, "plugin/name"."""
        return f"{self.plugin.name}/{self.record.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """What `glossator plugins list` shows about a plugin.

    Example:
        [info.name for info in PluginManager().plugins() if info.state != "active"]

    Attributes:
        name: The name of its entry point.
        distribution: The pip package that contains it.
        version: That package's version.
        state: "active"; "faulty": something it declares does not work; "failed": nothing of it
            works; "blocked": it was not imported.
        reason: Why it is not active, in one line; "" if it is.
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
    """A fault of a plugin.

    Example:
        Problem(plugin=plugin, reason="it declares tagger 'ner' twice", kind="tagger")

    Attributes:
        plugin: The plugin.
        reason: What is wrong, in one line.
        kind: The kind of record that is missing because of it; None if any kind may be missing.
        details: The traceback of the error behind it, if there is one.
    """

    plugin: Plugin
    reason: str
    kind: AnyKind | None = None
    details: str = ""


def name_and_plugin(declared: Declared[Any]) -> tuple[str, str]:
    """Return the name and plugin by which records are sorted, and in which they must differ."""
    return declared.record.name, declared.plugin.name


def traceback_text(error: BaseException) -> str:
    """Return an error's traceback as Python prints it."""
    return "".join(traceback.format_exception(error))
