"""The protocol of files of vectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from glossator_vectors.folder.metadata import VectorsMetadata
from glossator_vectors.folder.writer import Fault, Rows, VectorWriter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class VectorFile(Protocol):
    """A file of vectors that is being read.

    Example:
        for block in TextVectors(stream, "glove.txt", has_header=False):
            faults = [block] if isinstance(block, Fault) else writer.add(block)

    Attributes:
        width: Dimensions of a vector.
        declared_count: Number of words according to the file's header; None without a header.
        subwords: {"min_n": ..., "max_n": ...} of the character n-grams; None without n-grams.
        buckets: (buckets, width) vectors of the n-grams; None without n-grams.
    """

    width: int
    declared_count: int | None
    subwords: dict[str, int] | None
    buckets: NDArray[np.float32] | None

    def __iter__(self) -> Iterator[Rows | Fault]:
        """Yield blocks of words with their vectors, and a fault for each word that is skipped."""


def finish_folder(writer: VectorWriter, metadata: VectorsMetadata, file: VectorFile) -> None:
    """Finish a folder; writes the vectors of n-grams if the file has any."""
    if file.subwords is not None and file.buckets is not None:
        writer.add_buckets(file.buckets)
        metadata = replace(metadata, subwords=file.subwords)
    writer.finish(metadata)
