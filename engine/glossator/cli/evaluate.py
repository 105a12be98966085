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

    from glossator.cli.context import Settings
    from glossator.data.examples import GoldData
    from glossator.evaluation.evaluate import Evaluation
    from glossator.formats.record import Record
    from glossator.pipeline.head import Head
    from glossator.pipeline.pipeline import Pipeline

MOST_ERRORS_SHOWN = 5


@click.command()
@click.argument("pipeline", metavar="PIPELINE")
@click.argument("gold", required=False, nargs=-1, type=click.Path(path_type=Path))
@options.input_format
@options.heads
@options.corpora
@click.option(
    "--split",
    type=click.Choice(["train", "dev", "test"]),
    show_default="test",
    help="Which set of the pipeline's own data to take, without GOLD.",
)
@click.option("--retokenize", is_flag=True, help="Score from raw text, by the CoNLL-18 rule.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON, under spaCy's names.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Show calibration and confusion too, and write them and every error into DIR, in place of "
    "an older report; with pictures where glossator[plots] is installed.",
)
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
    split: str | None,
    retokenize: bool,
    as_json: bool,
    report: Path | None,
) -> None:
    """Score PIPELINE on GOLD files, each head on its own layer.

    Without GOLD each head takes the test set of the data it was trained with, or another --split. GOLD of
    the same format is read as that data was, unless --from-option says otherwise.
    Gold tokens are taken as they stand, unless --retokenize. Each head's `ece` says how far the
    probabilities it gives are from the shares that are right; --report shows it in detail.
    """
    from glossator.data.examples import read_gold
    from glossator.data.files import is_stream, options_for, read_files
    from glossator.data.source import DataSource
    from glossator.pipeline.loading import load

    if gold and split:
        raise UsageError("--split is of the pipeline's own data: leave it out, or leave out GOLD")
    split = split or "test"
    plugins = settings.plugins()
    loaded = load(pipeline, only=only, without=without, plugins=plugins)
    choices = options.key_values(from_options, "--from-option")

    # What can be read once is kept, for every head reads it.
    once = list(read_files(gold, from_, choices, encoding, plugins)) if any(map(is_stream, gold)) else None

    def records(head: Head) -> Iterator[Record | DataError]:
        if once is not None:
            return iter(once)
        data = loaded.config.data.get(head.name)
        if gold:
            given = choices or (options_for(gold, data) if data and not from_ else {})
            return read_files(gold, from_, given, encoding, plugins)
        assert data is not None  # by `_has_split`
        return DataSource(data, loaded.config.folder, corpora, plugins).records(split)

    heads = list(loaded.heads.values())
    if not gold:
        heads = [head for head in heads if _has_split(loaded, head, split)]
        if not heads:
            raise UsageError(f"the pipeline's config names no {split} set: name GOLD files")
    if report:
        report.mkdir(parents=True, exist_ok=True)  # a folder that cannot be written is found before the work
    results: dict[str, Evaluation] = {}
    failed = 0
    for head in heads:
        data = read_gold(_with_raw_text(records(head), retokenize), head.config.layer, loaded.tokenizer)
        if gold and head.config.kind == "classifier":
            _keep_own_categories(data, head, loaded)
        failed += len(data.errors)
        _warn(head, data)
        _warn_of_categories(head, data)
        if data.examples:
            results[head.name] = _evaluate(loaded, head, data, retokenize)
            if report:
                _write_report(report, head, data, results[head.name])
    if not results and failed:
        raise DataError("there is no gold document that can be used")
    if not results:
        raise DataError("the gold files say nothing on what this pipeline writes")
    if as_json:
        click.echo(json.dumps(_as_json(results), indent=2))
    else:
        _print(loaded, results, details=report is not None)
    if report:
        _say_without_pictures()
    if failed:
        raise click.exceptions.Exit(3)


def _has_split(pipeline: Pipeline, head: Head, split: str) -> bool:
    data = pipeline.config.data.get(head.name)
    if data and (data.corpus or getattr(data, split)):
        return True
    click.echo(f"{head.name}: the pipeline's config names no {split} set for it; it is not scored", err=True)
    return False


def _evaluate(pipeline: Pipeline, head: Head, data: GoldData, retokenize: bool) -> Evaluation:
    from glossator.evaluation.evaluate import evaluate_from_raw_text, evaluate_head

    if retokenize and not head.config.layer.is_categories:
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
        click.echo(f"{head.name}: the gold says nothing of what it writes; it is not scored", err=True)
    if data.alignment.repaired or data.alignment.impossible:
        click.echo(f"{head.name}: {data.alignment.summary()}", err=True)


def _keep_own_categories(data: GoldData, head: Head, pipeline: Pipeline) -> None:
    from glossator.evaluation.evaluate import own_categories
    from glossator.pipeline.loading import other_classifiers

    foreign = other_classifiers(pipeline, head)
    for example in data.examples:
        doc = example.reference
        doc.cats = own_categories(doc.cats, head, foreign)
    data.examples = [example for example in data.examples if example.reference.cats]


def _warn_of_categories(head: Head, data: GoldData) -> None:
    from glossator.data.categories import has_no_negatives, unknown_categories

    gold = [example.reference.cats for example in data.examples]
    if head.config.kind != "classifier" or not gold:
        return
    if unknown := unknown_categories(gold, head.stage.labels):
        outside = head.exclusive and head.thresholds
        become = "count as out of scope" if outside else "cannot be found by it"
        click.echo(f"{head.name}: categories of the gold that it does not know {become}: {unknown}", err=True)
    if not head.exclusive and has_no_negatives(gold):
        click.echo(
            f"{head.name}: the gold says of no category that it does not hold, so everything that is found "
            "is right: name those that do not hold with 0.0 (in a table, by the options label_separator "
            "and labels)",
            err=True,
        )


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


def _write_report(folder: Path, head: Head, data: GoldData, result: Evaluation) -> None:
    from glossator.evaluation.report import error_counts, write_report

    gold = [example.reference for example in data.examples]
    written = write_report(folder, head.name, head.config.layer, result, gold)
    errors = ", ".join(f"{count:,} {kind}" for kind, count in error_counts(result.matches).items())
    files = ", ".join(path.name for path in written)
    click.echo(f"{head.name}: {errors or 'no errors'}; {folder}: {files}", err=True)


def _say_without_pictures() -> None:
    from glossator.evaluation.plots import can_draw

    if not can_draw():
        click.echo("pictures need matplotlib: pip install 'glossator[plots]'", err=True)


def _print(pipeline: Pipeline, results: Mapping[str, Evaluation], *, details: bool) -> None:
    from rich.console import Console

    from glossator.cli.score_tables import print_details, print_scores

    console = Console()
    for name, result in results.items():
        print_scores(console, pipeline.heads[name], result)
        if details:
            print_details(console, name, result)
