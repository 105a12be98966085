"""Annotates files into a file or a folder; a run that was killed can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glossator.data.files import (
    as_paths,
    check_inputs_exist,
    display_name,
    is_stream,
    open_writer,
    read_file,
    sorted_files,
)
from glossator.errors import DataError, GlossatorError, UsageError
from glossator.formats.shared.supported_layers import REMEDY, can_hold
from glossator.formats.shared.text_streams import STANDARD_STREAM
from glossator.jobs.record_stream import Tally, annotate_records
from glossator.jobs.resumable_output import Output, output_at, run_fingerprint
from glossator.pipeline.folder import identity
from glossator.pipeline.loading import load_if_named, plugins_of
from glossator.util.callbacks import ignore
from glossator.util.messages import join_first

if TYPE_CHECKING:
    from glossator.formats import Writer
    from glossator.formats.record import Record
    from glossator.pipeline.pipeline import Pipeline
    from glossator.plugins.manager import PluginManager

MAX_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Callbacks:
    """The callbacks of a job; by default they do nothing.

    Example:
        callbacks = Callbacks(on_error=print)

    Attributes:
        on_batch: Called with the counts so far after each batch.
        on_error: Called with the error of each document that failed.
        on_message: Called with each message to the user.
    """

    on_batch: Callable[[Tally], None] = ignore
    on_error: Callable[[GlossatorError], None] = ignore
    on_message: Callable[[str], None] = ignore


@dataclass(frozen=True, slots=True)
class InputDocuments:
    """The files of a run, and how they are read.

    Example:
        documents = find_documents([Path("letters")], plugins=plugins)
        first = next(documents.read())

    Attributes:
        files: The files, in order.
        plugins: Where formats are looked up.
        format: Their format; "" for the format of each file's ending.
        options: Settings of the format.
        encoding: Encoding of text files.
    """

    files: Sequence[Path]
    plugins: PluginManager
    format: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    encoding: str = "utf-8"

    def read(self) -> Iterator[Record | DataError]:
        """Yield the documents of all files, each with the name of its file if there are several."""
        for file in self.files:
            for item in read_file(file, self.format, self.options, self.encoding, self.plugins):
                if not isinstance(item, DataError) and len(self.files) > 1:
                    item.fields.setdefault("file", display_name(file))
                yield item


def annotate_files(
    inputs: str | Path | Iterable[str | Path],
    pipeline: Pipeline | str | Path,
    output: str | Path,
    *,
    to: str = "",
    format: str = "",
    options: Mapping[str, Any] | None = None,
    encoding: str = "utf-8",
    only: Collection[str] = (),
    without: Collection[str] = (),
    resume: bool = False,
    plugins: PluginManager | None = None,
    on_batch: Callable[[Tally], None] = ignore,
    on_error: Callable[[GlossatorError], None] = ignore,
    on_message: Callable[[str], None] = ignore,
) -> Tally:
    """Annotate files into a file or a folder, in constant memory.

    The output is written beside its final name, with a journal, and renamed when it is complete.
    A run that was killed or interrupted can be resumed and ends in the same bytes. Documents that fail are
    left out and counted. If all of them fail, nothing is written.

    Example:
        tally = glossator.annotate_files("letters/", "models/samples", "letters.jsonl", on_error=print)
        print(f"{tally.written:,} documents, {tally.failed:,} failed")

    Args:
        inputs: Files and folders; "-" is standard input.
        pipeline: A pipeline, or the name or folder of one.
        output: The file, or the folder for a format that writes folders.
        to: Format of the output; by default that of its ending.
        format: Format of the inputs; by default that of their endings.
        options: Settings of the input format.
        encoding: Encoding of text files.
        only: Load these heads alone.
        without: Leave these heads out.
        resume: Continue an interrupted run of the same inputs and pipeline, if there is one.
        plugins: Where formats and stages are looked up; by default the pipeline's, or all installed.
        on_batch: Called with the counts so far after each batch.
        on_error: Called with the error of each document that failed.
        on_message: Called with messages to the user: skipped files, annotations that the format of the
            output cannot hold, what is kept after an interrupt.

    Returns:
        The numbers of documents read, written and failed.

    Raises:
        ConfigError: There is no head of such a name, or the format has no such option.
        DataError: The output's folder does not exist.
        KeyboardInterrupt: The user interrupted the run. It can be resumed from its last checkpoint: there is
            one every 300,000 words or 10 seconds.
        PipelineError: There is no such pipeline, or `resume` and the interrupted run was another one.
        PluginError: There is no such format or stage.
        UsageError: There is no such input, or the output would overwrite other data.
    """
    path = Path(output)
    if path == STANDARD_STREAM:
        raise UsageError("the output is a file or a folder: name one")

    manager = plugins_of(pipeline, plugins)
    documents = find_documents(
        as_paths(inputs),
        plugins=manager,
        format=format,
        options=options or {},
        encoding=encoding,
        output=path,
        on_message=on_message,
    )
    loaded = load_if_named(pipeline, only=only, without=without, plugins=manager)
    callbacks = Callbacks(on_batch, on_error, on_message)
    return annotate_to_path(loaded, documents, path, to, resume=resume, callbacks=callbacks)


def find_documents(
    inputs: Sequence[Path],
    *,
    plugins: PluginManager,
    format: str = "",
    options: Mapping[str, Any] | None = None,
    encoding: str = "utf-8",
    output: Path | None = None,
    on_message: Callable[[str], None] = ignore,
) -> InputDocuments:
    """Find the input files of a run, without the unfinished output of an interrupted run.

    Example:
        documents = find_documents([Path("letters/")], plugins=plugins, output=Path("letters.jsonl"))

    Raises:
        PluginError: There is no such format.
        UsageError: No input exists, none has a known format, or one is a file that the run itself writes.
    """
    check_inputs_exist(inputs)
    files, skipped = sorted_files(inputs, format, plugins)
    if output is not None:
        _check_inputs_are_not_own(inputs, output)
        files, skipped = _without_own(files, output), _without_own(skipped, output)
    if skipped:
        names = join_first([file.name for file in skipped], MAX_NAMES_SHOWN)
        reason = f"not an ending of the format {format!r}" if format else "no known format"
        on_message(f"skipped ({reason}): {names}")
    return InputDocuments(files, plugins, format, options or {}, encoding)


def annotate_to_path(
    pipeline: Pipeline,
    documents: InputDocuments,
    path: Path,
    to: str,
    *,
    resume: bool,
    callbacks: Callbacks,
) -> Tally:
    """Annotate documents into a file or a folder; see `annotate_files`.

    Example:
        annotate_to_path(pipeline, documents, Path("out.jsonl"), "", resume=False, callbacks=Callbacks())
    """
    _check_can_run(pipeline, documents, path, resume)
    output = output_at(path)
    fingerprint = _fingerprint(pipeline, documents, to)
    tally = output.open(fingerprint, resume=resume)
    if resume and not tally.read:
        callbacks.on_message("there is no run to resume: starting a new one")

    items = islice(documents.read(), tally.read, None)
    writer = _open_part(output, to, documents.plugins, tally)
    _report_unsupported_layers(pipeline, writer, to or path.name, callbacks)
    try:
        _run(pipeline, items, writer, tally, callbacks, on_checkpoint=partial(output.checkpoint, fingerprint))
    except KeyboardInterrupt:
        _report_interrupt(output, callbacks)
        raise

    if tally.failed and not tally.written:
        output.discard()
        callbacks.on_message(f"no document was written: {path} is unchanged")
        return tally
    output.finish()
    callbacks.on_message(
        f"{tally.written:,} documents, {tally.words:,} words in {tally.seconds:.1f} s "
        f"({tally.words / max(tally.seconds, 1e-9):,.0f} words/s) → {path}"
    )
    return tally


def annotate_to_writer(
    pipeline: Pipeline, documents: InputDocuments, writer: Writer, name: str, *, callbacks: Callbacks
) -> Tally:
    """Annotate documents into any writer, and close it; such a run cannot be resumed.

    Example:
        writer = open_writer(Path("-"), "jsonl", plugins)  # standard output
        tally = annotate_to_writer(pipeline, documents, writer, "jsonl", callbacks=Callbacks())

    Args:
        pipeline: The pipeline that annotates.
        documents: The documents.
        writer: Writes the documents.
        name: The output's name in messages; "" if it can hold every layer.
        callbacks: The callbacks.
    """
    if name:
        _report_unsupported_layers(pipeline, writer, name, callbacks)
    tally = Tally()
    _run(pipeline, documents.read(), writer, tally, callbacks, on_checkpoint=ignore)
    return tally


def _check_inputs_are_not_own(inputs: Sequence[Path], path: Path) -> None:
    """Raise `UsageError` if an input is a file that the run itself writes."""
    output = output_at(path)
    for file in inputs:
        if output.is_unfinished(file):
            raise UsageError(f"{file} is the unfinished output of {path}: name another output")


def _without_own(files: Iterable[Path], path: Path) -> list[Path]:
    """Return the files without the unfinished output of an interrupted run in an input folder."""
    output = output_at(path)
    return [file for file in files if not output.is_unfinished(file)]


def _check_can_run(pipeline: Pipeline, documents: InputDocuments, path: Path, resume: bool) -> None:
    if resume and any(is_stream(file) for file in documents.files):
        raise UsageError("--resume cannot continue standard input or a pipe: name files")
    if resume and pipeline.source is None:
        # Only files have a checksum that shows whether it is the same pipeline.
        raise UsageError("a run with a pipeline that is in memory only cannot be resumed: save and load it")
    if path.resolve() in {file.resolve() for file in documents.files}:
        raise UsageError(f"{path} is an input too: name another output")


def _fingerprint(pipeline: Pipeline, documents: InputDocuments, to: str) -> dict[str, Any]:
    """Return everything that must be equal for a run to be resumed."""
    options = {
        "from": documents.format,
        "options": dict(documents.options),
        "encoding": documents.encoding,
        "to": to,
        "heads": list(pipeline.heads),
    }
    return run_fingerprint(identity(pipeline.source), documents.files, options)


def _open_part(output: Output, to: str, plugins: PluginManager, tally: Tally) -> Writer:
    """Open the unfinished output; if this fails at the start of a run, remove it."""
    try:
        writer = open_writer(output.part, to, plugins, final=output.path, append=tally.read > 0)
        output.check_kind()
    except GlossatorError:
        if not tally.read:
            output.discard()
        raise
    return writer


def _report_unsupported_layers(pipeline: Pipeline, writer: Writer, name: str, callbacks: Callbacks) -> None:
    layers = {head.name: head.config.layer for head in pipeline.heads.values()}
    lost = [f"{head!r} ({layer})" for head, layer in layers.items() if not can_hold(writer, layer.kind)]
    if lost:
        callbacks.on_message(
            f"{name} cannot hold the annotations of {', '.join(lost)}: they are left out; {REMEDY}"
        )


def _report_interrupt(output: Output, callbacks: Callbacks) -> None:
    """Report what is kept after an interrupt; remove an output that cannot be resumed."""
    if output.journal.exists() and output.kept():
        callbacks.on_message(
            f"{output.kept():,} documents are kept: {output.part} is the unfinished output; "
            "--resume continues it"
        )
    else:
        output.discard()
        callbacks.on_message("nothing was written that --resume could continue")


def _run(
    pipeline: Pipeline,
    items: Iterator[Record | DataError],
    writer: Writer,
    tally: Tally,
    callbacks: Callbacks,
    *,
    on_checkpoint: Callable[[Tally], None],
) -> None:
    try:
        annotate_records(
            pipeline,
            items,
            writer,
            tally=tally,
            on_batch=callbacks.on_batch,
            on_error=callbacks.on_error,
            on_checkpoint=on_checkpoint,
        )
    except BaseException:
        # An open writer would flush its buffer when it is garbage-collected, perhaps into a resumed output.
        with suppress(Exception):
            writer.close()
        raise

    writer.close()
