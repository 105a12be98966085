"""`glossator cross-validate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glossator.commands import config_file, corpora_option

if TYPE_CHECKING:
    from glossator.commands import Settings
    from glossator.training.cross_validation import CrossValidation


@click.command(name="cross-validate")
@click.argument("config")
@click.option("--folds", default=10, show_default=True, help="Number of folds; each is the test set once.")
@click.option(
    "--set", "overrides", multiple=True, metavar="A.B=VALUE", help="Change a setting of the config."
)
@corpora_option
@click.option("--json", "as_json", is_flag=True, help="Print the scores of each fold as JSON.")
@click.pass_obj
def cross_validate(
    settings: Settings,
    config: str,
    folds: int,
    overrides: tuple[str, ...],
    corpora: Path | None,
    as_json: bool,
) -> None:
    """Train and score a pipeline once for each fold of its own data, and print means; nothing is saved.

    CONFIG is a config file or the name of a recipe. Its training and dev sets are divided into folds with
    equal shares of each category. To score a fold, a pipeline is trained on all other folds but one, which
    is used to choose the best epoch. The test set is never opened.
    """
    from rich.console import Console

    from glossator.cli.progress import TrainingView
    from glossator.config.overrides import parse_override
    from glossator.config.text import read_config
    from glossator.training.cross_validation import cross_validate as run

    changes = dict(parse_override(text) for text in overrides)
    described = read_config(config_file(config), changes)
    with TrainingView(Console(stderr=True)) as view:
        result = run(described, folds=folds, corpora=corpora, plugins=settings.plugins(), progress=view)

    if as_json:
        click.echo(json.dumps({"heads": result.folds, "documents": result.documents}, indent=2))
    else:
        _print(result)
    if result.failed:
        raise click.exceptions.Exit(3)


def _print(result: CrossValidation) -> None:
    from rich.console import Console
    from rich.table import Table

    for head, folds in result.folds.items():
        title = f"{head}: {len(folds)} folds of {result.documents[head]:,} documents"
        table = Table("score", "mean", "± between folds", title=title)
        for name, (centre, spread) in result.summary(head).items():
            digits = ",.0f" if name == "words_per_second" else ".4f"
            table.add_row(name, f"{centre:{digits}}", f"{spread:{digits}}")
        Console().print(table)
