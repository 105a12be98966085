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
    """A labelled span of tokens [start, end)."""

    start: int
    end: int
    label: str


def gold_spans(example: Example, layer: Layer) -> list[GoldSpan]:
    """Return the gold spans of `ents` or `spans:KEY`, on the tokens of `example.predicted`.

    Where the two sides of the example are tokenized differently, spans that do not fall on
    boundaries of the predicted tokens are left out.
    """
    spans = list(layer.spans(example.reference))
    if not _same_tokens(example):
        spans = example.get_aligned_spans_y2x(spans, allow_overlap=True)
    return [GoldSpan(span.start, span.end, span.label_) for span in spans]


def missing_tokens(example: Example, layer: Layer) -> NDArray[np.bool_]:
    """Return, of each predicted token, whether the gold says nothing of it: spaCy's missing entities.

    Of spans other than `ents` gold always says something.
    """
    none = np.zeros(len(example.predicted), dtype=bool)
    if layer.kind != "ents":
        return none
    missing = example.reference.to_array("ENT_IOB") == 0
    if not missing.any():
        return none
    if _same_tokens(example):
        return np.asarray(missing)
    return np.asarray([tag is None for tag in example.get_aligned_ner()], dtype=bool)


def gold_tags(example: Example, layer: Layer) -> list[str | None]:
    """Return the gold label of `tag` or `pos` of each predicted token; None where there is none."""
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
