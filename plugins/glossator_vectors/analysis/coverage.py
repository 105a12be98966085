"""How many of a text's words have vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from glossator_vectors.folder.word_vectors import WordVectors, keys_of

Way = Literal["exact", "lower", "subwords", "missing"]
WAYS: tuple[Way, ...] = get_args(Way)
COMMONEST = 20


@dataclass(frozen=True, slots=True)
class Coverage:
    """How the words of a text are found.

    Attributes:
        tokens: Tokens that are found in each way.
        types: Different words that are found in each way.
        missing: The commonest words without a vector of their own, with how often each occurs; where
            there are sub-words, those that they answer for.
    """

    tokens: Mapping[Way, int]
    types: Mapping[Way, int]
    missing: tuple[tuple[str, int], ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "tokens": dict(self.tokens),
            "types": dict(self.types),
            "missing": [list(pair) for pair in self.missing],
        }


def coverage(vectors: WordVectors, counts: Counter[str]) -> Coverage:
    """Return how words, given with how often each occurs, are found."""
    words = list(counts)
    ways = ways_of(vectors, words)
    tokens: Counter[Way] = Counter()
    for word, way in zip(words, ways, strict=True):
        tokens[way] += counts[word]
    types = Counter(ways)
    unknown = Counter(
        {word: counts[word] for word, way in zip(words, ways, strict=True) if way in ("subwords", "missing")}
    )
    return Coverage(
        tokens={way: tokens[way] for way in WAYS},
        types={way: types[way] for way in WAYS},
        missing=tuple(unknown.most_common(COMMONEST)),
    )


def ways_of(vectors: WordVectors, words: list[str]) -> list[Way]:
    """Return how each word is found."""
    exact = vectors.rows(keys_of(words)) > 0
    lower = vectors.rows(keys_of([word.lower() for word in words])) > 0
    subwords = vectors.facts.subwords
    shortest = subwords["min_n"] - 2 if subwords else None  # "<" and ">" count
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
