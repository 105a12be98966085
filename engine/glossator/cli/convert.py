"""`glossator convert`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glossator.cli import options
from glossator.errors import DataError, UsageError

if TYPE_CHECKING:
    from glossator.cli.context import Settings
    from glossator.data.alignment import AlignmentReport
    from glossator.formats import Writer
    from glossator.formats.record import Record
    from glossator.jobs.resumable_output import Output
    from glossator.plugins.manager import PluginManager
    from glossator.stages import Tokenizer


@dataclass(slots=True)
class Converted:
    """What became of the documents; `annotations` counts those of the written ones by layer."""

    alignment: AlignmentReport
    annotations: Counter[str] = field(default_factory=Counter)
    written: int = 0
    failed: int = 0


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

    Spans that do not fall on tokens are repaired or reported, and so is what the format of TARGET
    cannot hold; none is lost silently. TARGET is replaced at the end, if there is anything to write.
    """
    from glossator.data.files import open_reader, open_writer
    from glossator.formats.shared.text_streams import STANDARD_STREAM
    from glossator.jobs.resumable_output import output_at
    from glossator.pipeline.pipeline import Pipeline

    plugins = settings.plugins()
    reader = open_reader(source, from_, options.key_values(from_options, "--from-option"), plugins)
    tokenizer = Pipeline(lang, plugins=plugins).tokenizer
    items = reader.read(source, name=str(source), encoding=encoding)
    if target == STANDARD_STREAM:
        converted = _convert(items, tokenizer, open_writer(target, to, plugins), to)
    else:
        converted = _convert_to_file(items, tokenizer, _output(source, output_at(target)), to, plugins)
    click.echo(_summary(converted), err=True)
    if converted.failed:
        click.echo(f"{converted.failed:,} documents failed", err=True)
    if converted.failed or not converted.written:
        raise click.exceptions.Exit(3 if converted.written else 1)


def _summary(converted: Converted) -> str:
    from glossator.formats.shared.supported_layers import spelt

    annotations = spelt(converted.annotations)
    held = f" with {annotations}" if annotations else ""
    return f"{converted.written:,} documents converted{held}. {converted.alignment.summary()}"


def _output(source: Path, output: Output) -> Output:
    """Return the output, ready to be written; raise `UsageError` where that would destroy the source."""
    if source.resolve() == output.path.resolve() or output.is_unfinished(source):
        raise UsageError(f"{source} would be overwritten by {output.path}: name another target")
    output.open({}, resume=False)
    return output


def _convert_to_file(
    items: Iterator[Record | DataError], tokenizer: Tokenizer, output: Output, to: str, plugins: PluginManager
) -> Converted:
    """Write beside the target, and put that in its place once it is whole and holds a document."""
    from glossator.data.files import open_writer

    try:
        writer = open_writer(output.part, to, plugins, final=output.path)
        output.check_kind()
        converted = _convert(items, tokenizer, writer, to or output.path.name)
        if converted.written:
            output.finish()
        else:
            click.echo(f"there is nothing to write: {output.path} is left as it was", err=True)
    finally:
        output.discard()
    return converted


def _convert(items: Iterator[Record | DataError], tokenizer: Tokenizer, writer: Writer, to: str) -> Converted:
    from glossator.annotations.read import count_annotations
    from glossator.data.alignment import AlignmentReport
    from glossator.data.examples import document_error, gold_doc
    from glossator.formats.shared.supported_layers import REMEDY, not_held

    converted = Converted(AlignmentReport())
    try:
        for item in items:
            try:
                if isinstance(item, DataError):
                    raise item
                doc = gold_doc(item, tokenizer, converted.alignment)
                writer.write(doc, item)
            except OSError:  # of the output: no other document could be written either
                raise
            except Exception as error:
                said = item if isinstance(item, DataError) else document_error(item, error)
                converted.failed += 1
                click.echo(f"{click.style('failed:', fg='red')} {said}", err=True)
            else:
                converted.written += 1
                converted.annotations += count_annotations(doc)
    finally:
        writer.close()
    if lost := not_held(writer, converted.annotations):
        click.echo(f"{to} cannot hold {lost}: they are not written; {REMEDY}", err=True)
    return converted
