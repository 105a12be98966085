"""The words of Docs as arrays: what turns a batch of Docs into numbers and puts results back.

White-space tokens exist in raw text and never in gold data, so they are left out on the way in and
get nothing on the way back. There is no Python loop over tokens here.
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

    Attributes:
        features: (words, attributes) uint64, the lexical attributes asked for.
        lengths: (sentences,) words in each sentence; none is empty.
        positions: (words,) where each word stands among all tokens of the batch, end to end.
        doc_starts: (docs + 1,) where each Doc's tokens begin among all tokens of the batch.
    """

    features: NDArray[np.uint64]
    lengths: NDArray[np.int32]
    positions: NDArray[np.intp]
    doc_starts: NDArray[np.intp]

    @property
    def sentence_starts(self) -> NDArray[np.intp]:
        """(sentences + 1,) where each sentence begins among the words."""
        return np.concatenate(([0], np.cumsum(self.lengths, dtype=np.intp)))

    @property
    def word_starts(self) -> NDArray[np.intp]:
        """(docs + 1,) where each Doc begins among the words."""
        return np.searchsorted(self.positions, self.doc_starts)

    def gather(self, per_doc: Sequence[Any]) -> NDArray[Any]:
        """Bring one array of a row a token for each Doc to one array of a row a word."""
        return np.concatenate(per_doc)[self.positions] if per_doc else np.zeros((0,))

    def scatter(self, rows: NDArray[Any], fill: float = 0) -> list[Any]:
        """Bring rows of words back to the Docs: an array for each, `fill` at white-space tokens."""
        tokens = np.full((int(self.doc_starts[-1]), *rows.shape[1:]), fill, dtype=rows.dtype)
        tokens[self.positions] = rows
        bounds = zip(self.doc_starts[:-1], self.doc_starts[1:], strict=True)
        return [tokens[start:end] for start, end in bounds]

    def spans(
        self, found: NDArray[np.intp], scores: NDArray[np.float64], labels: Sequence[str]
    ) -> list[list[ScoredSpan]]:
        """Bring spans of words back to the Docs, counted in tokens of each.

        Args:
            found: (spans, 3): first word, word after the last, index into `labels`.
            scores: (spans,) probabilities.
            labels: Names of the labels.

        Returns:
            The spans of each Doc, in order. White space inside a span is part of it.
        """
        order = np.argsort(found[:, 0], kind="stable")
        first, last = self.positions[found[order, 0]], self.positions[found[order, 1] - 1]
        docs = np.searchsorted(self.doc_starts, first, side="right") - 1
        offsets = self.doc_starts[docs]
        columns = (docs, first - offsets, last + 1 - offsets, found[order, 2], scores[order])
        per_doc: list[list[ScoredSpan]] = [[] for _ in range(len(self.doc_starts) - 1)]
        for doc, start, end, label, score in zip(*(column.tolist() for column in columns), strict=True):
            per_doc[doc].append(ScoredSpan(start, end, labels[label], score))
        return per_doc


def words_of(docs: Sequence[Doc], attributes: Sequence[int]) -> Words:
    """Return the words of some Docs with the given `spacy.attrs`, e.g. [LOWER, SHAPE].

    A Doc that says nothing of sentences is one sentence.
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


def _sentence_lengths(
    starts: NDArray[np.bool_], doc_starts: NDArray[np.intp], positions: NDArray[np.intp]
) -> NDArray[np.int32]:
    starts[doc_starts[:-1][np.diff(doc_starts) > 0]] = True
    # A sentence that begins with white space begins at its first word.
    sentence_of_word = np.cumsum(starts)[positions]
    lengths = np.bincount(sentence_of_word)
    return lengths[lengths > 0].astype(np.int32)
