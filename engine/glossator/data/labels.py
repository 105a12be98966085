"""The gold labels of a document, whatever its layer."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from glossator.annotations.layer import Layer

if TYPE_CHECKING:
    from spacy.tokens import Doc

HOLDS = 0.5  # the least gold value of a category that holds, where a teacher's probabilities are the gold


def labels_of(doc: Doc, layer: Layer) -> set[str]:
    """Return the labels that a gold Doc has, of its spans, tokens or whole text.

    Example:
        labels_of(example.reference, Layer.parse("ents"))  # {"PER", "LOC"}
    """
    if layer.is_categories:
        return {label for label, value in doc.cats.items() if value >= HOLDS}
    if layer.is_spans:
        return {span.label_ for span in layer.spans(doc)}
    return {layer.label_of(token) for token in doc} - {""}


def annotation_of(doc: Doc, layer: Layer) -> Hashable:
    """Return a value that is equal for Docs of one text if their gold annotations are.

    Example:
        annotation_of(one.reference, layer) == annotation_of(other.reference, layer)
    """
    if layer.is_categories:
        return frozenset(labels_of(doc, layer))
    if layer.is_spans:
        return frozenset((span.start_char, span.end_char, span.label_) for span in layer.spans(doc))
    return tuple((token.idx, layer.label_of(token)) for token in doc)
