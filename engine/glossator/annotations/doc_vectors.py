"""Vectors of an embedder on Docs: `doc.tensor`, and spaCy's `.vector` and `.similarity` made to use it.

spaCy asks the hooks of a Doc before it looks into the vocab, so `vocab.vectors` stays as its owner left
it. `Doc.to_bytes` saves the tensor and not the hooks, of which spaCy warns.
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
    """Set each Doc's tensor to its (tokens, width) vectors; have spaCy's `.vector` and the like use it."""
    for doc, values in zip(docs, vectors, strict=True):
        doc.tensor = cast(Any, values)
        doc.user_hooks.update(_HOOKS)
        doc.user_token_hooks.update(_HOOKS)
        doc.user_span_hooks.update(_SPAN_HOOKS)


def vector(part: Part) -> NDArray[np.float32]:
    """Return the vector of a token, or the mean of a Doc's or span's words; white space does not count."""
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
    """Whether `vector` is anything but zeros."""
    return bool(vector(part).any())


def similarity(part: Part, other: Any) -> float:
    """Return the cosine of two vectors' angle, 0 where one is zeros.

    Raises:
        UsageError: The other's vectors are of another width.
    """
    one, two = vector(part), np.asarray(other.vector)
    if one.shape != two.shape:
        raise UsageError(
            f"vectors of {one.shape[0]} and of {two.shape[0]} numbers cannot be compared: "
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
# Where a span has a hook for its norm, spaCy 3.8 answers with its vector; without one it asks for that.
_SPAN_HOOKS = {name: hook for name, hook in _HOOKS.items() if name != "vector_norm"}
