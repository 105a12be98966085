"""`glossator plugins`: what is installed, and whether it works."""

from __future__ import annotations

import dataclasses
import json
import warnings
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from glossator.cli.context import Settings
    from glossator.plugins import PluginInfo, State

_STYLES: dict[State, str] = {"active": "", "faulty": "yellow", "failed": "red", "blocked": "dim"}


@click.group()
def plugins() -> None:
    """See and try the installed plugins."""


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """List the installed plugins, what each provides, and what is wrong with it."""
    found = _inspect(settings)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(info) for info in found], indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    Console().print(_table(found))


def _inspect(settings: Settings) -> list[PluginInfo]:
    from glossator.plugins import PluginWarning

    with warnings.catch_warnings():
        # The list itself says what is wrong.
        warnings.simplefilter("ignore", PluginWarning)
        return settings.plugins().plugins()


def _table(found: Sequence[PluginInfo]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("plugin", "distribution", "version", "provides", "state")
    for info in found:
        provides = "\n".join(f"{kind}: {', '.join(names)}" for kind, names in info.provides.items())
        state = f"{info.state}: {info.reason}" if info.reason else info.state
        # Text, because rich reads "[...]" in a plain string as markup.
        cells = (info.name, info.distribution, info.version, provides, state)
        table.add_row(*map(Text, cells), style=_STYLES[info.state])
    return table
