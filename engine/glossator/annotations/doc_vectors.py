"""Vectors of an embedder on Docs: `doc.tensor`, and hooks that let `.vector` and `.similarity` use it.

spaCy calls the hooks of a Doc before it looks into the vocab, so `vocab.vectors` stays unchanged.
`Doc.to_bytes` saves the tensor but not the hooks; spaCy warns about that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from spacy.attrs import IS_SPACE
from spacy.tokens import Doc, Span, Token

from glossator.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from thinc.types import Floats2d

    Part = Doc | Span | Token


def write_tensors(docs: Sequence[Doc], vectors: Sequence[Floats2d]) -> None:
    """Set each Doc's tensor to its (tokens, width) vectors, and let `.vector` and `.similarity` use it.

    Example:
        write_tensors(docs, embedder.embed(docs))
        docs[0].similarity(docs[1])
    """
    for doc, values in zip(docs, vectors, strict=True):
        doc.tensor = cast(Any, values)
        doc.user_hooks.update(_HOOKS)
        doc.user_token_hooks.update(_HOOKS)
        doc.user_span_hooks.update(_SPAN_HOOKS)


def vector(part: Part) -> NDArray[np.float32]:
    """Return the vector of a token, or the mean of a Doc's or span's words, without white space.

    Example:
        vector(doc)  # the same as doc.vector after write_tensors([doc], vectors)
    """
    if isinstance(part, Token):
        row: NDArray[np.float32] = part.doc.tensor[part.i]
        return row
    doc, start, end = (part, 0, len(part)) if isinstance(part, Doc) else (part.doc, part.start, part.end)
    is_word = doc.to_array([IS_SPACE])[start:end] == 0
    rows: Any = doc.tensor[start:end][is_word]
    if not len(rows):
        return np.zeros(doc.tensor.shape[1], dtype=np.float32)
    mean: NDArray[np.float32] = rows.mean(axis=0)
    return mean


def vector_norm(part: Part) -> float:
    """Return the length of `vector`."""
    return float(np.linalg.norm(vector(part)))


def has_vector(part: Part) -> bool:
    """Whether `vector` has a non-zero value."""
    return bool(vector(part).any())


def similarity(part: Part, other: Any) -> float:
    """Return the cosine similarity of two vectors; 0 if one of them is all zeros.

    Example:
        similarity(doc[0], doc[3])  # between -1 and 1

    Raises:
        UsageError: The vectors differ in width.
    """
    one, two = vector(part), np.asarray(other.vector)
    if one.shape != two.shape:
        raise UsageError(
            f"vectors of width {one.shape[0]} and {two.shape[0]} cannot be compared: "
            "annotate both with the same pipeline"
        )
    norms = float(np.linalg.norm(one) * np.linalg.norm(two))
    return float(one @ two) / norms if norms else 0.0


_HOOKS: dict[str, Callable[..., Any]] = {
    "vector": vector,
    "vector_norm": vector_norm,
    "has_vector": has_vector,
    "similarity": similarity,
}
# With a hook for the norm of a span, spaCy 3.8 returns the span's vector; without one it computes the norm.
_SPAN_HOOKS = {name: hook for name, hook in _HOOKS.items() if name != "vector_norm"}
