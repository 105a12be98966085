"""`glossator convert`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from glossator.cli.messages import FailurePrinter, print_message
from glossator.commands import input_format_options

if TYPE_CHECKING:
    from glossator.commands import InputFormat, Settings


@click.command()
@click.argument("source", type=click.Path(path_type=Path, allow_dash=True))
@click.argument("target", type=click.Path(path_type=Path, allow_dash=True))
@input_format_options
@click.option("--to", metavar="FORMAT", default="", help="Format of TARGET; by default that of its ending.")
@click.option("--lang", default="xx", show_default=True, help="Language, to tokenize raw text.")
@click.pass_obj
def convert(
    settings: Settings, source: Path, target: Path, input_format: InputFormat, to: str, lang: str
) -> None:
    """Convert SOURCE to TARGET, with all annotations.

    Spans that do not start and end at token boundaries are repaired or left out, and reported, as are
    annotations that the format of TARGET cannot hold. TARGET is replaced at the end, if there is anything to
    write.
    """
    from glossator.data.files import open_writer
    from glossator.formats.shared.text_streams import STANDARD_STREAM
    from glossator.jobs.convert_files import convert as convert_file
    from glossator.jobs.convert_files import convert_to_writer, open_source

    plugins = settings.plugins()
    reading: dict[str, Any] = {
        "format": input_format.name,
        "options": input_format.options,
        "encoding": input_format.encoding,
        "lang": lang,
        "plugins": plugins,
    }
    failures = FailurePrinter(sys.maxsize)
    if target == STANDARD_STREAM:
        documents = open_source(source, **reading)
        writer = open_writer(target, to, plugins)
        conversion = convert_to_writer(
            documents, writer, to, on_error=failures.print, on_message=print_message
        )
    else:
        conversion = convert_file(
            source, target, to=to, on_error=failures.print, on_message=print_message, **reading
        )

    print_message(conversion.summary())
    if conversion.failed:
        print_message(f"{conversion.failed:,} documents failed")
    if conversion.failed or not conversion.written:
        raise click.exceptions.Exit(3 if conversion.written else 1)
