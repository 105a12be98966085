"""`glossator evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glossator.cli.messages import FailurePrinter, print_message
from glossator.commands import corpora_option, head_options, input_format_options

if TYPE_CHECKING:
    from glossator.commands import InputFormat, Settings
    from glossator.errors import DataError
    from glossator.evaluation.evaluate_pipeline import PipelineEvaluation
    from glossator.evaluation.gold_sources import Split

MAX_ERRORS_PRINTED = 5


@click.command()
@click.argument("pipeline", metavar="PIPELINE")
@click.argument("gold", required=False, nargs=-1, type=click.Path(path_type=Path))
@input_format_options
@head_options
@corpora_option
@click.option(
    "--split",
    type=click.Choice(["train", "dev", "test"]),
    show_default="test",
    help="Set of the pipeline's own data to use, without GOLD.",
)
@click.option("--retokenize", is_flag=True, help="Score from raw text, by the CoNLL-18 rule.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON, under spaCy's names.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Print calibration and confusion too, and write them and every error to DIR, replacing "
    "an older report; with pictures if glossator[plots] is installed.",
)
@click.pass_obj
def evaluate(
    settings: Settings,
    pipeline: str,
    gold: tuple[Path, ...],
    input_format: InputFormat,
    only: tuple[str, ...],
    without: tuple[str, ...],
    corpora: Path | None,
    split: Split | None,
    retokenize: bool,
    as_json: bool,
    report: Path | None,
) -> None:
    """Score PIPELINE on GOLD files, each head on its own layer.

    Without GOLD each head uses the test set of the data it was trained with, or another --split. GOLD of
    the same format is read with the options of that data, unless there is a --from-option.
    Gold tokens are used unchanged, unless --retokenize is given. `ece` is the expected calibration error: the
    mean difference of predicted probability and accuracy; --report prints it in detail.
    """
    from glossator.evaluation.evaluate_pipeline import evaluate as evaluate_pipeline

    printer = _Printer()
    result = evaluate_pipeline(
        pipeline,
        gold,
        split=split,
        format=input_format.name,
        options=input_format.options,
        encoding=input_format.encoding,
        corpora=corpora,
        retokenize=retokenize,
        only=only,
        without=without,
        report=report,
        plugins=settings.plugins(),
        on_head=printer.head,
        on_error=printer.error,
        on_message=printer.message,
    )
    printer.finish_head()

    if as_json:
        click.echo(json.dumps(result.scores(), indent=2))
    else:
        _print(result, details=report is not None)
    if result.failed:
        raise click.exceptions.Exit(3)


class _Printer:
    """Prints the first errors of each head and the number of the others, then its messages."""

    def __init__(self) -> None:
        self._failures = FailurePrinter(MAX_ERRORS_PRINTED)

    def head(self, name: str) -> None:
        """Begin with another head."""
        self.finish_head()

    def error(self, error: DataError) -> None:
        """Print an error, or count it."""
        self._failures.print(error)

    def message(self, text: str) -> None:
        """Print a message after all errors."""
        self.finish_head()
        print_message(text)

    def finish_head(self) -> None:
        """Print the number of errors that were not printed."""
        more = self._failures.count - MAX_ERRORS_PRINTED
        if more > 0:
            print_message(f"... and {more} more")
        self._failures = FailurePrinter(MAX_ERRORS_PRINTED)


def _print(result: PipelineEvaluation, *, details: bool) -> None:
    from rich.console import Console

    from glossator.cli.score_tables import print_details, print_scores

    console = Console()
    for name, evaluation in result.heads.items():
        print_scores(console, result.pipeline.heads[name], evaluation)
        if details:
            print_details(console, name, evaluation)
