"""Gold spans of Docs as labels of words, to train and calibrate taggers on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.ml.chain_gradient import UNLABELLED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glossator.ml.span_scheme import SpanScheme
    from glossator.ml.words import Words


def span_labels(
    spans: Sequence[Iterable[tuple[int, int, str]]],
    scheme: SpanScheme,
    words: Words,
    lengths: NDArray[np.integer[Any]],
) -> NDArray[np.int64]:
    """Return the (words,) labels of the spans of each Doc.

    No sequence of labels spells a span that lies in several sequences of words: its words are `UNLABELLED`.

    Example:
        span_labels([[(0, 2, "PER")]], SpanScheme.bio(["PER"]), words, words.lengths)  # [1, 2, 0, 0]

    Args:
        spans: (start, end, type) of each Doc, on its tokens; none overlap.
        scheme: The labels.
        words: The words of the Docs.
        lengths: (sequences,) the numbers of words of the sequences that they make, one after another.
    """
    word_spans = [
        (*np.searchsorted(words.positions, [first + start, first + end]).tolist(), label)
        for first, of_doc in zip(words.doc_starts.tolist(), spans, strict=False)
        for start, end, label in of_doc
    ]
    # A span of white space alone has no words.
    word_spans = [(start, end, label) for start, end, label in word_spans if start < end]
    ids = scheme.encode(word_spans, len(words.positions))

    sequences = np.repeat(np.arange(len(lengths)), lengths)
    for start, end, _ in word_spans:
        if sequences[start] != sequences[end - 1]:
            ids[start:end] = UNLABELLED
    return ids
