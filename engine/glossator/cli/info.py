"""`glossator info`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from glossator.commands import Settings

MOST_LABELS_SHOWN = 20


@click.command()
@click.argument("pipeline")
@click.option("--check", is_flag=True, help="Verify its files, and its predictions for the golden texts.")
@click.option("--json", "as_json", is_flag=True, help="Print its meta.json.")
@click.pass_obj
def info(settings: Settings, pipeline: str, check: bool, as_json: bool) -> None:
    """Show the heads of PIPELINE and their plugins; with --check, verify that nothing has changed."""
    from glossator.pipeline.folder import read_meta
    from glossator.pipeline.loading import check_pipeline, pipeline_folder

    plugins = settings.plugins()
    folder = pipeline_folder(pipeline, plugins)
    meta = read_meta(folder)
    if as_json:
        click.echo(json.dumps(meta, indent=2, ensure_ascii=False))
    else:
        _print(meta)
    if check:
        check_pipeline(folder, plugins=plugins)
        click.echo(
            "checked: its files are unchanged, and so are its predictions for the golden texts", err=True
        )


def _print(meta: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from glossator.util.messages import join_first

    title = Text(f"{meta['name']} {meta['version']} ({meta['lang']})")
    table = Table("head", "writes", "stage", "plugin", "dev score", "labels", title=title)
    scores = meta.get("scores", {})
    for name, head in meta["heads"].items():
        score = scores.get(name, {}).get("dev")
        table.add_row(
            name,
            head["writes"],
            head["stage"],
            f"{head['plugin']} {head['version']}",
            "–" if score is None else f"{score:.4f}",
            Text(join_first(head["labels"], MOST_LABELS_SHOWN)),
        )

    console = Console()
    console.print(table)
    if meta["licence"]:
        console.print(f"licence: {meta['licence']}", markup=False)
