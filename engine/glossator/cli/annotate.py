"""`glossator annotate`: the main job."""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from glossator.cli import options
from glossator.errors import DataError, GlossatorError, UsageError
from glossator.formats.shared.text_streams import STANDARD_STREAM

if TYPE_CHECKING:
    from glossator.cli.context import Settings
    from glossator.formats import Writer
    from glossator.formats.record import Record
    from glossator.jobs.record_stream import Tally
    from glossator.pipeline.pipeline import Pipeline
    from glossator.plugins.manager import PluginManager

MOST_ERRORS_SHOWN = 20
MOST_NAMES_SHOWN = 5


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--pipeline", "-p", required=True, metavar="NAME|FOLDER", help="The pipeline that annotates.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File or folder to write.")
@click.option("--to", metavar="FORMAT", default="", help="Format of the output; by default its ending says.")
@options.input_format
@options.heads
@click.option("--resume", is_flag=True, help="Go on with a run that was cut off.")
@click.pass_obj
def annotate(
    settings: Settings,
    inputs: tuple[Path, ...],
    pipeline: str,
    output: Path | None,
    to: str,
    from_: str,
    from_options: tuple[str, ...],
    encoding: str,
    only: tuple[str, ...],
    without: tuple[str, ...],
    resume: bool,
) -> None:
    """Annotate INPUTS: files, folders, or - for standard input.

    Without -o, or with `-o -`, the annotations are shown for reading, or printed in the format of --to.
    A folder as output needs `--to docbin`, and gets shards. Documents that fail are reported and counted,
    the others are annotated all the same (exit code 3).
    """
    with _no_garbage_collection():
        from glossator.data.files import check_there, is_stream, sorted_files
        from glossator.pipeline.loading import load
        from glossator.util.messages import join_first

        plugins = settings.plugins()
        check_there(inputs)
        if output == STANDARD_STREAM:
            output = None
        files, left_out = sorted_files(inputs, from_, plugins)
        if output is not None:
            _check_inputs_are_not_own(inputs, output)
            files, left_out = _without_own(files, output), _without_own(left_out, output)
        if left_out:
            names = join_first([file.name for file in left_out], MOST_NAMES_SHOWN)
            click.echo(f"left out for their endings: {names}", err=True)
        reading = Reading(files, from_, options.key_values(from_options, "--from-option"), encoding, plugins)
        loaded = load(pipeline, only=only, without=without, plugins=plugins)
    if output is None:
        if resume:
            raise UsageError("--resume needs -o: only a file or a folder can be gone on with")
        tally = _print(loaded, reading, to)
    else:
        if resume and any(is_stream(file) for file in files):
            raise UsageError("--resume cannot go on with standard input or a pipe: name files")
        facts_of = {"from": from_, "options": reading.options, "encoding": encoding, "to": to}
        facts_of |= {"heads": list(loaded.heads)}
        tally = _write(loaded, reading, output, to, facts_of, resume)
    if tally.failed:
        click.echo(f"{tally.failed:,} of {tally.read:,} documents failed", err=True)
        raise click.exceptions.Exit(3 if tally.written else 1)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Import and load without looking for garbage: all of it stays, and looking took a tenth of the start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()


def _check_inputs_are_not_own(inputs: Sequence[Path], path: Path) -> None:
    """Raise `UsageError` where an input has the name of what the run is to leave."""
    from glossator.jobs.resumable_output import output_at

    for given in inputs:
        if output_at(path).is_unfinished(given):
            raise UsageError(f"{given} is what a run writes before {path} is whole: name another output")


def _without_own(files: list[Path], path: Path) -> list[Path]:
    """Return the files without those a run that was cut off left in a folder that is an input too."""
    from glossator.jobs.resumable_output import output_at

    output = output_at(path)
    return [file for file in files if not output.is_unfinished(file)]


@dataclass(frozen=True, slots=True)
class Reading:
    """What to read and how."""

    files: list[Path]
    format: str
    options: dict[str, Any]
    encoding: str
    plugins: PluginManager

    def items(self) -> Iterator[Record | DataError]:
        """Yield the documents of all files, each saying which file it came from."""
        from glossator.data.files import name_of, read_file

        for file in self.files:
            for item in read_file(file, self.format, self.options, self.encoding, self.plugins):
                if not isinstance(item, DataError) and len(self.files) > 1:
                    item.fields.setdefault("file", name_of(file))
                yield item


def _print(pipeline: Pipeline, reading: Reading, to: str) -> Tally:
    from glossator.cli.view import ReadableWriter
    from glossator.data.files import open_writer
    from glossator.jobs.record_stream import Tally

    writer: Writer
    if to:
        writer = open_writer(STANDARD_STREAM, to, reading.plugins)
        _say_what_is_left_out(pipeline, writer, to)
    else:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # one character it cannot show costs no document
        writer = ReadableWriter(pipeline)
    return _run(pipeline, reading.items(), writer, Tally(), on_checkpoint=lambda tally: None)


def _write(
    pipeline: Pipeline,
    reading: Reading,
    path: Path,
    to: str,
    options_: dict[str, Any],
    resume: bool,
) -> Tally:
    from glossator.data.files import open_writer
    from glossator.jobs.resumable_output import output_at, run_fingerprint
    from glossator.pipeline.folder import identity

    if path.resolve() in {file.resolve() for file in reading.files}:
        raise UsageError(f"{path} is an input too: name another output")
    output = output_at(path)
    facts = run_fingerprint(identity(pipeline.source), reading.files, options_)
    tally = output.open(facts, resume=resume)
    if resume and not tally.read:
        click.echo("there is no run to go on with: starting anew", err=True)
    items = islice(reading.items(), tally.read, None)
    try:
        writer = open_writer(output.part, to, reading.plugins, final=output.path, append=tally.read > 0)
        output.check_kind()
    except GlossatorError:
        if not tally.read:
            output.discard()
        raise
    _say_what_is_left_out(pipeline, writer, to or path.name)
    try:
        _run(pipeline, items, writer, tally, on_checkpoint=partial(output.checkpoint, facts))
    except KeyboardInterrupt:
        if output.journal.exists() and output.kept():
            click.echo(
                f"\n{output.kept():,} documents are kept: {output.part} is the unfinished output; "
                "--resume goes on with it",
                err=True,
            )
        else:
            click.echo("\nnothing is kept that --resume could go on with", err=True)
        raise
    if tally.failed and not tally.written:
        output.discard()
        click.echo(f"there is nothing to write: {path} is left as it was", err=True)
        return tally
    output.finish()
    click.echo(
        f"{tally.written:,} documents, {tally.words:,} words in {tally.seconds:.1f} s "
        f"({tally.words / max(tally.seconds, 1e-9):,.0f} words/s) → {path}",
        err=True,
    )
    return tally


def _say_what_is_left_out(pipeline: Pipeline, writer: Writer, to: str) -> None:
    from glossator.formats.shared.supported_layers import REMEDY, can_hold

    layers = {head.name: head.config.layer for head in pipeline.heads.values()}
    lost = [f"{name!r} ({layer})" for name, layer in layers.items() if not can_hold(writer, layer.kind)]
    if lost:
        click.echo(f"{to} cannot hold what {', '.join(lost)} writes: it is left out; {REMEDY}", err=True)


def _run(
    pipeline: Pipeline,
    items: Iterator[Record | DataError],
    writer: Writer,
    tally: Tally,
    *,
    on_checkpoint: Callable[[Tally], None],
) -> Tally:
    from rich.console import Console

    from glossator.cli.progress import annotating
    from glossator.jobs.record_stream import annotate_records

    shown = 0

    def report(error: GlossatorError) -> None:
        nonlocal shown
        shown += 1
        if shown <= MOST_ERRORS_SHOWN:
            click.echo(f"{click.style('failed:', fg='red')} {error}", err=True)
        elif shown == MOST_ERRORS_SHOWN + 1:
            click.echo("more documents failed; they are counted at the end", err=True)

    with annotating(Console(stderr=True)) as on_batch:
        annotate_records(
            pipeline,
            items,
            writer,
            tally=tally,
            on_batch=on_batch,
            on_error=report,
            on_checkpoint=on_checkpoint,
        )
    writer.close()
    return tally
