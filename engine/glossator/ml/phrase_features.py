"""Features of words that belong to a phrase of a list, for linear taggers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from spacy.strings import get_string_id

from glossator.ml.ngrams import mixed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glossator.ml.feature_table import Hashes
    from glossator.ml.words import Words

_FIRST, _LATER = 900, 901  # kinds of features, unlike those of any other


def phrase_hashes(
    spans: Sequence[Iterable[tuple[int, int, str]]], words: Words, labels: Sequence[str]
) -> Hashes:
    """Return (words, labels) hashes: of being the first or a later word of a phrase with the label, else 0.

    Example:
        phrase_hashes([[(0, 2, "LOC")]], words, ["LOC"])  # "New" and "York" differ, and are not 0

    Args:
        spans: (start, end, label) of the phrases in each Doc, on its tokens; they may overlap.
        words: The words of the Docs.
        labels: All labels of the list.
    """
    kinds = np.zeros((int(words.doc_starts[-1]), len(labels)), dtype=np.int64)
    columns = {label: column for column, label in enumerate(labels)}
    for first, of_doc in zip(words.doc_starts.tolist(), spans, strict=False):
        for start, end, label in of_doc:
            column = columns[label]
            inside = kinds[first + start : first + end, column]
            inside[inside == 0] = _LATER
            inside[0] = _FIRST
    found = kinds[words.positions]
    hashes = np.zeros(found.shape, dtype=np.uint64)
    for column, label in enumerate(labels):
        for kind, hash_of_kind in _hashes_of(label).items():
            hashes[found[:, column] == kind, column] = hash_of_kind
    return hashes


def named_phrases(labels: Iterable[str]) -> dict[int, str]:
    """Return the names of the features that phrases of a list make, by their hashes.

    Example:
        named_phrases(["LOC"]).values()  # "phrase=LOC (first word)", "phrase=LOC (later word)"
    """
    places = {_FIRST: "first word", _LATER: "later word"}
    return {
        value: f"phrase={label} ({places[kind]})"
        for label in labels
        for kind, value in _hashes_of(label).items()
    }


def _hashes_of(label: str) -> dict[int, int]:
    key: NDArray[np.uint64] = np.asarray([get_string_id(label)], dtype=np.uint64)
    return {kind: int(mixed(key, kind)[0]) for kind in (_FIRST, _LATER)}
