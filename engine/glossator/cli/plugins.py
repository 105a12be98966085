"""`glossator plugins`: what is installed, and whether it works."""

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
    """Check that a stage keeps what its kind promises.

    NAME is a stage, PLUGIN/STAGE, or a plugin: then all its stages are checked. A tagger is checked
    on every layer it can write. The exit code is 1 if a check fails.
    """
    from glossator.commands import key_values
    from glossator.testing import variants

    given = key_values(pairs, "--set")
    manager = settings.plugins()
    failed = 0
    for found_kind, stage in _stages(manager, name, kind):
        own = {key: value for key, value in given.items() if found_kind == "tagger" or key != "write"}
        for variant in variants(found_kind, stage, settings=own, plugins=manager):
            failed += _check_variant(manager, found_kind, stage, variant, only)
    context.exit(1 if failed else 0)


def _stages(manager: PluginManager, name: str, kind: Kind | None) -> list[tuple[Kind, str]]:
    """Return the kind and full name of every stage that goes by the name, or whose plugin does."""
    declared = [(k, found) for k in ([kind] if kind else KINDS) for found in manager.stages(k)]
    full = [(k, found.full_name, found) for k, found in declared]
    fits = [(k, stage) for k, stage, found in full if name in (stage, found.plugin.name, found.record.name)]
    if fits:
        return fits
    what = kind or "stage"
    known = {word for _, stage, found in full for word in (stage, found.plugin.name, found.record.name)}
    raise PluginError(
        f"no {what} and no plugin with a {what} is called {name!r}{did_you_mean(name, known)}; "
        "`glossator plugins list` shows what there is, and why something is missing"
    )


def _check_variant(
    manager: PluginManager, kind: Kind, stage: str, settings: dict[str, Any], only: tuple[str, ...]
) -> int:
    """Run the checks, print their table, and return how many failed."""
    from rich.console import Console
    from rich.text import Text

    from glossator.testing import CHECKS, run_checks

    console = Console(highlight=False)
    shown = "".join(f" {key}={json.dumps(value)}" for key, value in settings.items())
    title = f"{kind} {stage}{shown}"
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
