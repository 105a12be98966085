"""The words of Docs as arrays: turns a batch of Docs into numbers, and results back into Docs' tokens.

White-space tokens exist in raw text and never in gold data: they are left out of the arrays, and get a fill
value in the results. No Python loop runs over tokens here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from spacy.attrs import IS_SPACE, SENT_START

from glossator.stages import ScoredSpan

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a batch of Docs, in order, cut into sentences.

    Example:
        words = words_of(docs, [LOWER, SHAPE])
        logits = network(words.features, words.lengths)  # (words, labels)
        ids = words.scatter(logits.argmax(axis=1))  # one (tokens,) array per Doc

    Attributes:
        features: (words, attributes) uint64, the requested lexical attributes.
        lengths: (sentences,) words per sentence; none is empty.
        positions: (words,) index of each word among all tokens of the batch.
        doc_starts: (docs + 1,) index of each Doc's first token among all tokens of the batch.
    """

    features: NDArray[np.uint64]
    lengths: NDArray[np.int32]
    positions: NDArray[np.intp]
    doc_starts: NDArray[np.intp]

    @property
    def sentence_starts(self) -> NDArray[np.intp]:
        """(sentences + 1,) index of each sentence's first word."""
        return np.concatenate(([0], np.cumsum(self.lengths, dtype=np.intp)))

    @property
    def word_starts(self) -> NDArray[np.intp]:
        """(docs + 1,) index of each Doc's first word."""
        return np.searchsorted(self.positions, self.doc_starts)

    def gather(self, per_doc: Sequence[Any]) -> NDArray[Any]:
        """Turn one array per Doc, with one row per token, into one array with one row per word."""
        return np.concatenate(per_doc)[self.positions] if per_doc else np.zeros((0,))

    def scatter(self, rows: NDArray[Any], fill: float = 0) -> list[Any]:
        """Turn one row per word into one array per Doc with one row per token, `fill` at white space."""
        tokens = np.full((int(self.doc_starts[-1]), *rows.shape[1:]), fill, dtype=rows.dtype)
        tokens[self.positions] = rows
        bounds = zip(self.doc_starts[:-1], self.doc_starts[1:], strict=True)
        return [tokens[start:end] for start, end in bounds]

    def spans(
        self, word_spans: NDArray[np.intp], scores: NDArray[np.float64], labels: Sequence[str]
    ) -> list[list[ScoredSpan]]:
        """Turn spans of words into spans of each Doc's tokens.

        Example:
            words.spans(np.array([[0, 2, 0]]), np.array([0.9]), ["PER"])  # [[ScoredSpan(0, 2, "PER", 0.9)]]

        Args:
            word_spans: (spans, 3): first word, word after the last, index into `labels`.
            scores: (spans,) probabilities.
            labels: Names of the labels.

        Returns:
            The spans of each Doc, in order. White space inside a span is part of it.
        """
        order = np.argsort(word_spans[:, 0], kind="stable")
        first, last = self.positions[word_spans[order, 0]], self.positions[word_spans[order, 1] - 1]

        docs = np.searchsorted(self.doc_starts, first, side="right") - 1
        offsets = self.doc_starts[docs]
        columns = (docs, first - offsets, last + 1 - offsets, word_spans[order, 2], scores[order])

        per_doc: list[list[ScoredSpan]] = [[] for _ in range(len(self.doc_starts) - 1)]
        for doc, start, end, label, score in zip(*(column.tolist() for column in columns), strict=True):
            per_doc[doc].append(ScoredSpan(start, end, labels[label], score))
        return per_doc


def has_words(doc: Doc) -> bool:
    """Whether a Doc has any word beside white space.

    Example:
        has_words(nlp("  "))  # False
    """
    return any(not token.is_space for token in doc)


def words_of(docs: Sequence[Doc], attributes: Sequence[int]) -> Words:
    """Return the words of some Docs with lexical attributes.

    Example:
        words_of([nlp("Mara lives here.")], [LOWER, SHAPE]).features.shape  # (4, 2)

    Args:
        docs: The Docs; one without sentence boundaries is one sentence.
        attributes: The `spacy.attrs` that become the columns of `Words.features`.
    """
    columns = [IS_SPACE, SENT_START, *attributes]
    arrays: list[Any] = [doc.to_array(columns).reshape(len(doc), len(columns)) for doc in docs]
    doc_starts = np.concatenate(([0], np.cumsum([len(doc) for doc in docs], dtype=np.intp)))
    tokens = np.concatenate([np.zeros((0, len(columns)), dtype=np.uint64), *arrays])
    positions = np.flatnonzero(tokens[:, 0] == 0)
    return Words(
        features=tokens[positions, 2:],
        lengths=_sentence_lengths(tokens[:, 1] == 1, doc_starts, positions),
        positions=positions,
        doc_starts=doc_starts,
    )


def strings_of(
    docs: Sequence[Doc], words: Words, first: NDArray[np.intp], keys: NDArray[np.uint64]
) -> list[str]:
    """Return the strings of attributes' keys, each from the Doc of the `first` word that has it.

    Example:
        keys, first = np.unique(words.features[:, 0], return_index=True)
        strings_of(docs, words, first, keys)
    """
    owners = np.searchsorted(words.doc_starts, words.positions[first], side="right") - 1
    stores = [doc.vocab.strings for doc in docs]
    return [stores[owner][key] for owner, key in zip(owners.tolist(), keys.tolist(), strict=True)]


def _sentence_lengths(
    starts: NDArray[np.bool_], doc_starts: NDArray[np.intp], positions: NDArray[np.intp]
) -> NDArray[np.int32]:
    starts[doc_starts[:-1][np.diff(doc_starts) > 0]] = True
    # A sentence that begins with white space begins at its first word.
    sentence_of_word = np.cumsum(starts)[positions]
    lengths = np.bincount(sentence_of_word)
    return lengths[lengths > 0].astype(np.int32)
