"""Counting the words of documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glossator.formats import Record
    from glossator.stages import BoundedTokenizer


def count_words(records: Iterable[Record], tokenizer: BoundedTokenizer) -> Counter[str]:
    """Count the words of documents, without white space."""
    counts: Counter[str] = Counter()
    for record in records:
        counts.update(_words(record, tokenizer))
        tokenizer.forget_words()
    return counts


def _words(record: Record, tokenizer: BoundedTokenizer) -> Iterator[str]:
    """Yield a document's words: the tokens in the file if it has any."""
    if record.tokens is not None:
        return (word for word in record.tokens.words if not word.isspace())
    doc = record.doc if record.doc is not None else tokenizer(record.text)
    return (token.text for token in doc if not token.is_space)
