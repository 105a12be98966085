"""`glossator annotate`."""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glossator.cli.messages import FailurePrinter, print_message
from glossator.commands import head_options, input_format_options
from glossator.errors import UsageError
from glossator.formats.shared.text_streams import STANDARD_STREAM

if TYPE_CHECKING:
    from glossator.commands import InputFormat, Settings
    from glossator.formats import Writer
    from glossator.pipeline.pipeline import Pipeline
    from glossator.plugins.manager import PluginManager

MAX_ERRORS_PRINTED = 20


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--pipeline", "-p", required=True, metavar="NAME|FOLDER", help="The pipeline to use.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File or folder to write.")
@click.option(
    "--to", metavar="FORMAT", default="", help="Format of the output; by default that of its ending."
)
@input_format_options
@head_options
@click.option("--resume", is_flag=True, help="Continue an interrupted run.")
@click.pass_obj
def annotate(
    settings: Settings,
    inputs: tuple[Path, ...],
    pipeline: str,
    output: Path | None,
    to: str,
    input_format: InputFormat,
    only: tuple[str, ...],
    without: tuple[str, ...],
    resume: bool,
) -> None:
    """Annotate INPUTS: files, folders, or - for standard input.

    Without -o, or with `-o -`, the annotations are printed in a readable form, or in the format of --to.
    A folder as output needs `--to docbin`, and is filled with shards. Documents that fail are reported and
    counted; all others are annotated (exit code 3).
    """
    path = None if output == STANDARD_STREAM else output
    if resume and path is None:
        raise UsageError("--resume needs -o: only output to a file or folder can be resumed")

    with _no_garbage_collection():
        from rich.console import Console

        from glossator.cli.progress import annotating
        from glossator.jobs.annotate_files import (
            Callbacks,
            annotate_to_path,
            annotate_to_writer,
            find_documents,
        )
        from glossator.pipeline.loading import load

        plugins = settings.plugins()
        documents = find_documents(
            inputs,
            plugins=plugins,
            format=input_format.name,
            options=input_format.options,
            encoding=input_format.encoding,
            output=path,
            on_message=print_message,
        )
        loaded = load(pipeline, only=only, without=without, plugins=plugins)

    failures = FailurePrinter(MAX_ERRORS_PRINTED, more="more documents failed; they are counted at the end")
    with annotating(Console(stderr=True)) as on_batch:
        callbacks = Callbacks(on_batch, failures.print, print_message)
        if path is None:
            writer = _standard_output(loaded, to, plugins)
            tally = annotate_to_writer(loaded, documents, writer, to, callbacks=callbacks)
        else:
            tally = annotate_to_path(loaded, documents, path, to, resume=resume, callbacks=callbacks)
    if tally.failed:
        click.echo(f"{tally.failed:,} of {tally.read:,} documents failed", err=True)
        raise click.exceptions.Exit(3 if tally.written else 1)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Import and load without garbage collection, which finds no garbage and takes 10% of the start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()


def _standard_output(pipeline: Pipeline, to: str, plugins: PluginManager) -> Writer:
    """Return the writer to standard output: of a format or, by default, in a readable form."""
    from glossator.cli.view import ReadableWriter
    from glossator.data.files import open_writer

    if to:
        return open_writer(STANDARD_STREAM, to, plugins)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors="replace"
        )  # a character that the terminal lacks must not fail a document
    return ReadableWriter(pipeline)
