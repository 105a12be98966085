"""Importing a file of vectors into a folder of vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from glossator.errors import DataError, UsageError
from glossator_vectors.files.binaryfile import BinaryVectors
from glossator_vectors.files.formats import FORMATS, Format, detect_format
from glossator_vectors.files.gensimfiles import read_fasttext, read_gensim
from glossator_vectors.files.opening import open_file
from glossator_vectors.files.textfile import TextVectors
from glossator_vectors.files.vector_file import VectorFile, finish_folder
from glossator_vectors.folder.atomic import new_folder
from glossator_vectors.folder.metadata import VectorsMetadata
from glossator_vectors.folder.writer import Fault, VectorWriter

MAX_FAULTS_KEPT = 1000


@dataclass(slots=True)
class ImportResult:
    """The result of an import.

    Example:
        result = import_vectors(Path("glove.6B.300d.txt"), Path("glove-300"))
        print(result.kept, result.skipped, result.faults[:3])

    Attributes:
        format: Format of the file.
        width: Dimensions of a vector.
        declared_count: Number of words according to the file's header; None without a header.
        kept: Number of words written.
        skipped: Number of lines or words skipped.
        faults: The first skipped ones, with the reasons.
    """

    format: Format
    width: int
    declared_count: int | None
    kept: int = 0
    skipped: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def missing(self) -> int:
        """Words that the header declares and the file lacks; negative if the file has more words."""
        return 0 if self.declared_count is None else self.declared_count - self.kept - self.skipped


def import_vectors(
    path: Path,
    output: Path,
    *,
    format: Format | None = None,
    source: str = "",
    licence: str = "",
    on_words: Callable[[int], None] = lambda words: None,
) -> ImportResult:
    """Import a file into a folder of vectors: GloVe, word2vec, fastText or gensim, compressed or not.

    Damaged lines and repeated words are skipped; all others are kept.

    Args:
        path: The file.
        output: The folder; an existing folder of vectors is replaced at the end.
        format: Format of the file; default: detected from its content.
        source: Where the vectors come from; default: the file's name.
        licence: Licence of the vectors.
        on_words: Called with the number of words read so far.

    Raises:
        DataError: The file cannot be read, or holds no vector.
        PluginError: The format needs gensim, which is not installed.
        UsageError: The format cannot be detected, or `output` holds something other than vectors.
    """
    if format is not None and format not in FORMATS:
        raise UsageError(f"--format {format}: valid formats: {', '.join(FORMATS)}")
    chosen: Format = format or detect_format(path)

    with new_folder(output) as folder, _opened(path, chosen) as file:
        result = ImportResult(format=chosen, width=file.width, declared_count=file.declared_count)
        writer = VectorWriter(folder, file.width)
        try:
            _write(file, writer, result, on_words)
            if not writer.count:
                reason = f", {_located(path, result.faults[0])}" if result.faults else ""
                raise DataError(f"holds no valid vector{reason}", file=str(path))
            metadata = VectorsMetadata(method=chosen, source=source or path.name, licence=licence)
            finish_folder(writer, metadata, file)
        finally:
            writer.close()
    return result


def _write(
    file: VectorFile, writer: VectorWriter, result: ImportResult, on_words: Callable[[int], None]
) -> None:
    for item in file:
        faults = [item] if isinstance(item, Fault) else writer.add(item)
        result.skipped += len(faults)
        result.faults += faults[: MAX_FAULTS_KEPT - len(result.faults)]
        result.kept = writer.count
        on_words(writer.count)


@contextmanager
def _opened(path: Path, format: Format) -> Iterator[VectorFile]:
    if format in ("fasttext", "gensim"):
        yield read_fasttext(path) if format == "fasttext" else read_gensim(path)
        return
    with open_file(path) as stream:
        if format == "word2vec-binary":
            yield BinaryVectors(stream, str(path))
        else:
            yield TextVectors(stream, str(path), has_header=format == "word2vec")


def _located(path: Path, fault: Fault) -> str:
    return f"{path.name}:{fault.position}: {fault.reason}"
