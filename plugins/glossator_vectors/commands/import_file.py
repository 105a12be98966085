"""The command `glossator vectors import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from glossator_vectors.commands.options import licence_option, output_option
from glossator_vectors.commands.record_reader import MAX_ERRORS_PRINTED
from glossator_vectors.files.formats import FORMATS, Format

if TYPE_CHECKING:
    from glossator_vectors.files.importing import ImportResult


@click.command(name="import", short_help="Import vectors from a file.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), help="Format of the file; default: detected."
)
@licence_option
@output_option
def import_file(file: Path, format_: Format | None, licence: str, output: Path) -> None:
    """Import vectors from FILE: GloVe, word2vec, fastText or gensim, compressed (.gz, .bz2, .xz) or not.

    Damaged lines and repeated words are skipped, reported and counted (exit code 3); all others are kept.
    """
    from rich.console import Console

    from glossator_vectors.commands.progress_bars import word_bar
    from glossator_vectors.files.importing import import_vectors

    with word_bar(Console(stderr=True)) as on_words:
        result = import_vectors(file, output, format=format_, licence=licence, on_words=on_words)

    _print_faults(file, result)
    skipped = f", {result.skipped:,} skipped" if result.skipped else ""
    click.echo(
        f"{result.format}: {result.kept:,} words of width {result.width}{skipped} → {output}", err=True
    )
    if result.skipped or result.missing:
        raise click.exceptions.Exit(3)


def _print_faults(file: Path, result: ImportResult) -> None:
    for fault in result.faults[:MAX_ERRORS_PRINTED]:
        position = f"{file}:{fault.position}" if fault.position else str(file)
        click.echo(f"{click.style('skipped:', fg='red')} {position}: {fault.reason}", err=True)
    if result.skipped > MAX_ERRORS_PRINTED:
        click.echo(f"... and {result.skipped - MAX_ERRORS_PRINTED:,} more", err=True)
    if result.missing:
        declared = f"the header declares {result.declared_count:,} words"
        read = result.kept + result.skipped
        click.echo(
            f"{click.style('cut off?', fg='red')} {file}: {declared}, the file holds {read:,}", err=True
        )
