"""Labelled data of one head: found by its config, read, aligned to tokens, with all that went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glossator.annotations.read import annotated
from glossator.corpora import corpus, read_split, split_files
from glossator.errors import ConfigError, DataError, GlossatorError, PluginError, UsageError
from glossator.files import folder_sum, input_files, name_of
from glossator.formats.shared.text_streams import STANDARD_STREAM
from glossator.gold import AlignmentReport, gold_example
from glossator.util.files import sha256_of
from glossator.util.messages import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spacy.training import Example

    from glossator.config.schema import DataConfig
    from glossator.formats import Reader, Record, Writer
    from glossator.pipeline.pipeline import Pipeline
    from glossator.plugins.manager import PluginManager


@dataclass(slots=True)
class GoldData:
    """The examples of one head.

    Attributes:
        examples: Unannotated Docs with their gold references.
        errors: What could not be read; the rest was.
        alignment: How gold spans fell on tokens.
        silent: Documents whose gold says nothing on the head's layer.
    """

    examples: list[Example] = field(default_factory=list)
    errors: list[DataError] = field(default_factory=list)
    alignment: AlignmentReport = field(default_factory=AlignmentReport)
    silent: int = 0


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where a head's data is looked for.

    Attributes:
        config: What the head's `[data.NAME]` says.
        folder: Where its relative paths count from.
        corpora: The user's folder of corpora; None: the one `GLOSSATOR_CORPORA` names.
        plugins: Where formats are looked up.
    """

    config: DataConfig
    folder: Path
    corpora: Path | None
    plugins: PluginManager

    def files(self, split: str) -> list[Path]:
        """Return the files of "train", "dev" or "test", or the folder they lie in.

        Raises:
            ConfigError: There is no such split.
        """
        if self.config.corpus:
            return split_files(corpus(self.config.corpus), split, self.corpora)
        name = getattr(self.config, split)
        if not name:
            raise ConfigError(f"the data has no {split} set: give {split} = FILE, or corpus = NAME")
        return [self.folder / name]

    def sums(self, split: str) -> dict[str, str]:
        """Return the SHA-256 sum of each file of a split, or of the folder, by its name."""
        try:
            return {given.name: self._sum(given) for given in self.files(split)}
        except OSError as error:
            raise DataError(f"cannot read it: {error.strerror}", file=str(error.filename)) from None

    def records(self, split: str) -> Iterator[Record | DataError]:
        """Read a split; what cannot be read comes as the error it caused."""
        if self.config.corpus:
            return read_split(corpus(self.config.corpus), split, root=self.corpora, plugins=self.plugins)
        config = self.config
        files = self.files(split)
        return read_files(files, config.format, config.options, config.encoding, self.plugins)

    def check(self, split: str) -> None:
        """Raise what keeps the whole split from being read, such as options its format does not take."""
        first = list(islice(self.records(split), 2))
        if len(first) == 1 and isinstance(first[0], DataError):
            raise first[0]

    def _sum(self, given: Path) -> str:
        if not given.is_dir():
            return sha256_of(given)
        return folder_sum(given, input_files([given], self.config.format, self.plugins))


def read_files(
    files: Iterable[Path],
    format_name: str,
    options: Mapping[str, Any],
    encoding: str,
    plugins: PluginManager,
) -> Iterator[Record | DataError]:
    """Read files one after another, each by `format_name` or, where that is "", by its ending.

    A folder stands for the files below it, as in `input_files`. A file whose ending means no format comes
    as the error it causes, among others that can be read.
    """
    return chain.from_iterable(
        read_file(file, format_name, options, encoding, plugins)
        for file in input_files(files, format_name, plugins)
    )


def options_for(files: Iterable[Path], data: DataConfig) -> dict[str, Any]:
    """Return the options that data was read by, if files end as it does and so are of its format."""
    ending = Path(data.train).suffix
    alike = ending and not data.format and all(file.suffix == ending for file in files)
    return dict(data.options) if alike else {}


def read_file(
    file: Path, format_name: str, options: Mapping[str, Any], encoding: str, plugins: PluginManager
) -> Iterator[Record | DataError]:
    """Read one of several files as `read_files` does; standard input has no ending and is plain text."""
    format_name = format_name or ("text" if file == STANDARD_STREAM else "")
    try:
        reader = open_reader(file, format_name, options, plugins)
    except UsageError as error:
        return iter([DataError(str(error))])
    return reader.read(file, name=name_of(file), encoding=encoding)


def open_reader(file: Path, format_name: str, options: Mapping[str, Any], plugins: PluginManager) -> Reader:
    """Return what reads a file of a format, or of the format its ending stands for.

    Raises:
        ConfigError: The format takes no such option, or cannot be read.
        PluginError: There is no such format.
        UsageError: The ending stands for no format, or for several.
    """
    reader: Reader = _format_that_can("read", file, format_name, options, plugins)
    return reader


def open_writer(
    path: Path, format_name: str, plugins: PluginManager, *, final: Path | None = None, append: bool = False
) -> Writer:
    """Open a file for writing in a format, or in the one its ending stands for.

    Args:
        path: The file, `Path("-")` for standard output.
        format_name: The format; "" to go by the ending.
        plugins: Where formats are looked up.
        final: The file's name to be, where it is written under another for now.
        append: Whether to go on after what is there.

    Raises:
        ConfigError: The format cannot be written.
        PluginError: There is no such format.
        UsageError: The ending stands for no format, or for several.
    """
    writer: Writer = _format_that_can("writer", final or path, format_name, {}, plugins).writer(
        path, append=append
    )
    return writer


def _format_that_can(
    use: str, file: Path, format_name: str, options: Mapping[str, Any], plugins: PluginManager
) -> Any:
    try:
        record = plugins.format(format_name) if format_name else plugins.format_for(file)
    except (PluginError, UsageError) as error:
        raise type(error)(f"{error}\n{_those_that_can(use, plugins)}") from None
    built = plugins.make("format", format_name or record.name, options)
    if not hasattr(built, use):
        done = "read" if use == "read" else "written"
        raise ConfigError(f"the format {record.name!r} cannot be {done}; {_those_that_can(use, plugins)}")
    return built


def _those_that_can(use: str, plugins: PluginManager) -> str:
    names = []
    for found in plugins.formats():
        with suppress(GlossatorError):  # one that is broken, or needs options, is no help here
            if hasattr(plugins.make("format", found.full_name, {}), use):
                endings = ", ".join(found.record.suffixes)
                names.append(f"{found.record.name} ({endings})" if endings else found.record.name)
    return f"formats that can be {'read' if use == 'read' else 'written'}: {listed(names)}"


def read_gold(records: Iterable[Record | DataError], layer: str, pipeline: Pipeline) -> GoldData:
    """Turn records into examples of one layer, on the pipeline's vocab; those without it are left out."""
    data = GoldData()
    for record in records:
        if isinstance(record, DataError):
            data.errors.append(record)
        elif not has_gold(record, layer):
            data.silent += 1
        else:
            try:
                data.examples.append(gold_example(record, layer, pipeline.tokenizer, data.alignment))
            except Exception as error:  # a stranger's tokenizer may raise anything
                data.errors.append(document_error(record, error))
    return data


def document_error(record: Record, error: Exception) -> DataError:
    """Return the error of a document with the place it came from."""
    if isinstance(error, DataError) and error.file:
        return error
    text = str(error) if isinstance(error, GlossatorError) else f"{type(error).__name__}: {error}"
    wrapped = DataError(text, file=record.file, line=record.line)
    wrapped.__cause__ = error
    return wrapped


def has_gold(record: Record, layer: str) -> bool:
    """Whether a record says anything on a layer."""
    if record.doc is not None:
        return annotated(record.doc, layer)
    if layer == "cats":
        return record.cats is not None
    if layer in ("tag", "pos"):
        tokens = record.tokens
        return tokens is not None and (tokens.tags if layer == "tag" else tokens.pos) is not None
    return record.spans is not None
