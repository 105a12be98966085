"""Coverage: how many words of a text have vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from glossator_vectors.folder.word_vectors import WordVectors, word_keys

LookupKind = Literal["exact", "lower", "subwords", "missing"]
LOOKUP_KINDS: tuple[LookupKind, ...] = get_args(LookupKind)
MAX_MISSING_WORDS = 20


@dataclass(frozen=True, slots=True)
class Coverage:
    """How the words of a text are looked up.

    Example:
        coverage = measure_coverage(open_vectors(folder), Counter(["sea", "sea", "ship"]))
        coverage.tokens  # {"exact": 3, "lower": 0, "subwords": 0, "missing": 0}

    Attributes:
        tokens: Number of tokens by kind of lookup.
        types: Number of different words by kind of lookup.
        missing: The most frequent words without a vector of their own, with their counts; includes words
            whose vectors are computed from sub-words.
    """

    tokens: Mapping[LookupKind, int]
    types: Mapping[LookupKind, int]
    missing: tuple[tuple[str, int], ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "tokens": dict(self.tokens),
            "types": dict(self.types),
            "missing": [list(pair) for pair in self.missing],
        }


def measure_coverage(vectors: WordVectors, counts: Counter[str]) -> Coverage:
    """Look up words and return the coverage, weighted by their counts."""
    words = list(counts)
    kinds = lookup_kinds(vectors, words)
    tokens: Counter[LookupKind] = Counter()
    missing: Counter[str] = Counter()
    for word, kind in zip(words, kinds, strict=True):
        tokens[kind] += counts[word]
        if kind in ("subwords", "missing"):
            missing[word] = counts[word]
    types = Counter(kinds)

    return Coverage(
        tokens={kind: tokens[kind] for kind in LOOKUP_KINDS},
        types={kind: types[kind] for kind in LOOKUP_KINDS},
        missing=tuple(missing.most_common(MAX_MISSING_WORDS)),
    )


def lookup_kinds(vectors: WordVectors, words: list[str]) -> list[LookupKind]:
    """Return the kind of lookup of each word."""
    exact = vectors.rows(word_keys(words)) > 0
    lower = vectors.rows(word_keys([word.lower() for word in words])) > 0
    subwords = vectors.metadata.subwords
    shortest = subwords["min_n"] - 2 if subwords else None  # min_n includes "<" and ">"
    return [
        "exact"
        if is_exact
        else "lower"
        if is_lower
        else "subwords"
        if shortest is not None and len(word) >= shortest
        else "missing"
        for word, is_exact, is_lower in zip(words, exact.tolist(), lower.tolist(), strict=True)
    ]
