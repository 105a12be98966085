"""Finds plugins, isolates those that fail, and looks up their records by name."""

from __future__ import annotations

import importlib
import itertools
import os
import textwrap
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal, overload

import pluggy

from glossator.about import __version__
from glossator.errors import PluginError, UnknownNameError, UsageError
from glossator.hookspecs import KINDS, Command, Format, Kind, PipelineRecord, Specs, Stage
from glossator.plugins.building import FAILURES, build
from glossator.plugins.checks import declared_by, hook_faults
from glossator.plugins.declared import (
    HOOKS,
    RECORDS,
    AnyKind,
    Declared,
    Plugin,
    PluginInfo,
    PluginWarning,
    Problem,
    State,
    name_and_plugin,
    traceback_text,
)
from glossator.plugins.replaced import REPLACED, replaced
from glossator.util.messages import did_you_mean, listed, one_line

GROUP = "glossator"
ALLOW_VARIABLE = "GLOSSATOR_PLUGINS"
# Named and not imported, because no room below the built-in stages may import them.
BUILTIN_MODULES = ("glossator.builtin",)

_BUILTIN = Plugin("builtin", "glossator", __version__)


class PluginManager:
    """Finds plugins, isolates those that fail, and looks up their records by name.

    A plugin that fails leaves everything else working. Each of its faults is one `PluginWarning`; the full
    reason is in the error that a lookup raises if the plugin might have declared the record.

    Example:
        manager = PluginManager(block=["slow-plugin"])
        tagger = manager.make("tagger", "crf", {"write": "pos"})

    Args:
        allow: Names of the plugins to use besides the built-in ones; None: all that are installed.
        block: Names of plugins not to use. A plugin that is not used is not imported.
    """

    def __init__(self, *, allow: Collection[str] | None = None, block: Collection[str] = ()) -> None:
        self._pluggy = pluggy.PluginManager(GROUP)
        self._pluggy.add_hookspecs(Specs)
        self._loaded: dict[str, Plugin] = {}
        self._failed: list[Plugin] = []
        self._blocked: dict[Plugin, str] = {}
        self._problems: list[Problem] = []
        self._declared: dict[AnyKind, list[Declared[Any]]] = {}
        self._add_builtin(block)
        self._add_installed(allow, block)

    @classmethod
    def from_environment(cls, block: Collection[str] = ()) -> PluginManager:
        """Allow the plugins that `GLOSSATOR_PLUGINS` lists ("a,b").

        If the variable is unset, all are allowed; if it is empty, the built-in ones alone.

        Example:
            plugins = PluginManager.from_environment(block=["slow-plugin"])
        """
        variable = os.environ.get(ALLOW_VARIABLE)
        if variable is None:
            return cls(block=block)
        return cls(allow={name.strip() for name in variable.split(",") if name.strip()}, block=block)

    @overload
    def find(self, kind: Kind, name: str) -> Declared[Stage]: ...
    @overload
    def find(self, kind: Literal["format"], name: str) -> Declared[Format]: ...
    @overload
    def find(self, kind: Literal["pipeline"], name: str) -> Declared[PipelineRecord]: ...
    @overload
    def find(self, kind: Literal["command"], name: str) -> Declared[Command]: ...
    def find(self, kind: AnyKind, name: str) -> Declared[Any]:
        """Return the record called `name`, or "plugin/name", with its plugin.

        Example:
            manager.find("tagger", "builtin/crf").record.summary

        Raises:
            UnknownNameError: There is none.
            PluginError: There are several, or none but a plugin failed that might have declared it; the
                message contains its whole error.
        """
        owner, _, plain = name.rpartition("/")
        candidates = [each for each in self._collect(kind) if owner in ("", each.plugin.name)]
        matches = [each for each in candidates if each.record.name == plain]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise PluginError(f"several plugins have a {kind} {plain!r}; write one of: {_listed(matches)}")

        if owner in ("", _BUILTIN.name) and (kind, plain) in REPLACED:
            raise UnknownNameError(replaced(kind, plain))
        nearest = did_you_mean(plain, [each.record.name for each in candidates])
        scope = f" in plugin {owner!r}" if owner else ""
        others = [k for k in KINDS if k != kind and any(d.record.name == plain for d in self._collect(k))]
        other = f" (it is a {others[0]})" if others else ""
        lines = [f"no {kind} {plain!r}{scope}{nearest or other}; available: {_listed(candidates) or 'none'}"]
        excuses = list(self._excuses(kind, owner))
        # If a plugin that failed may have declared it, the name may be right.
        raise (PluginError if excuses else UnknownNameError)("\n".join([*lines, *excuses]))

    def stage(self, kind: Kind, name: str) -> Stage:
        """Return the stage called `name`, or "plugin/name"; raises the errors of `find`."""
        return self.find(kind, name).record

    def stages(self, kind: Kind) -> list[Declared[Stage]]:
        """Return all stages of a kind, sorted by name."""
        return self._collect(kind)

    def make(self, kind: Kind | Literal["format"], name: str, settings: Mapping[str, Any]) -> Any:
        """Build the stage or format called `name`, or "plugin/name".

        Example:
            manager.make("classifier", "linear", {"exclusive": False})

        Raises:
            ConfigError: See `building.build`.
            PluginError: See `find` and `building.build`.
            StageError: See `building.build`.
        """
        declared: Declared[Stage] | Declared[Format] = self.find(kind, name)
        return build(declared.record, settings, plugin=declared.plugin.name)

    def format(self, name: str) -> Format:
        """Return the file format called `name`, or "plugin/name"; raises the errors of `find`."""
        return self.find("format", name).record

    def formats(self) -> list[Declared[Format]]:
        """Return all file formats, sorted by name."""
        return self._collect("format")

    def format_for(self, path: Path) -> Format:
        """Return the format whose suffixes the file's name ends with.

        Example:
            manager.format_for(Path("people.conll")).name  # "conll"

        Raises:
            UsageError: No format has such a suffix, or several have.
        """
        matches = [each for each in self.formats() if path.name.lower().endswith(each.record.suffixes)]
        if len(matches) == 1:
            return matches[0].record
        if matches:
            raise UsageError(f"{path}: its ending can mean {_listed(matches)}; name the format")
        lines = [f"{path}: no format has this ending; name the format"]
        raise UsageError("\n".join([*lines, *self._excuses("format")]))

    def pipeline(self, name: str) -> PipelineRecord:
        """Return the installed pipeline called `name`, or "plugin/name"; raises the errors of `find`."""
        return self.find("pipeline", name).record

    def pipelines(self) -> list[Declared[PipelineRecord]]:
        """Return all installed pipelines, sorted by name."""
        return self._collect("pipeline")

    def command(self, name: str) -> Declared[Command]:
        """Return the subcommand called `name`, or "plugin/name"; raises the errors of `find`."""
        return self.find("command", name)

    def commands(self) -> list[Declared[Command]]:
        """Return all subcommands that plugins add, sorted by name."""
        return self._collect("command")

    def plugins(self) -> list[PluginInfo]:
        """Return every installed plugin, also blocked and failed ones, sorted by name; calls every hook."""
        for kind in RECORDS:
            self._collect(kind)
        installed = [*self._loaded.values(), *self._failed, *self._blocked]
        return [self._info(plugin) for plugin in sorted(installed, key=lambda p: (p.name, p.distribution))]

    def _info(self, plugin: Plugin) -> PluginInfo:
        problems = [problem.reason for problem in self._problems if problem.plugin == plugin]
        works = plugin in self._loaded.values()
        provides = {
            kind: tuple(each.record.name for each in declared if works and each.plugin == plugin)
            for kind, declared in self._declared.items()
        }
        return PluginInfo(
            name=plugin.name,
            distribution=plugin.distribution,
            version=plugin.version,
            state=self._state(plugin, bool(problems)),
            reason=self._blocked.get(plugin) or "; ".join(problems),
            provides={kind: names for kind, names in provides.items() if names},
        )

    def _state(self, plugin: Plugin, faulty: bool) -> State:
        if plugin in self._blocked:
            return "blocked"
        if plugin in self._failed:
            return "failed"
        return "faulty" if faulty else "active"

    def _add_builtin(self, block: Collection[str]) -> None:
        if _BUILTIN.name in block:
            self._blocked[_BUILTIN] = "blocked by name"
        else:
            for module in BUILTIN_MODULES:
                self._pluggy.register(importlib.import_module(module), _BUILTIN.name)
            self._loaded[_BUILTIN.name] = _BUILTIN

    def _add_installed(self, allow: Collection[str] | None, block: Collection[str]) -> None:
        installed = _installed()
        for name, entry_points_by_plugin in installed.items():
            plugins = list(entry_points_by_plugin)
            if name == _BUILTIN.name:
                self._fail(plugins, f"the name {name!r} is Glossator's own")
            elif name in block:
                self._blocked.update(dict.fromkeys(plugins, "blocked by name"))
            elif allow is not None and name not in allow:
                self._blocked.update(dict.fromkeys(plugins, f"not in the allow-list ({ALLOW_VARIABLE})"))
            elif len(plugins) > 1:
                rivals = " and ".join(f"{plugin.distribution} {plugin.version}" for plugin in plugins)
                self._fail(plugins, f"{rivals} each provide a plugin of this name: uninstall one")
            else:
                self._load(plugins[0], entry_points_by_plugin[plugins[0]])

        for name in sorted({*block, *(allow or ())} - {*installed, _BUILTIN.name}):
            _warn(f"no plugin {name!r} is installed to block or allow; installed: {listed(installed)}")

    def _load(self, plugin: Plugin, entry_point: EntryPoint) -> None:
        try:
            module = entry_point.load()
            self._pluggy.register(module, plugin.name)
            faults = hook_faults(self._pluggy, module)
        except FAILURES as error:
            # pluggy keeps the hooks that it registered before the one it refuses.
            self._pluggy.unregister(name=plugin.name)
            self._fail([plugin], f"it failed to load: {one_line(error)}", traceback_text(error))
        else:
            self._loaded[plugin.name] = plugin
            self._report([Problem(plugin=plugin, reason=fault) for fault in faults])

    def _fail(self, plugins: list[Plugin], reason: str, details: str = "") -> None:
        self._failed += plugins
        self._report([Problem(plugin=plugin, reason=reason, details=details) for plugin in plugins])

    def _report(self, problems: list[Problem]) -> None:
        self._problems += problems
        for problem in problems:
            _warn(f"{problem.plugin}: {problem.reason}")

    def _collect(self, kind: AnyKind) -> list[Declared[Any]]:
        """Return the records of a kind; calls its hook the first time."""
        if kind in self._declared:
            return self._declared[kind]

        # Plugin by plugin instead of all in one call: an error that pluggy passes on names no plugin.
        hook: pluggy.HookCaller = getattr(self._pluggy.hook, HOOKS[kind])
        answers = [
            answer
            for impl in hook.get_hookimpls()
            for answer in declared_by(impl, kind, self._loaded[impl.plugin_name])
        ]

        declared = [answer for answer in answers if isinstance(answer, Declared)]
        counts = Counter(map(name_and_plugin, declared))
        # Of records with one name neither is used: which one was meant is unknown.
        unique = [each for each in declared if counts[name_and_plugin(each)] == 1]
        self._declared[kind] = sorted(unique, key=name_and_plugin)

        problems = [answer for answer in answers if isinstance(answer, Problem)]
        problems += [
            Problem(plugin=self._loaded[plugin], reason=f"it declares {kind} {name!r} twice", kind=kind)
            for (name, plugin), count in counts.items()
            if count > 1
        ]
        self._report(problems)
        return self._declared[kind]

    def _excuses(self, kind: AnyKind, owner: str = "") -> Iterator[str]:
        """Explain for each plugin (or for `owner` alone) why a record that was looked up may be missing."""
        installed = {plugin.name for plugin in (*self._loaded.values(), *self._failed, *self._blocked)}
        if owner and owner not in installed:
            yield f"no plugin {owner!r} is installed; installed: {listed(installed)}"
        for plugin, reason in self._blocked.items():
            if owner in ("", plugin.name):
                yield f"{plugin} might provide it, but is not used: {reason}"
        for problem in self._problems:
            if owner in ("", problem.plugin.name) and problem.kind in (None, kind):
                yield f"{problem.plugin} might provide it, but {problem.reason}"
                yield from [textwrap.indent(problem.details.rstrip(), "    ")] if problem.details else []


def _installed() -> dict[str, dict[Plugin, EntryPoint]]:
    """Return the entry points by name, sorted: importlib's order depends on the file system."""
    pairs = [(_plugin(entry_point), entry_point) for entry_point in entry_points(group=GROUP)]
    pairs.sort(key=lambda pair: (pair[0].name, pair[0].distribution))
    return {name: dict(group) for name, group in itertools.groupby(pairs, key=lambda pair: pair[0].name)}


def _plugin(entry_point: EntryPoint) -> Plugin:
    distribution = entry_point.dist
    if distribution is None:
        return Plugin(entry_point.name, "", "")
    # A damaged installation may lack either.
    return Plugin(entry_point.name, distribution.name or "", distribution.version or "")


def _listed(declared: Collection[Declared[Any]]) -> str:
    """Return the names, with commas, as "plugin/name" if several plugins have the plain name."""
    counts = Counter(each.record.name for each in declared)
    return ", ".join(
        each.record.name if counts[each.record.name] == 1 else each.full_name for each in declared
    )


def _warn(message: str) -> None:
    warnings.warn(message, PluginWarning, stacklevel=2)
