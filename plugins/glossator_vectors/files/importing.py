"""From a file of vectors to a folder of vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from glossator.errors import DataError, UsageError
from glossator_vectors.files.binaryfile import BinaryVectors
from glossator_vectors.files.formats import FORMATS, Format, format_of
from glossator_vectors.files.gensimfiles import read_fasttext, read_gensim
from glossator_vectors.files.opening import open_file
from glossator_vectors.files.textfile import TextVectors
from glossator_vectors.files.vector_file import VectorFile, finish_folder
from glossator_vectors.folder.atomic import new_folder
from glossator_vectors.folder.metadata import Facts
from glossator_vectors.folder.writer import Fault, VectorWriter

MOST_FAULTS_KEPT = 1000


@dataclass(slots=True)
class Imported:
    """What became of a file.

    Attributes:
        format: Its format.
        width: Numbers in a vector.
        kept: Words written.
        left_out: Lines or words left out.
        faults: The first of them, with the reasons.
        promised: How many words the file said it has; None where it says nothing.
    """

    format: Format
    width: int
    promised: int | None
    kept: int = 0
    left_out: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def missing(self) -> int:
        """Words that the file said it has and that never came; below 0 where more came."""
        return 0 if self.promised is None else self.promised - self.kept - self.left_out


def import_vectors(
    path: Path,
    output: Path,
    *,
    format: Format | None = None,
    source: str = "",
    licence: str = "",
    on_words: Callable[[int], None] = lambda words: None,
) -> Imported:
    """Make a folder of vectors from a file: GloVe, word2vec, fastText or gensim, compressed or not.

    Lines that are damaged and words that were there before are left out, and everything else is kept.

    Args:
        path: The file.
        output: The folder; one of vectors that is there is replaced at the end.
        format: The file's format; by default its content says.
        source: Where the vectors come from; by default the file's name.
        licence: Of the vectors.
        on_words: Hears how many words were read so far.

    Raises:
        DataError: The file cannot be read, or holds no vector.
        PluginError: Its format needs gensim, which is not installed.
        UsageError: Its format cannot be told, or `output` holds something else.
    """
    if format is not None and format not in FORMATS:
        raise UsageError(f"--format {format}: there are {', '.join(FORMATS)}")
    chosen: Format = format or format_of(path)
    with new_folder(output) as folder, _opened(path, chosen) as file:
        result = Imported(format=chosen, width=file.width, promised=file.promised)
        writer = VectorWriter(folder, file.width)
        try:
            _write(file, writer, result, on_words)
            if not writer.count:
                reason = f", {_place(path, result.faults[0])}" if result.faults else ""
                raise DataError(f"holds no vector that could be kept{reason}", file=str(path))
            facts = Facts(method=chosen, source=source or path.name, licence=licence)
            finish_folder(writer, facts, file)
        finally:
            writer.close()
    return result


def _write(file: VectorFile, writer: VectorWriter, result: Imported, on_words: Callable[[int], None]) -> None:
    for item in file:
        faults = [item] if isinstance(item, Fault) else writer.add(item)
        result.left_out += len(faults)
        result.faults += faults[: MOST_FAULTS_KEPT - len(result.faults)]
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


def _place(path: Path, fault: Fault) -> str:
    return f"{path.name}:{fault.place}: {fault.reason}"
