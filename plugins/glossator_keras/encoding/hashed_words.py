"""Words as rows of hashed tables: no vocabulary file, no word out of vocabulary.

A word is described by itself in lower case, its first and last characters and its shape; each of
these is hashed to a row of a table of its own (Miranda et al. 2022, "Multi hash embeddings in
spaCy"). What is the same for equal words is computed once per batch for all of them: there
is no Python loop over tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import LOWER, ORTH, SHAPE

from glossator.ml.batching import bucket_by_length
from glossator.ml.word_features import affix_hashes
from glossator.ml.words import Words, strings_of, words_of
from glossator_keras.arrays import Array, Floats, Ints, Mask, Positions
from glossator_keras.encoding.doc_windows import Windows, windows_of
from glossator_keras.encoding.input_encoder import TrialInputs

if TYPE_CHECKING:
    from spacy.tokens import Doc

# Rows of each table. Words that share a row cost accuracy, so there are about three times as many as
# 200,000 words of English have different words, prefixes of 1, 2, ... characters, suffixes, or shapes.
# The first row of each table stands for padding and for what dropout hides.
WORD_ROWS, AFFIX_ROWS, SHAPE_ROWS = 50_000, (500, 2_500, 10_000, 20_000), 2_500
TABLE_ROWS = (WORD_ROWS, *AFFIX_ROWS, *AFFIX_ROWS, SHAPE_ROWS)
AFFIXES = len(AFFIX_ROWS)  # characters in the longest
_TABLE_STARTS = np.concatenate(([0], np.cumsum(TABLE_ROWS)[:-1])).astype(np.int32)

TRAIN_POSITIONS = 8192  # words per training step, padding included
PREDICT_POSITIONS = 2048  # words per run of the network, few enough for the processor's cache

_ROW_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class EncodedDocs:
    """The words of a batch of Docs in numbers.

    Attributes:
        words: The words of the Docs.
        lexemes: (1 + different words, tables) rows of the tables laid end to end; row 0 is padding.
        index: (words,) the row of `lexemes` of each word.

    Example:
        The rows of the tables, word by word:

            encoded = encode(docs)
            encoded.lexemes[encoded.index]  # (words, tables)
    """

    words: Words
    lexemes: Ints
    index: Ints


@dataclass(frozen=True, slots=True)
class PaddedSequences:
    """Sequences of words of like length, as networks take them: a `Layout`.

    Attributes:
        sequences: (batch,) indices of these sequences among all.
        lengths: (batch,) the number of words of each sequence.
        lexemes: (1 + different words, tables) the lexemes that occur in them; row 0 is padding.
        words: (batch, time) rows of `lexemes`; 0 after a sequence's end.
        positions: (batch, time) the position of each word among the words of the Docs; that of any word
            after a sequence's end.

    Example:
        All sentences of some Docs, at most 2048 words at a time:

            for batch in padded_sentences(encode(docs), 2048):
                logits = network({"lexemes": batch.lexemes, "words": batch.words})
    """

    sequences: Positions
    lengths: Ints
    lexemes: Ints
    words: Ints
    positions: Positions

    @property
    def mask(self) -> Mask:
        """(batch, time) whether there is a word."""
        return self.words > 0


def encode(docs: Sequence[Doc]) -> EncodedDocs:
    """Look up the rows of all words of some Docs; white-space tokens are none."""
    words = words_of(docs, (ORTH, LOWER, SHAPE))
    # ORTH and not LOWER: the shape differs between words that are the same in lower case.
    _, first, inverse = np.unique(words.features[:, 0], return_index=True, return_inverse=True)
    lower, shape = words.features[first, 1], words.features[first, 2]
    strings = strings_of(docs, words, first, lower)
    hashes = np.column_stack([lower, *affix_hashes(strings), shape])
    rows = _rows(hashes) + _TABLE_STARTS
    lexemes: Array = np.concatenate([_TABLE_STARTS[None], rows]).astype(np.int32)
    return EncodedDocs(words=words, lexemes=lexemes, index=(inverse.reshape(-1) + 1).astype(np.int32))


def padded_sentences(encoded: EncodedDocs, max_positions: int) -> Iterator[PaddedSequences]:
    """Lay the sentences of Docs out as `padded_sequences` does."""
    words = encoded.words
    return padded_sequences(encoded, words.sentence_starts[:-1], words.lengths, max_positions)


def padded_sequences(
    encoded: EncodedDocs, starts: Positions, lengths: Ints, max_positions: int
) -> Iterator[PaddedSequences]:
    """Lay sequences of words out in batches of like length.

    Args:
        encoded: The Docs.
        starts: (sequences,) the first word of each.
        lengths: (sequences,) the number of words of each; one without words gets one position of padding.
        max_positions: Words of a batch, padding included; a longer sequence is a batch of its own.

    Yields:
        Batches; each sequence is in exactly one.
    """
    for batch in bucket_by_length(np.maximum(lengths, 1), max_positions):
        steps = np.arange(max(int(lengths[batch].max()), 1))
        inside = steps < lengths[batch][:, None]
        last = np.maximum(lengths[batch], 1) - 1
        words = starts[batch][:, None] + np.minimum(steps, last[:, None])
        positions = np.minimum(words, len(encoded.index) - 1)
        index = np.where(inside, encoded.index[positions] if len(encoded.index) else 0, 0)

        # Only lexemes that occur in the batch go in: the network mixes each of them once.
        used = np.zeros(len(encoded.lexemes), dtype=bool)
        used[0] = True
        used[index] = True
        renumbered = np.cumsum(used, dtype=np.int32) - 1
        yield PaddedSequences(
            sequences=batch,
            lengths=lengths[batch],
            lexemes=encoded.lexemes[used],
            words=renumbered[index].astype(np.int32),
            positions=positions,
        )


class HashedWords:
    """Encodes words as rows of hashed tables, for networks that begin with `network.embed_words`.

    It is the default encoder of `KerasTagger` and `KerasClassifier`.

    Args:
        word_dropout: Share of words hidden in training, so that the network also learns from the other
            features of a word.

    Example:
        A tagger that learns from whole words alone as often as it can:

            KerasTagger(build_network, HashedWords(word_dropout=0.0))
    """

    tables: Sequence[int] = TABLE_ROWS
    whole_sentences = True

    def __init__(self, word_dropout: float = 0.1) -> None:
        self._word_dropout = word_dropout

    def encode(self, docs: Sequence[Doc]) -> EncodedDocs:
        """Look up the rows of all words of some Docs."""
        return encode(docs)

    def sentence_batches(self, encoded: EncodedDocs, *, training: bool) -> Iterator[PaddedSequences]:
        """Yield all sentences in batches of like length."""
        return padded_sentences(encoded, TRAIN_POSITIONS if training else PREDICT_POSITIONS)

    def windows(self, encoded: EncodedDocs) -> Windows:
        """Cut the Docs into windows of words."""
        return windows_of(encoded.words)

    def window_batches(
        self, encoded: EncodedDocs, windows: Windows, *, training: bool
    ) -> Iterator[tuple[Positions, PaddedSequences]]:
        """Yield batches of windows, each with the indices of its windows; in training a single one."""
        padded = len(windows.lengths) * max(int(windows.lengths.max(initial=0)), 1)
        most = padded if training else PREDICT_POSITIONS
        for batch in padded_sequences(encoded, windows.starts, windows.lengths, most):
            yield batch.sequences, batch

    def inputs(
        self, batch: PaddedSequences, vectors: Floats | None, generator: np.random.Generator | None = None
    ) -> dict[str, Array]:
        """Return the inputs of the network, by name; with a generator some words are hidden."""
        lexemes = batch.lexemes
        if generator is not None:
            hidden = generator.random(len(lexemes)) < self._word_dropout
            lexemes = hide(lexemes, table=0, chosen=hidden)

        inputs: dict[str, Array] = {"lexemes": lexemes, "words": batch.words}
        if vectors is not None:
            shape = (*batch.words.shape, vectors.shape[1])
            padded = vectors[batch.positions] if len(vectors) else np.zeros(shape, dtype=np.float32)
            padded[~batch.mask] = 0
            inputs["vectors"] = padded
        return inputs

    def trial_inputs(self, vector_width: int) -> TrialInputs:
        """Return sentences of several lengths, of random words.

        Also returns the mask of real words: outputs at padding positions are undefined.
        """
        generator = np.random.default_rng(0)
        lengths = np.array([1, 7, 12, 3, 0])
        mask = np.arange(lengths.max()) < lengths[:, None]
        lexemes = generator.integers(sum(TABLE_ROWS), size=(40, len(TABLE_ROWS)), dtype=np.int32)
        words = generator.integers(1, len(lexemes), size=mask.shape, dtype=np.int32)
        inputs: dict[str, Array] = {"lexemes": lexemes, "words": np.where(mask, words, 0).astype(np.int32)}
        if vector_width:
            inputs["vectors"] = generator.normal(size=(*mask.shape, vector_width)).astype(np.float32)
        return inputs, mask


def hide(lexemes: Ints, table: int, chosen: Mask) -> Ints:
    """Return lexemes with the row of one table replaced by that of padding where `chosen` is true."""
    hidden = lexemes.copy()
    hidden[chosen, table] = _TABLE_STARTS[table]
    return hidden


def _rows(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Spread (lexemes, tables) hashes over all rows of the tables but the first (Fibonacci hashing)."""
    mixed = (hashes ^ (hashes >> np.uint64(32))) * _ROW_MULTIPLIER
    free = np.asarray(TABLE_ROWS, dtype=np.uint64) - np.uint64(1)
    rows: NDArray[np.int64] = ((mixed >> np.uint64(24)) % free).astype(np.int64) + 1
    return rows
