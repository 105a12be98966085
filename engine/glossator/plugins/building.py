"""Builds stages and formats: imports the factory of a record and calls it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from glossator.errors import ConfigError, GlossatorError, PluginError, StageError
from glossator.hookspecs import Command, Format, Stage
from glossator.plugins.declared import Declared
from glossator.util.messages import did_you_mean, listed, one_line

if TYPE_CHECKING:
    import click

# What a plugin's code may raise: a module that calls sys.exit() must not end the whole program.
FAILURES = (Exception, SystemExit)


def build(record: Stage | Format, settings: Mapping[str, Any], *, plugin: str) -> Any:
    """Import the record's factory and call it with `settings`.

    Example:
        build(Stage(name="linear", factory="glossator.builtin.linear:LinearClassifier"), {}, plugin="builtin")

    Args:
        record: The stage or format to build.
        settings: Keyword arguments of the factory.
        plugin: The name of its plugin, for messages.

    Raises:
        ConfigError: The factory has no such setting, a required one is missing, or the value of one that is
            annotated as `bool`, `int` or `float` has another type.
        PluginError: The factory cannot be imported.
        StageError: The factory failed. `GlossatorError`s that it raises pass through.
    """
    what = f"{type(record).__name__.lower()} {record.name!r} of plugin {plugin!r}"
    factory = load_object(record.factory, what=what)
    _check_settings(factory, settings, what)
    try:
        return factory(**settings)
    except GlossatorError:
        raise
    except FAILURES as error:
        raise StageError(f"{what} could not be built: {one_line(error)}") from error


def load_command(declared: Declared[Command]) -> click.Command:
    """Import the click command that a plugin declared.

    Example:
        load_command(manager.command("vectors")).main(["info", "my/vectors"])

    Raises:
        PluginError: The import failed.
    """
    what = f"command {declared.record.name!r} of plugin {declared.plugin.name!r}"
    command: click.Command = load_object(declared.record.command, what=what)
    return command


def load_object(reference: str | Any, *, what: str) -> Any:
    """Import "package.module:attribute"; anything but a string is the object itself.

    Example:
        load_object("pathlib:Path", what="the test")  # pathlib.Path

    Args:
        reference: What to import, or the object.
        what: What needs it, for messages.

    Raises:
        PluginError: The import failed.
    """
    if not isinstance(reference, str):
        return reference
    module, colon, attribute = reference.partition(":")
    if not (module and colon and attribute):
        raise PluginError(f"{what} names {reference!r}, which should be 'package.module:attribute'")
    try:
        return getattr(importlib.import_module(module), attribute)
    except GlossatorError:
        raise
    except FAILURES as error:
        advice = _import_advice(error, module)
        raise PluginError(f"{what} needs {reference!r}: {one_line(error)}{advice}") from error


def _import_advice(error: BaseException, module: str) -> str:
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    package = error.name.partition(".")[0]
    if package == module.partition(".")[0]:
        return "; the plugin itself lacks this module: reinstall it, or report it to its author"
    return f"; install what it needs: pip install {package} (or the package that provides this module)"


def _check_settings(factory: Any, settings: Mapping[str, Any], what: str) -> None:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # some callables written in C have no signature
        return
    named = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    unknown = [name for name in settings if name not in named]
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        nearest = did_you_mean(unknown[0], named)
        raise ConfigError(f"{what} has no setting {unknown[0]!r}{nearest}; it accepts: {listed(named)}")
    missing = [name for name, p in named.items() if p.default is p.empty and name not in settings]
    if missing:
        raise ConfigError(f"{what} needs the setting {missing[0]!r}")
    for name, value in settings.items():
        if name in named and (wanted := _wanted(named[name].annotation, value)):
            raise ConfigError(f"{what}: {name} must be {wanted}, not {value!r}")


def _wanted(annotation: Any, value: Any) -> str:
    """Return the type that a value should have; "" if it has it, or if the annotation is not a plain type."""
    # A module with postponed annotations has them as strings.
    if annotation in (bool, "bool"):
        return "" if isinstance(value, bool) else "true or false"
    if annotation in (int, "int"):
        return "" if isinstance(value, Integral) and not isinstance(value, bool) else "a whole number"
    if annotation in (float, "float"):
        return "" if isinstance(value, Real) and not isinstance(value, bool) else "a number"
    return ""
