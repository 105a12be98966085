"""Vectors that do not change in training, computed once and kept on disk."""

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
    """An embedder with a cache of its vectors for some Docs, in a memory-mapped file.

    Example:
        cached = FrozenVectors("words", pipeline.embedders["words"], docs, folder / "words.vectors")
        cached.embed(docs[:10])

    Args:
        name: The embedder's name, for messages.
        embedder: The embedder.
        docs: The Docs whose vectors are cached; they are identified by `id` and must outlive this object.
        file: The file for the vectors, (tokens of all Docs, width) float32.
    """

    def __init__(self, name: str, embedder: Embedder, docs: Sequence[Doc], file: Path) -> None:
        self._embedder = embedder
        self.width = embedder.width
        tokens = sum(len(doc) for doc in docs)
        # numpy cannot map an empty file
        shape = (max(tokens, 1), max(embedder.width, 1))
        self._rows: Any = np.memmap(file, dtype=np.float32, mode="w+", shape=shape)
        self._bounds: dict[int, tuple[int, int]] = {}
        start = 0
        for batch in batch_by_words(((doc, len(doc)) for doc in docs), BATCH_WORDS):
            for doc, rows in zip(batch, Batch(batch, {name: embedder}).embedded(name), strict=True):
                self._rows[start : start + len(doc), : self.width] = rows
                self._bounds[id(doc)] = (start, start + len(doc))
                start += len(doc)

    def embed(self, docs: Sequence[Doc]) -> Sequence[Floats2d]:
        """Return the cached vectors; a Doc that is not cached is embedded."""
        return [self._one(doc) for doc in docs]

    def to_disk(self, path: Path) -> None:
        """Write the embedder itself."""
        self._embedder.to_disk(path)

    def from_disk(self, path: Path) -> None:
        """Read the embedder itself."""
        self._embedder.from_disk(path)

    def _one(self, doc: Doc) -> Floats2d:
        if id(doc) not in self._bounds:
            return self._embedder.embed([doc])[0]
        start, end = self._bounds[id(doc)]
        rows: Floats2d = self._rows[start:end, : self.width]
        return rows


@contextmanager
def frozen_vectors(
    pipeline: Pipeline, names: Sequence[str], docs: Sequence[Doc], folder: Path
) -> Iterator[None]:
    """Cache the vectors that a pipeline's embedders of these names compute for `docs`.

    A `TableEmbedder` needs no cache: looking a row up is as fast, and heads that tune need the table itself.

    Example:
        with frozen_vectors(pipeline, head.config.vectors, docs, folder):
            fit(task, training, seed=0, checkpoints=checkpoints, progress=Silent())
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
