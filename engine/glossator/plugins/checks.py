"""Checks a plugin's hooks and records, and describes each fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pluggy

from glossator.hookspecs import API_VERSION, Format
from glossator.plugins.building import FAILURES
from glossator.plugins.declared import HOOKS, RECORDS, AnyKind, Declared, Plugin, Problem, traceback_text
from glossator.util.messages import did_you_mean, one_line


def hook_faults(manager: pluggy.PluginManager, module: Any) -> list[str]:
    """Return the faults that pluggy ignores: hooks that do not exist, and hooks without the marker.

    Example:
        hook_faults(manager, module)  # ["there is no hook 'glossator_tager' (did you mean ...)"]
    """
    hooks = manager.get_hookcallers(module) or []
    valid = list(HOOKS.values())
    faults = [
        f"there is no hook {hook.name!r}{did_you_mean(hook.name, valid)}"
        for hook in hooks
        if not hook.has_spec()
    ]
    implemented = [impl.function for hook in hooks for impl in hook.get_hookimpls()]
    faults += [
        f"{name} is not marked with @glossator.hookimpl"
        for name in valid
        if hasattr(module, name) and getattr(module, name) not in implemented
    ]
    return faults or ([] if hooks else ["it implements no hook"])


def declared_by(impl: pluggy.HookImpl, kind: AnyKind, plugin: Plugin) -> Iterator[Declared[Any] | Problem]:
    """Yield the records that one plugin's hook declares, and a problem for each invalid one.

    Example:
        [each for each in declared_by(impl, "tagger", plugin) if isinstance(each, Problem)]
    """
    try:
        # The hook may be a generator: its errors come while it is read, after records that are good.
        records: Any = impl.function()
        for record in records or ():
            fault = _record_fault(record, kind)
            if fault:
                yield Problem(plugin=plugin, reason=fault, kind=kind)
            else:
                yield Declared(plugin, record)
    except FAILURES as error:
        reason = f"its hook {HOOKS[kind]} failed: {one_line(error)}"
        yield Problem(plugin=plugin, reason=reason, kind=kind, details=traceback_text(error))


def _record_fault(record: object, kind: AnyKind) -> str:
    if not isinstance(record, RECORDS[kind]):
        return f"its hook {HOOKS[kind]} declares {record!r}, which is not a {RECORDS[kind].__name__}"
    if not isinstance(record.name, str) or not record.name or "/" in record.name:
        return f"it declares a {kind} named {record.name!r}: a name is a string without '/'"
    if isinstance(record, Format) and not _are_suffixes(record.suffixes):
        return f"its format {record.name!r} has suffixes={record.suffixes!r}: give a tuple like ('.txt',)"
    if record.api != API_VERSION:
        older = "Glossator" if record.api > API_VERSION else "the plugin"
        versions = f"written for version {record.api} of the plugin API, this is version {API_VERSION}"
        return f"its {kind} {record.name!r} is {versions}: upgrade {older}"
    return ""


def _are_suffixes(suffixes: object) -> bool:
    return isinstance(suffixes, tuple) and all(isinstance(s, str) and s[:1] == "." for s in suffixes)
