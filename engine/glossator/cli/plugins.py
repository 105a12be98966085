"""`glossator plugins`: lists and checks what is installed."""

from __future__ import annotations

import dataclasses
import json
import warnings
from typing import TYPE_CHECKING, Any

import click

from glossator.errors import PluginError
from glossator.hookspecs import KINDS, Kind
from glossator.util.messages import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from glossator.commands import Settings
    from glossator.plugins.declared import PluginInfo, State
    from glossator.plugins.manager import PluginManager
    from glossator.testing import CheckResult, Outcome

_STYLES: dict[State, str] = {"active": "", "faulty": "yellow", "failed": "red", "blocked": "dim"}
_OUTCOME_STYLES: dict[Outcome, str] = {"passed": "green", "failed": "red", "not applicable": "dim"}


@click.group()
def plugins() -> None:
    """List and check the installed plugins."""


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """List the installed plugins, what each provides, and the problems of each."""
    infos = _inspect(settings)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(info) for info in infos], indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    Console().print(_table(infos))


@plugins.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), help="Check stages of this kind alone.")
@click.option(
    "--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A setting of the stage, write=LAYER too."
)
@click.option("--only", multiple=True, metavar="CHECK", help="Run this check alone; may be repeated.")
@click.pass_obj
@click.pass_context
def check(
    context: click.Context,
    settings: Settings,
    name: str,
    kind: Kind | None,
    pairs: tuple[str, ...],
    only: tuple[str, ...],
) -> None:
    """Check that a stage keeps the contract of its kind.

    NAME is a stage, PLUGIN/STAGE, or a plugin: then all its stages are checked. A tagger is checked
    on every layer it can write. The exit code is 1 if a check fails.
    """
    from glossator.commands import key_values
    from glossator.testing import variants

    values = key_values(pairs, "--set")
    manager = settings.plugins()
    failed = 0
    for stage_kind, stage in _stages(manager, name, kind):
        # A plugin may have stages of several kinds, and `write` is a setting of taggers only.
        own = {key: value for key, value in values.items() if stage_kind == "tagger" or key != "write"}
        for variant in variants(stage_kind, stage, settings=own, plugins=manager):
            failed += _check_variant(manager, stage_kind, stage, variant, only)
    context.exit(1 if failed else 0)


def _stages(manager: PluginManager, name: str, kind: Kind | None) -> list[tuple[Kind, str]]:
    """Return the kind and full name of every stage that has this name, or whose plugin has it."""
    declared = [(k, one) for k in ([kind] if kind else KINDS) for one in manager.stages(k)]
    names = [(k, one.full_name, {one.full_name, one.plugin.name, one.record.name}) for k, one in declared]
    matching = [(k, stage) for k, stage, aliases in names if name in aliases]
    if matching:
        return matching
    what = kind or "stage"
    available = {alias for _, _, aliases in names for alias in aliases}
    raise PluginError(
        f"no {what} and no plugin with a {what} is called {name!r}{did_you_mean(name, available)}; "
        "`glossator plugins list` shows what there is, and why something is missing"
    )


def _check_variant(
    manager: PluginManager, kind: Kind, stage: str, settings: dict[str, Any], only: tuple[str, ...]
) -> int:
    """Run the checks, print their table, and return the number of failed checks."""
    from rich.console import Console
    from rich.text import Text

    from glossator.testing import CHECKS, run_checks

    console = Console(highlight=False)
    title = f"{kind} {stage}" + "".join(f" {key}={json.dumps(value)}" for key, value in settings.items())
    results = []
    with console.status(Text(title)) as status:
        for result in run_checks(kind, stage, settings=settings, plugins=manager, only=only):
            results.append(result)
            status.update(Text(f"{title}: {len(results)} of {len(only) or len(CHECKS[kind])} checks"))
    console.print(_results_table(title, results))
    return sum(result.outcome == "failed" for result in results)


def _results_table(title: str, results: Sequence[CheckResult]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("check", "outcome", "reason", title=Text(title), title_justify="left")
    for result in results:
        table.add_row(
            result.check, Text(result.outcome, style=_OUTCOME_STYLES[result.outcome]), Text(result.reason)
        )
    return table


def _inspect(settings: Settings) -> list[PluginInfo]:
    from glossator.plugins.declared import PluginWarning

    with warnings.catch_warnings():
        # The list itself has the problems.
        warnings.simplefilter("ignore", PluginWarning)
        return settings.plugins().plugins()


def _table(infos: Sequence[PluginInfo]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("plugin", "distribution", "version", "provides", "state")
    for info in infos:
        provides = "\n".join(f"{kind}: {', '.join(names)}" for kind, names in info.provides.items())
        state = f"{info.state}: {info.reason}" if info.reason else info.state
        # Text, because rich reads "[...]" in a plain string as markup.
        cells = (info.name, info.distribution, info.version, provides, state)
        table.add_row(*map(Text, cells), style=_STYLES[info.state])
    return table
