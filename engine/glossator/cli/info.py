"""`glossator info`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from glossator.commands import Settings
    from glossator.pipeline.pipeline import Pipeline

MOST_LABELS_SHOWN = 20
FEATURES_SHOWN = 15  # for a label, and as many against it
MOST_FEATURES = 1_000_000


@click.command()
@click.argument("pipeline")
@click.option("--check", is_flag=True, help="Verify its files, and its predictions for the golden texts.")
@click.option(
    "--weights", "label", metavar="LABEL", help="List the features that speak most for and against a label."
)
@click.option("--json", "as_json", is_flag=True, help="Print its meta.json.")
@click.pass_obj
def info(settings: Settings, pipeline: str, check: bool, label: str | None, as_json: bool) -> None:
    """Show the heads of PIPELINE and their plugins; with --check, verify that nothing has changed."""
    from glossator.pipeline.folder import read_meta
    from glossator.pipeline.loading import check_pipeline, load, pipeline_folder

    plugins = settings.plugins()
    folder = pipeline_folder(pipeline, plugins)
    meta = read_meta(folder)
    if as_json:
        click.echo(json.dumps(meta, indent=2, ensure_ascii=False))
    elif label is None:
        _print(meta)
    if label is not None:
        _print_weights(load(folder, plugins=plugins), label)
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


def _print_weights(pipeline: Pipeline, label: str) -> None:
    """Print a table of features for each head that has the label and can explain itself."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from glossator.errors import UsageError
    from glossator.stages import Explainable
    from glossator.util.messages import listed

    heads = [head for head in pipeline.heads.values() if isinstance(head.stage, Explainable)]
    chosen = [head for head in heads if label in head.labels]
    if not chosen:
        labels = listed(each for head in heads for each in head.labels)
        raise UsageError(
            f"no linear stage of this pipeline has the label {label!r}; labels of such: {labels}"
        )
    for head in chosen:
        table = Table("feature", "weight", title=Text(f"{head.name}: {label}"))
        own = label.removeprefix(head.config.prefix)
        # What speaks for a label can be weaker than all that speaks against it, and says more.
        features = head.stage.strongest(own, MOST_FEATURES)
        for sign in (1, -1):
            for feature, value in [each for each in features if sign * each.value > 0][:FEATURES_SHOWN]:
                table.add_row(Text(feature), f"{value:+.3f}")
            table.add_section()
        Console().print(table)
