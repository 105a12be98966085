"""`glossator evaluate`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from glossator.cli import options
from glossator.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from glossator.cli.context import Settings
    from glossator.data import GoldData
    from glossator.evaluate import Evaluation
    from glossator.formats.record import Record
    from glossator.pipeline import Head, Pipeline

MOST_ERRORS_SHOWN = 5


@click.command()
@click.argument("pipeline", metavar="PIPELINE")
@click.argument("gold", required=False, nargs=-1, type=click.Path(path_type=Path))
@options.input_format
@options.heads
@options.corpora
@click.option("--retokenize", is_flag=True, help="Score from raw text, by the CoNLL-18 rule.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON, under spaCy's names.")
@click.pass_obj
def evaluate(
    settings: Settings,
    pipeline: str,
    gold: tuple[Path, ...],
    from_: str,
    from_options: tuple[str, ...],
    encoding: str,
    only: tuple[str, ...],
    without: tuple[str, ...],
    corpora: Path | None,
    retokenize: bool,
    as_json: bool,
) -> None:
    """Score PIPELINE on GOLD files, each head on its own layer.

    Without GOLD each head takes the test set of the data it was trained with. Gold tokens are
    taken as they stand, unless --retokenize.
    """
    from glossator.data import DataSource, read_files, read_gold
    from glossator.pipeline import load

    plugins = settings.plugins()
    loaded = load(pipeline, only=only, without=without, plugins=plugins)
    choices = options.key_values(from_options, "--from-option")

    def records(head: Head) -> Iterator[Record | DataError]:
        if gold:
            return read_files(gold, from_, choices, encoding, plugins)
        data = loaded.config.data[head.name]
        return DataSource(data, loaded.config.folder, corpora, plugins).records("test")

    heads = list(loaded.heads.values())
    if not gold:
        heads = [head for head in heads if _has_test_set(loaded, head)]
        if not heads:
            raise UsageError("the pipeline's config names no test set: name GOLD files")
    results: dict[str, Evaluation] = {}
    failed = 0
    for head in heads:
        data = read_gold(_with_raw_text(records(head), retokenize), head.config.layer, loaded)
        failed += len(data.errors)
        _warn(head, data)
        if data.examples:
            results[head.name] = _evaluate(loaded, head, data, retokenize)
    if not results and failed:
        raise DataError("there is no gold document that can be used")
    if not results:
        raise DataError("the gold files say nothing on what this pipeline writes")
    if as_json:
        click.echo(json.dumps(_as_json(results), indent=2))
    else:
        _print(loaded, results)
    if failed:
        raise click.exceptions.Exit(3)


def _has_test_set(pipeline: Pipeline, head: Head) -> bool:
    data = pipeline.config.data.get(head.name)
    if data and (data.corpus or data.test):
        return True
    click.echo(f"{head.name}: the pipeline's config names no test set for it; it is not scored", err=True)
    return False


def _evaluate(pipeline: Pipeline, head: Head, data: GoldData, retokenize: bool) -> Evaluation:
    from glossator.evaluate import evaluate_from_raw_text, evaluate_head

    if retokenize and head.config.layer != "cats":
        return evaluate_from_raw_text(pipeline, head, [example.reference for example in data.examples])
    return evaluate_head(pipeline, head, data.examples)


def _with_raw_text(records: Iterator[Record | DataError], retokenize: bool) -> Iterator[Record | DataError]:
    for record in records:
        if retokenize and not isinstance(record, DataError) and not record.raw:
            yield DataError("it has no raw text to tokenize anew", file=record.file, line=record.line)
        else:
            yield record


def _warn(head: Head, data: GoldData) -> None:
    for error in data.errors[:MOST_ERRORS_SHOWN]:
        click.echo(f"{click.style('failed:', fg='red')} {error}", err=True)
    if len(data.errors) > MOST_ERRORS_SHOWN:
        click.echo(f"... and {len(data.errors) - MOST_ERRORS_SHOWN} more", err=True)
    if not data.examples:
        click.echo(f"{head.name}: the gold says nothing of {head.config.layer}; it is not scored", err=True)
    if data.alignment.repaired or data.alignment.impossible:
        click.echo(f"{head.name}: {data.alignment.summary()}", err=True)


def _as_json(results: Mapping[str, Evaluation]) -> dict[str, Any]:
    """Return the scores by spaCy's names and, since two heads may share one, by head as well."""
    merged: dict[str, Any] = {}
    for result in results.values():
        merged = {**result.scores, **merged}
    by_head = {
        name: {**result.scores, "documents": result.documents, "words": result.words}
        for name, result in results.items()
    }
    return {**merged, "heads": by_head}


def _print(pipeline: Pipeline, results: Mapping[str, Evaluation]) -> None:
    from rich.console import Console

    console = Console()
    for name, result in results.items():
        console.print(_table(name, pipeline.heads[name].config.layer, result))
        for key, rows in result.scores.items():
            if isinstance(rows, Mapping) and all(isinstance(row, Mapping) for row in rows.values()):
                console.print(_per_type(key, rows))


def _table(name: str, layer: str, result: Evaluation) -> Table:
    from rich.table import Table

    table = Table("score", "value", title=f"{name} ({layer}): {result.documents:,} documents")
    for key, value in result.scores.items():
        if isinstance(value, float):
            table.add_row(key, f"{value:,.0f}" if key == "words_per_second" else f"{value:.4f}")
    return table


def _per_type(key: str, rows: Mapping[str, Mapping[str, float]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("label", "precision", "recall", "F1", title=key)
    for label, row in sorted(rows.items()):
        table.add_row(Text(label), *(_number(row.get(part)) for part in "prf"))
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
