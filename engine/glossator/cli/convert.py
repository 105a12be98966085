"""`glossator convert`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from glossator.cli import options
from glossator.errors import DataError, GlossatorError

if TYPE_CHECKING:
    from glossator.cli.context import Settings


@click.command()
@click.argument("source", type=click.Path(path_type=Path, allow_dash=True))
@click.argument("target", type=click.Path(path_type=Path, allow_dash=True))
@options.input_format
@click.option("--to", metavar="FORMAT", default="", help="Format of TARGET; by default its ending says.")
@click.option("--lang", default="xx", show_default=True, help="Language, to tokenize raw text.")
@click.pass_obj
def convert(
    settings: Settings,
    source: Path,
    target: Path,
    from_: str,
    from_options: tuple[str, ...],
    encoding: str,
    to: str,
    lang: str,
) -> None:
    """Convert SOURCE to TARGET, annotations and all.

    Spans that do not fall on tokens are repaired or reported; none is lost silently.
    """
    from glossator.data import open_reader, open_writer
    from glossator.gold import AlignmentReport, gold_doc
    from glossator.pipeline import Pipeline

    plugins = settings.plugins()
    reader = open_reader(source, from_, options.key_values(from_options, "--from-option"), plugins)
    tokenizer = Pipeline(lang, plugins=plugins).tokenizer
    writer = open_writer(target, to, plugins)
    report = AlignmentReport()
    written = failed = 0
    for item in reader.read(source, name=str(source), encoding=encoding):
        try:
            if isinstance(item, DataError):
                raise item
            writer.write(gold_doc(item, tokenizer, report), item)
            written += 1
        except GlossatorError as error:
            failed += 1
            click.echo(f"{click.style('failed:', fg='red')} {error}", err=True)
    writer.close()
    click.echo(f"{written:,} documents converted. {report.summary()}", err=True)
    if failed:
        click.echo(f"{failed:,} documents failed", err=True)
        raise click.exceptions.Exit(3)
