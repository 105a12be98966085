"""Words as rows of hashed tables: no vocabulary file, no word out of vocabulary.

A word is described by itself in lower case, its first and last characters and its shape; each of
these is hashed to a row of a table of its own (Miranda et al. 2022, "Multi hash embeddings in
spaCy"). What is the same for equal words is computed once for each that occurs in a batch: there
is no Python loop over tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from spacy.attrs import LOWER, ORTH, SHAPE

from glossator.batching import of_like_length
from glossator.errors import PipelineError
from glossator.words import Words, words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc

# Rows of each table. Words that share a row cost accuracy, so there are about three times as many as
# 200,000 words of English have different words, prefixes of 1, 2, ... characters, suffixes, or shapes.
# The first row of each table stands for padding and for what dropout hides.
WORD_ROWS, AFFIX_ROWS, SHAPE_ROWS = 50_000, (500, 2_500, 10_000, 20_000), 2_500
TABLE_ROWS = (WORD_ROWS, *AFFIX_ROWS, *AFFIX_ROWS, SHAPE_ROWS)
AFFIXES = len(AFFIX_ROWS)  # characters in the longest
_TABLE_STARTS = np.concatenate(([0], np.cumsum(TABLE_ROWS)[:-1])).astype(np.int32)

_ROW_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_STEP_MULTIPLIER = np.uint64(0x100000001B3)


@dataclass(frozen=True, slots=True)
class EncodedDocs:
    """The words of a batch of Docs in numbers.

    Attributes:
        words: Where they stand.
        lexemes: (1 + different words, tables) rows of the tables laid end to end; row 0 is padding.
        index: (words,) which row of `lexemes` each word is.
    """

    words: Words
    lexemes: NDArray[np.int32]
    index: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class PaddedSequences:
    """Sequences of words of like length, as networks take them.

    Attributes:
        sequences: (batch,) which of the sequences these are.
        lengths: (batch,) their words.
        lexemes: (1 + different words, tables) the lexemes that occur in them; row 0 is padding.
        words: (batch, time) rows of `lexemes`; 0 after a sequence's end.
        places: (batch, time) where each word stands among the words of the Docs; what stands after a
            sequence's end is any word.
    """

    sequences: NDArray[np.intp]
    lengths: NDArray[np.int32]
    lexemes: NDArray[np.int32]
    words: NDArray[np.int32]
    places: NDArray[np.intp]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(batch, time): whether there is a word."""
        return self.words > 0


def encode(docs: Sequence[Doc]) -> EncodedDocs:
    """Look up the rows of all words of some Docs; white-space tokens are none."""
    words = words_of(docs, (ORTH, LOWER, SHAPE))
    _, first, inverse = np.unique(words.features[:, 0], return_index=True, return_inverse=True)
    lower, shape = words.features[first, 1], words.features[first, 2]
    strings = strings_of(docs, words, first, lower)
    hashes = np.column_stack([lower, *_affix_hashes(strings), shape])
    rows = _rows(hashes) + _TABLE_STARTS
    lexemes: Any = np.concatenate([_TABLE_STARTS[None], rows]).astype(np.int32)
    return EncodedDocs(words=words, lexemes=lexemes, index=(inverse.reshape(-1) + 1).astype(np.int32))


def padded_sentences(encoded: EncodedDocs, max_places: int) -> Iterator[PaddedSequences]:
    """Lay the sentences of Docs out as `padded_sequences` does."""
    words = encoded.words
    return padded_sequences(encoded, words.sentence_starts[:-1], words.lengths, max_places)


def padded_sequences(
    encoded: EncodedDocs, starts: NDArray[np.intp], lengths: NDArray[np.int32], max_places: int
) -> Iterator[PaddedSequences]:
    """Lay sequences of words out in batches of like length.

    Args:
        encoded: The Docs.
        starts: (sequences,) the first word of each.
        lengths: (sequences,) the words of each; one without words gets one place of padding.
        max_places: Words of a batch, padding included; a longer sequence is a batch of its own.

    Yields:
        Batches; each sequence is in exactly one.
    """
    for batch in of_like_length(np.maximum(lengths, 1), max_places):
        steps = np.arange(max(int(lengths[batch].max()), 1))
        inside = steps < lengths[batch][:, None]
        last = np.maximum(lengths[batch], 1) - 1
        places = np.minimum(starts[batch][:, None] + np.minimum(steps, last[:, None]), len(encoded.index) - 1)
        index = np.where(inside, encoded.index[places] if len(encoded.index) else 0, 0)
        used = np.zeros(len(encoded.lexemes), dtype=bool)
        used[0] = True
        used[index] = True
        renumbered = np.cumsum(used, dtype=np.int32) - 1
        yield PaddedSequences(
            sequences=batch,
            lengths=lengths[batch],
            lexemes=encoded.lexemes[used],
            words=renumbered[index].astype(np.int32),
            places=places,
        )


def network_inputs(
    batch: PaddedSequences, given: NDArray[np.float32] | None, hidden: NDArray[np.bool_] | None = None
) -> dict[str, NDArray[Any]]:
    """Return what a network that begins with `network.embed_words` takes.

    Args:
        batch: The sequences.
        given: (words, width) vectors of the words, if there are any.
        hidden: (lexemes,) which words are to be known by their other features alone.
    """
    lexemes = batch.lexemes if hidden is None else hide(batch.lexemes, table=0, chosen=hidden)
    inputs: dict[str, NDArray[Any]] = {"lexemes": lexemes, "words": batch.words}
    if given is not None:
        shape = (*batch.words.shape, given.shape[1])
        found = given[batch.places] if len(given) else np.zeros(shape, dtype=np.float32)
        found[~batch.mask] = 0
        inputs["vectors"] = found
    return inputs


def check_tables(rows: Sequence[int], known: Sequence[int] = TABLE_ROWS) -> None:
    """Raise `PipelineError` unless the tables a network was made for are those that are known."""
    if tuple(rows) != tuple(known):
        raise PipelineError(
            "it was trained by another version of glossator_keras, with other features of words: "
            "train it again, or annotate with that version"
        )


def hide(lexemes: NDArray[np.int32], table: int, chosen: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return lexemes with one table's row replaced by that of nothing where `chosen`, (lexemes,), says so."""
    hidden = lexemes.copy()
    hidden[chosen, table] = _TABLE_STARTS[table]
    return hidden


def strings_of(
    docs: Sequence[Doc], words: Words, first: NDArray[np.intp], keys: NDArray[np.uint64]
) -> list[str]:
    """Return the strings of some attributes' keys, each found in the Doc of the `first` word that has it."""
    owners = np.searchsorted(words.doc_starts, words.positions[first], side="right") - 1
    stores = [doc.vocab.strings for doc in docs]
    return [stores[owner][key] for owner, key in zip(owners.tolist(), keys.tolist(), strict=True)]


def _affix_hashes(strings: Sequence[str]) -> list[NDArray[np.uint64]]:
    """Return hashes (strings,) of each prefix and each suffix, up to AFFIXES characters long."""
    prefixes = _characters([string[:AFFIXES] for string in strings])
    suffixes = _characters([string[: -AFFIXES - 1 : -1] for string in strings])
    return [*_running_hashes(prefixes), *_running_hashes(suffixes)]


def _characters(strings: Sequence[str]) -> NDArray[np.uint64]:
    """Return (strings, AFFIXES) code points, 0 after the end."""
    # The character put in front keeps numpy from cutting nulls off the end of a word.
    padded = np.asarray([string.ljust(AFFIXES, "\0") + "." for string in strings], dtype=f"<U{AFFIXES + 1}")
    points = padded.view(np.uint32).reshape(len(strings), AFFIXES + 1)
    return points[:, :AFFIXES].astype(np.uint64)


def _running_hashes(points: NDArray[np.uint64]) -> list[NDArray[np.uint64]]:
    """Return hashes (strings,) of the first character, the first two, and so on (FNV-1a by code points)."""
    state = np.full(len(points), 0xCBF29CE484222325, dtype=np.uint64)
    hashes = []
    for column in points.T:
        state = (state ^ column) * _STEP_MULTIPLIER
        hashes.append(state)
    return hashes


def _rows(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Spread (lexemes, tables) hashes over the tables' rows, but for the first (Fibonacci hashing)."""
    mixed = (hashes ^ (hashes >> np.uint64(32))) * _ROW_MULTIPLIER
    free = np.asarray(TABLE_ROWS, dtype=np.uint64) - np.uint64(1)
    rows: NDArray[np.int64] = ((mixed >> np.uint64(24)) % free).astype(np.int64) + 1
    return rows
