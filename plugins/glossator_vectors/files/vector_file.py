"""What all files of vectors have in common while they are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from glossator_vectors.folder.metadata import Facts
from glossator_vectors.folder.writer import Fault, Rows, VectorWriter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class VectorFile(Protocol):
    """A file of vectors that is being read.

    Attributes:
        width: Numbers in a vector.
        promised: How many words it says it has; None where it says nothing.
        subwords: {"min_n": ..., "max_n": ...} of its character n-grams; None where it has none.
        buckets: (buckets, width) vectors of n-grams.
    """

    width: int
    promised: int | None
    subwords: dict[str, int] | None
    buckets: NDArray[np.float32] | None

    def __iter__(self) -> Iterator[Rows | Fault]:
        """Yield blocks of words with their vectors, and what is left out."""


def finish_folder(writer: VectorWriter, facts: Facts, file: VectorFile) -> None:
    """Finish a folder, with the vectors of n-grams where the file has some."""
    if file.subwords is not None and file.buckets is not None:
        writer.add_buckets(file.buckets)
        facts = replace(facts, subwords=file.subwords)
    writer.finish(facts)
