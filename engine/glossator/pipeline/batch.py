"""Runs stages on one batch of Docs: long Docs are cut, vectors are made once, predictions are merged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from spacy.attrs import SENT_START
from spacy.tokens import Doc

from glossator.errors import GlossatorError, StageError
from glossator.ml.batching import batch_by_words, chunk_bounds
from glossator.ml.words import has_words
from glossator.stages import Embedder, ScoredSpan, TableEmbedder, TokenTags, Vectors, VectorSpace

if TYPE_CHECKING:
    from thinc.types import Floats2d

    from glossator.config.schema import HeadConfig

CHUNK_WORDS = 10_000


class Batch:
    """Docs that are predicted together, with the vectors of each embedder made at most once.

    Taggers and embedders get no Doc longer than `CHUNK_WORDS` tokens: long ones are cut into chunks of
    whole sentences. Classifiers get every Doc whole, and none without words.

    Example:
        batch = Batch(docs, pipeline.embedders)
        predictions = batch.run(head.stage, head.config)
    """

    def __init__(self, docs: Sequence[Doc], embedders: Mapping[str, Embedder]) -> None:
        self.docs = docs
        self._embedders = embedders
        self._bounds = [chunk_bounds(doc, CHUNK_WORDS) for doc in docs]
        self._made: dict[tuple[str, bool], list[Any]] = {}

    def run(self, stage: Any, head: HeadConfig) -> Any:
        """Return the prediction of a head's stage for each Doc."""
        if head.kind == "classifier":
            return self._categories(stage, self.vectors(head))
        chunks = self._groups(self.vectors(head))
        predictions = iter([one for docs, vectors in chunks for one in _checked(stage, docs, vectors)])
        merge = _merged_spans if head.layer.is_spans else _merged_tags
        return [merge([next(predictions) for _ in bounds], bounds) for bounds in self._bounds]

    def _categories(self, stage: Any, vectors: Vectors) -> Any:
        """Return the (docs, labels) probabilities; all are 0 for a Doc without words."""
        # Of a text that says nothing, a stage could only repeat which labels are frequent.
        with_words = [i for i, doc in enumerate(self.docs) if has_words(doc)]
        if len(with_words) == len(self.docs):
            return stage.predict(self.docs, vectors)
        if not with_words:
            return np.zeros((len(self.docs), len(stage.labels)))

        docs = [self.docs[i] for i in with_words]
        values = [vectors.values[i] for i in with_words]
        rows = tuple([table[i] for i in with_words] for table in vectors.rows)
        predicted = np.asarray(_checked(stage, docs, Vectors(space=vectors.space, values=values, rows=rows)))
        probabilities = np.zeros((len(self.docs), *predicted.shape[1:]), dtype=predicted.dtype)
        probabilities[with_words] = predicted
        return probabilities

    def vectors(self, head: HeadConfig) -> Vectors:
        """Return the vectors that a head uses, for its whole Docs."""
        if head.tune:
            # A head that tunes its vectors gets row numbers: it looks them up in its own copy of the table.
            tables = tuple(cast(TableEmbedder, self._embedders[name]).table for name in head.vectors)
            empty = [_no_vectors(doc) for doc in self.docs]
            rows = tuple(self._embedded(name, rows=True) for name in head.vectors)
            return Vectors(space=VectorSpace(tables=tables), values=empty, rows=rows)
        parts = [self._embedded(name, rows=False) for name in head.vectors]
        width = sum(self._embedders[name].width for name in head.vectors)
        values: list[Any] = [
            _joined([part[i] for part in parts], axis=1) if parts else _no_vectors(doc)
            for i, doc in enumerate(self.docs)
        ]
        return Vectors(space=VectorSpace(width=width), values=values)

    def embedded(self, name: str) -> Sequence[Floats2d]:
        """Return an embedder's vectors for its whole Docs."""
        return self._embedded(name, rows=False)

    def _embedded(self, name: str, *, rows: bool) -> list[Any]:
        if (name, rows) not in self._made:
            arrays = iter([array for docs in self._chunk_groups() for array in self._embed(name, docs, rows)])
            self._made[name, rows] = [
                _joined([next(arrays) for _ in bounds], axis=0) for bounds in self._bounds
            ]
        return self._made[name, rows]

    def _embed(self, name: str, docs: Sequence[Doc], rows: bool) -> Sequence[Any]:
        embedder = self._embedders[name]
        try:
            arrays = cast(TableEmbedder, embedder).rows(docs) if rows else embedder.embed(docs)
            shapes = [array.shape for array in arrays]
        except GlossatorError:
            raise
        except Exception as error:
            raise StageError(f"embedder {name!r} failed: {type(error).__name__}: {error}") from error

        if len(shapes) != len(docs):
            raise StageError(f"embedder {name!r} returned {len(shapes)} arrays for {len(docs)} documents")
        for doc, shape in zip(docs, shapes, strict=True):
            expected = (len(doc),) if rows else (len(doc), embedder.width)
            if shape != expected:
                raise StageError(f"embedder {name!r} returned an array of shape {shape}, not {expected}")
        return arrays

    def _groups(self, vectors: Vectors) -> Iterator[tuple[list[Doc], Vectors]]:
        """Yield the groups of chunks, each with its part of the vectors."""
        chunks = iter(self._chunk_positions())
        for docs in self._chunk_groups():
            positions = [next(chunks) for _ in docs]
            values = [vectors.values[i][start:end] for i, start, end in positions]
            rows = tuple([table[i][start:end] for i, start, end in positions] for table in vectors.rows)
            yield docs, Vectors(space=vectors.space, values=values, rows=rows)

    def _chunk_groups(self) -> Iterator[list[Doc]]:
        """Yield groups of chunks, each group small enough to predict at once."""
        if all(len(bounds) == 1 for bounds in self._bounds):
            yield list(self.docs)
            return
        positions = self._chunk_positions()
        chunks = ((_chunk(self.docs[i], start, end), end - start) for i, start, end in positions)
        yield from batch_by_words(chunks, 2 * CHUNK_WORDS)

    def _chunk_positions(self) -> Iterable[tuple[int, int, int]]:
        """Return the index of the Doc and the tokens [start, end) of every chunk."""
        return ((i, start, end) for i, bounds in enumerate(self._bounds) for start, end in bounds)


def _checked(stage: Any, docs: Sequence[Doc], vectors: Vectors) -> Sequence[Any]:
    predictions: Sequence[Any] = stage.predict(docs, vectors)
    if len(predictions) != len(docs):
        raise ValueError(f"predict returned {len(predictions)} predictions for {len(docs)} documents")
    return predictions


def _chunk(doc: Doc, start: int, end: int) -> Doc:
    """Copy the words, spaces and sentence starts of part of a Doc."""
    # Not `Span.as_doc`, which walks the whole Doc.
    if start == 0 and end == len(doc):
        return doc
    tokens = doc[start:end]
    chunk = Doc(
        doc.vocab,
        words=[token.text for token in tokens],
        spaces=[bool(token.whitespace_) for token in tokens],
    )
    if len(chunk):
        chunk.from_array([SENT_START], tokens.to_array([SENT_START]))  # type: ignore[attr-defined]
    return chunk


def _joined(arrays: Sequence[Any], axis: int) -> Any:
    """Return arrays concatenated; a single array is returned without a copy."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=axis)


def _no_vectors(doc: Doc) -> Floats2d:
    return cast("Floats2d", np.zeros((len(doc), 0), dtype=np.float32))


def _merged_tags(parts: Sequence[TokenTags], bounds: Sequence[tuple[int, int]]) -> TokenTags:
    if len(parts) == 1:
        return parts[0]
    ids: Any = np.concatenate([part.ids for part in parts])
    probabilities: Any = np.concatenate([part.probabilities for part in parts])
    return TokenTags(ids=ids, probabilities=probabilities)


def _merged_spans(
    parts: Sequence[Sequence[ScoredSpan]], bounds: Sequence[tuple[int, int]]
) -> Sequence[ScoredSpan]:
    if len(parts) == 1:
        return parts[0]
    return [
        span._replace(start=span.start + start, end=span.end + start)
        for part, (start, _) in zip(parts, bounds, strict=True)
        for span in part
    ]
