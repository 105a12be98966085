"""Gold annotations of examples, as every stage learns from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from spacy.attrs import ORTH

from glossator.annotations.layer import Layer

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.training import Example


class GoldSpan(NamedTuple):
    """A labelled span of tokens [start, end).

    Example:
        GoldSpan(3, 5, "PERSON")  # the tokens doc[3:5]
    """

    start: int
    end: int
    label: str


def gold_spans(example: Example, layer: Layer) -> list[GoldSpan]:
    """Return the gold spans of `ents` or `spans:KEY`, on the tokens of `example.predicted`.

    If the two sides of the example are tokenized differently, spans that do not start and end at
    boundaries of predicted tokens are left out.

    Example:
        gold_spans(example, Layer.parse("ents"))  # [GoldSpan(0, 2, "PERSON")]
    """
    spans = list(layer.spans(example.reference))
    if not _same_tokens(example):
        spans = example.get_aligned_spans_y2x(spans, allow_overlap=True)
    return [GoldSpan(span.start, span.end, span.label_) for span in spans]


def missing_tokens(example: Example, layer: Layer) -> NDArray[np.bool_]:
    """Return a mask of the predicted tokens that the gold leaves unannotated: spaCy's missing entities.

    Only `ents` can be missing; other spans are always annotated.

    Example:
        mask = missing_tokens(example, Layer.parse("ents"))
        loss_weights = np.where(mask, 0.0, 1.0)
    """
    none = np.zeros(len(example.predicted), dtype=bool)
    if layer.kind != "ents":
        return none
    missing = example.reference.to_array("ENT_IOB") == 0
    if not missing.any():
        return none
    # spaCy's own alignment is a loop over tokens: use it only if the two sides differ.
    if _same_tokens(example):
        return np.asarray(missing)
    return np.asarray([tag is None for tag in example.get_aligned_ner()], dtype=bool)


def gold_tags(example: Example, layer: Layer) -> list[str | None]:
    """Return the gold `tag` or `pos` of each predicted token; None for unannotated tokens.

    Example:
        gold_tags(example, Layer.parse("pos"))  # ["PRON", "VERB", None]
    """
    if _same_tokens(example):
        strings = [layer.label_of(token) for token in example.reference]
    else:
        strings = example.get_aligned(layer.kind.upper(), as_string=True)
    return [string or None for string in strings]


def _same_tokens(example: Example) -> bool:
    predicted, reference = example.predicted, example.reference
    return len(predicted) == len(reference) and bool(
        np.array_equal(predicted.to_array([ORTH]), reference.to_array([ORTH]))
    )
