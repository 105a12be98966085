"""Batches: bounded in words, and of similar length where sequences are padded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc

Item = TypeVar("Item")


def batch_by_words(items: Iterable[tuple[Item, int]], max_words: int) -> Iterator[list[Item]]:
    """Group consecutive items into batches of at most `max_words` words; the order is kept.

    Example:
        list(batch_by_words([("a", 3), ("b", 4), ("c", 2)], 6))  # [["a"], ["b", "c"]]

    Args:
        items: Items with their sizes in words.
        max_words: The maximum of a batch; a larger item is a batch of its own.
    """
    batch: list[Item] = []
    words = 0
    for item, size in items:
        if batch and words + size > max_words:
            yield batch
            batch, words = [], 0
        batch.append(item)
        words += size
    if batch:
        yield batch


def bucket_by_length(lengths: NDArray[Any] | Sequence[int], max_words: int) -> list[NDArray[np.intp]]:
    """Group sequences into batches of similar length, which need little padding.

    Example:
        bucket_by_length([2, 9, 2], 10)  # [[0, 2], [1]]

    Args:
        lengths: (sequences,) lengths.
        max_words: The maximum size of a batch padded to its longest sequence; a longer sequence is a batch
            of its own.

    Returns:
        Arrays of indices into `lengths`; each sequence is in exactly one.
    """
    # Stable, so that the batches do not depend on how numpy sorts equal lengths.
    order = np.argsort(np.asarray(lengths), kind="stable")
    batches = []
    start = 0

    for end in range(1, len(order) + 1):
        longest = int(lengths[order[end - 1]])
        if end - start > 1 and (end - start) * longest > max_words:
            batches.append(order[start : end - 1])
            start = end - 1
    if start < len(order):
        batches.append(order[start:])
    return batches


def shuffled_batches(
    lengths: Sequence[int], max_words: int, generator: np.random.Generator
) -> list[NDArray[np.intp]]:
    """Group training examples into batches of similar length, differently at every call.

    Example:
        shuffled_batches([5, 30, 6], 40, np.random.default_rng(0))

    Args:
        lengths: (examples,) lengths.
        max_words: The maximum number of words per batch.
        generator: Decides the batches and their order.

    Returns:
        Arrays of indices into `lengths`; each example is in exactly one.
    """
    sizes = np.asarray(lengths)
    # Blurred by a tenth before sorting, so that the same examples do not meet in every epoch.
    blurred = sizes * generator.uniform(0.9, 1.1, size=len(sizes)) + generator.uniform(0, 1, size=len(sizes))
    order = np.argsort(blurred, kind="stable")
    batches = [
        np.asarray(batch, dtype=np.intp)
        for batch in batch_by_words(((index, int(sizes[index])) for index in order), max_words)
    ]
    generator.shuffle(batches)
    return batches


def chunk_bounds(doc: Doc, max_words: int) -> list[tuple[int, int]]:
    """Cut a long Doc into chunks of whole sentences, each of at most `max_words` tokens.

    Example:
        [doc[start:end] for start, end in chunk_bounds(doc, 5000)]

    Returns:
        (start, end) token positions of adjacent chunks. A sentence longer than `max_words` is cut.
    """
    from spacy.attrs import SENT_START  # here, as batching itself does not need spaCy

    if len(doc) <= max_words:
        return [(0, len(doc))]
    sentence_starts = np.flatnonzero(doc.to_array([SENT_START]) == 1)
    bounds = []
    start = 0
    while start < len(doc):
        limit = start + max_words
        end = len(doc) if limit >= len(doc) else _last_start(sentence_starts, start, limit)
        bounds.append((start, end))
        start = end
    return bounds


def _last_start(sentence_starts: NDArray[np.intp], start: int, limit: int) -> int:
    """Return the last sentence start in (start, limit], or `limit` if there is none."""
    index = int(np.searchsorted(sentence_starts, limit, side="right")) - 1
    return int(sentence_starts[index]) if index >= 0 and sentence_starts[index] > start else limit
