"""Converts a file from one format to another, and counts every annotation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glossator.annotations.read import count_annotations
from glossator.data.alignment import AlignmentReport
from glossator.data.examples import document_error, gold_doc
from glossator.data.files import open_reader, open_writer
from glossator.errors import DataError, GlossatorError, UsageError
from glossator.formats.shared.supported_layers import REMEDY, not_held, spelt
from glossator.formats.shared.text_streams import STANDARD_STREAM
from glossator.jobs.resumable_output import Output, output_at
from glossator.pipeline.pipeline import Pipeline
from glossator.plugins.manager import PluginManager
from glossator.util.callbacks import ignore

if TYPE_CHECKING:
    from glossator.formats import Writer
    from glossator.formats.record import Record
    from glossator.stages import Tokenizer


@dataclass(slots=True)
class Conversion:
    """The result of a conversion.

    Example:
        conversion = glossator.convert("news.conllu", "news.jsonl")
        conversion.annotations["ents"]  # the number of entities written

    Attributes:
        written: Number of documents that were written.
        failed: Number of documents that could not be read or written.
        annotations: Number of annotations of the written documents, by layer.
        alignment: The alignment of spans with tokens: exact, repaired or impossible.
    """

    written: int = 0
    failed: int = 0
    annotations: Counter[str] = field(default_factory=Counter)
    alignment: AlignmentReport = field(default_factory=AlignmentReport)

    def summary(self) -> str:
        """Return one line of counts, and one for each repaired or impossible span that is listed."""
        annotations = spelt(self.annotations)
        including = f" with {annotations}" if annotations else ""
        return f"{self.written:,} documents converted{including}. {self.alignment.summary()}"


@dataclass(frozen=True, slots=True)
class SourceDocuments:
    """The documents to convert, and the tokenizer for raw text.

    Example:
        documents = open_source(path, format="", options={}, encoding="utf-8", lang="en", plugins=plugins)
        conversion = convert_to_writer(documents, open_writer(target, "jsonl", plugins), "jsonl")
    """

    items: Iterator[Record | DataError]
    tokenizer: Tokenizer


def convert(
    input: str | Path,
    output: str | Path,
    *,
    to: str = "",
    format: str = "",
    options: Mapping[str, Any] | None = None,
    encoding: str = "utf-8",
    lang: str = "xx",
    plugins: PluginManager | None = None,
    on_error: Callable[[GlossatorError], None] = ignore,
    on_message: Callable[[str], None] = ignore,
) -> Conversion:
    """Convert a file to another format, annotations and all.

    Spans that do not start and end at token boundaries are repaired or left out, and counted. The output is
    replaced when the new one is complete; if no document can be written, it is unchanged. An input that
    cannot be read counts as one document that failed: see `Conversion.failed`.

    Example:
        conversion = glossator.convert("news.conll", "news.spacy", options={"columns": ["token", "_", "ner"]})
        print(conversion.summary())

    Args:
        input: The file; "-" is standard input.
        output: The file, or the folder for a format that writes folders.
        to: Format of the output; by default that of its ending.
        format: Format of the input; by default that of its ending.
        options: Settings of the input format.
        encoding: Encoding of the input, if it is a text file.
        lang: spaCy's language code, to tokenize raw text.
        plugins: Where formats are looked up; by default all that are installed.
        on_error: Called with the error of each document that failed.
        on_message: Called with messages to the user: annotations that the format of the output cannot
            hold, or that no document was written.

    Raises:
        ConfigError: A format has no such option, cannot be read or cannot be written.
        DataError: The output's folder does not exist.
        PluginError: There is no such format.
        UsageError: No format has the ending, or the output would overwrite other data.
    """
    if Path(output) == STANDARD_STREAM:
        raise UsageError("the output is a file or a folder: name one")

    manager = plugins or PluginManager.from_environment()
    documents = open_source(
        Path(input),
        format=format,
        options=options or {},
        encoding=encoding,
        lang=lang,
        plugins=manager,
    )

    target = output_at(Path(output))
    _open_output(Path(input), target)
    try:
        writer = open_writer(target.part, to, manager, final=target.path)
        target.check_kind()
        name = to or target.path.name
        conversion = convert_to_writer(documents, writer, name, on_error=on_error, on_message=on_message)
        if conversion.written:
            target.finish()
        else:
            on_message(f"no document was written: {target.path} is unchanged")
    finally:
        target.discard()
    return conversion


def open_source(
    path: Path, *, format: str, options: Mapping[str, Any], encoding: str, lang: str, plugins: PluginManager
) -> SourceDocuments:
    """Open the file to convert; arguments and errors as in `convert`.

    Example:
        open_source(Path("a.conllu"), format="", options={}, encoding="utf-8", lang="en", plugins=plugins)
    """
    reader = open_reader(path, format, options, plugins)
    tokenizer = Pipeline(lang, plugins=plugins).tokenizer
    return SourceDocuments(reader.read(path, name=str(path), encoding=encoding), tokenizer)


def convert_to_writer(
    documents: SourceDocuments,
    writer: Writer,
    name: str,
    *,
    on_error: Callable[[GlossatorError], None] = ignore,
    on_message: Callable[[str], None] = ignore,
) -> Conversion:
    """Convert documents into any writer, and close it.

    Example:
        conversion = convert_to_writer(documents, open_writer(Path("-"), "jsonl", plugins), "jsonl")

    Args:
        documents: The documents.
        writer: Writes the documents.
        name: The output's name in messages.
        on_error: As in `convert`.
        on_message: As in `convert`.
    """
    conversion = Conversion()
    try:
        for item in documents.items:
            try:
                if isinstance(item, DataError):
                    raise item
                doc = gold_doc(item, documents.tokenizer, conversion.alignment)
                writer.write(doc, item)
            except OSError:  # the disk is full, for instance: no other document could be written either
                raise
            except Exception as error:
                conversion.failed += 1
                on_error(item if isinstance(item, DataError) else document_error(item, error))
            else:
                conversion.written += 1
                conversion.annotations += count_annotations(doc)
    finally:
        writer.close()

    if lost := not_held(writer, conversion.annotations):
        on_message(f"{name} cannot hold {lost}: they are not written; {REMEDY}")
    return conversion


def _open_output(source: Path, output: Output) -> None:
    """Open the output; raise `UsageError` if it would overwrite the source."""
    if source.resolve() == output.path.resolve() or output.is_unfinished(source):
        raise UsageError(f"{source} would be overwritten by {output.path}: name another target")
    output.open({}, resume=False)
