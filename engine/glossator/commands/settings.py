"""The options of `glossator` itself, for every subcommand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glossator.plugins.manager import PluginManager


@dataclass(frozen=True)
class Settings:
    """The global options; `click.pass_obj` passes them to a command.

    Example:
        @click.command()
        @click.pass_obj
        def formats(settings: Settings) -> None:
            for declared in settings.plugins().formats():
                click.echo(declared.full_name)

    Attributes:
        no_plugin: Names of plugins not to use.
        debug: Whether to show tracebacks.
    """

    no_plugin: tuple[str, ...] = ()
    debug: bool = False

    def plugins(self) -> PluginManager:
        """Return the manager of the installed plugins, without those of `no_plugin`."""
        return self._manager

    @cached_property
    def _manager(self) -> PluginManager:  # one for all callers, so that no problem is reported twice
        from glossator.plugins.manager import PluginManager

        return PluginManager.from_environment(block=self.no_plugin)
