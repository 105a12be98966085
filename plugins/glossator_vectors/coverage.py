"""How many of a text's words have vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from spacy.strings import get_string_id

if TYPE_CHECKING:
    from glossator.builtin.tokenizers import SpacyTokenizer
    from glossator.formats.record import Record
    from glossator_vectors.folder.word_vectors import WordVectors

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


def keys_of(words: Iterable[str]) -> np.ndarray:
    """Return spaCy's hash of each word."""
    return np.fromiter((get_string_id(word) for word in words), dtype=np.uint64)


def count_words(records: Iterable[Record], tokenizer: SpacyTokenizer) -> Counter[str]:
    """Return how often each word occurs in documents, white space left out."""
    counts: Counter[str] = Counter()
    for record in records:
        counts.update(_words(record, tokenizer))
        tokenizer.forget_words()
    return counts


def _words(record: Record, tokenizer: SpacyTokenizer) -> Iterator[str]:
    """Yield a document's words: its own tokens where the file has them."""
    if record.tokens is not None:
        return (word for word in record.tokens.words if not word.isspace())
    doc = record.doc if record.doc is not None else tokenizer(record.text)
    return (token.text for token in doc if not token.is_space)
