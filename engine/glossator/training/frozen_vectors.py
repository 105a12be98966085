"""Vectors that do not change in training, made once and kept on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.ml.batching import batch_by_words
from glossator.pipeline.batch import Batch
from glossator.stages import Embedder, TableEmbedder

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from thinc.types import Floats2d

    from glossator.pipeline.pipeline import Pipeline

BATCH_WORDS = 20_000


class FrozenVectors:
    """An embedder that remembers its rows for some Docs in a memory-mapped file.

    Args:
        name: The embedder's, for messages.
        embedder: The embedder.
        docs: The Docs to remember; they are told apart by identity and must outlive this object.
        file: The file for the rows, (tokens of all Docs, width) float32.
    """

    def __init__(self, name: str, embedder: Embedder, docs: Sequence[Doc], file: Path) -> None:
        self._embedder = embedder
        self.width = embedder.width
        tokens = sum(len(doc) for doc in docs)
        # numpy cannot map an empty file
        shape = (max(tokens, 1), max(embedder.width, 1))
        self._rows: Any = np.memmap(file, dtype=np.float32, mode="w+", shape=shape)
        self._places: dict[int, tuple[int, int]] = {}
        start = 0
        for batch in batch_by_words(((doc, len(doc)) for doc in docs), BATCH_WORDS):
            for doc, rows in zip(batch, Batch(batch, {name: embedder}).embedded(name), strict=True):
                self._rows[start : start + len(doc), : self.width] = rows
                self._places[id(doc)] = (start, start + len(doc))
                start += len(doc)

    def embed(self, docs: Sequence[Doc]) -> Sequence[Floats2d]:
        """Return the remembered rows; a Doc that is not known is embedded."""
        return [self._one(doc) for doc in docs]

    def to_disk(self, path: Path) -> None:
        """Write the embedder itself."""
        self._embedder.to_disk(path)

    def from_disk(self, path: Path) -> None:
        """Read the embedder itself."""
        self._embedder.from_disk(path)

    def _one(self, doc: Doc) -> Floats2d:
        if id(doc) not in self._places:
            return self._embedder.embed([doc])[0]
        start, end = self._places[id(doc)]
        rows: Floats2d = self._rows[start:end, : self.width]
        return rows


@contextmanager
def frozen_vectors(
    pipeline: Pipeline, names: Sequence[str], docs: Sequence[Doc], folder: Path
) -> Iterator[None]:
    """Let a pipeline's embedders of these names, if they compute their rows, remember them for `docs`.

    A table needs no memory: looking a row up is as fast, and heads that tune want the table itself.
    """
    embedders = pipeline.embedders
    frozen = {
        name: FrozenVectors(name, embedders[name], docs, folder / f"{name}.vectors")
        for name in names
        if not isinstance(embedders[name], TableEmbedder)
    }
    pipeline.embedders = {**embedders, **frozen}
    try:
        yield
    finally:
        pipeline.embedders = embedders
