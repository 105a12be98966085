"""A corpus for training, tokenized once and stored on disk as word ids, so that epochs only read it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from spacy.attrs import ORTH

from glossator.ml.batching import batch_by_words
from glossator.ml.words import words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc

    from glossator.stages import BoundedTokenizer

# gensim silently ignores the rest of a longer sentence.
MAX_SENTENCE_LENGTH = 10_000
_SENTENCE_BATCH_SIZE = 4096
_WORD_BATCH_SIZE = 20_000


class TokenizedCorpus:
    """Sentences on disk; iterating yields each as a list of words, any number of times.

    Example:
        corpus = TokenizedCorpus(folder)
        corpus.add(["The mill stands still."], plugins.make("tokenizer", "spacy", {"lang": "en"}))
        list(corpus)  # [["The", "mill", "stands", "still", "."]]

    Args:
        folder: An existing folder for its two files.

    Attributes:
        sentences: Number of sentences.
        words: Number of words in all sentences.
    """

    def __init__(self, folder: Path) -> None:
        self._words_file = folder / "words.int32"
        self._lengths_file = folder / "lengths.int32"
        self._ids: dict[str, int] = {}
        self._tally = np.zeros(0, dtype=np.int64)
        self.sentences = 0
        self.words = 0

    @property
    def counts(self) -> dict[str, int]:
        """The count of each word, in the order of first occurrence."""
        return dict(zip(self._ids, self._tally.tolist(), strict=False))

    def add(
        self,
        texts: Iterable[str],
        tokenizer: BoundedTokenizer,
        on_words: Callable[[int], None] = lambda words: None,
    ) -> None:
        """Tokenize texts and append their sentences, without white-space tokens.

        Args:
            texts: Texts, each small enough to fit into one Doc.
            tokenizer: The tokenizer; its cache of words is cleared between batches.
            on_words: Called with the number of words so far.
        """
        docs = ((doc, max(len(doc), 1)) for doc in map(tokenizer, texts))
        with ExitStack() as files:
            words_file = files.enter_context(self._words_file.open("ab"))
            lengths_file = files.enter_context(self._lengths_file.open("ab"))
            for group in batch_by_words(docs, _WORD_BATCH_SIZE):
                ids, lengths = self._encode(group)
                words_file.write(ids.tobytes())
                lengths_file.write(lengths.tobytes())
                self.words += len(ids)
                self.sentences += len(lengths)
                on_words(self.words)
                tokenizer.forget_words()

    def __iter__(self) -> Iterator[list[str]]:
        """Yield the sentences."""
        return chain.from_iterable(self.blocks())

    def blocks(self) -> Iterator[list[list[str]]]:
        """Yield the sentences in lists of some thousands."""
        if not self.words:
            return
        names = np.asarray(list(self._ids), dtype=object)
        ids: Any = np.memmap(self._words_file, dtype=np.int32, mode="r")
        lengths: Any = np.memmap(self._lengths_file, dtype=np.int32, mode="r")
        start = 0
        for first in range(0, len(lengths), _SENTENCE_BATCH_SIZE):
            ends = np.cumsum(lengths[first : first + _SENTENCE_BATCH_SIZE]).tolist()
            words = names[ids[start : start + ends[-1]]].tolist()
            yield [words[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
            start += len(words)

    def _encode(self, docs: Sequence[Doc]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the ids of the Docs' words and the lengths of their sentences; count the words."""
        words = words_of(docs, [ORTH])
        keys, first, inverse, counts = np.unique(
            words.features[:, 0], return_index=True, return_inverse=True, return_counts=True
        )
        doc_of = np.searchsorted(words.word_starts, first, side="right") - 1
        ids = np.zeros(len(keys), dtype=np.int32)
        for i in np.argsort(first).tolist():  # new words get ids in the order of the text
            word = docs[doc_of[i]].vocab.strings[int(keys[i])]
            ids[i] = self._ids.setdefault(word, len(self._ids))
        self._count(ids, counts)
        return ids[inverse], _cut(words.lengths)

    def _count(self, ids: NDArray[np.int32], counts: NDArray[np.intp]) -> None:
        if len(self._ids) > len(self._tally):
            room = np.zeros(2 * len(self._ids) - len(self._tally), dtype=np.int64)
            self._tally = np.concatenate([self._tally, room])
        self._tally[ids] += counts


def _cut(lengths: NDArray[np.int32]) -> NDArray[np.int32]:
    """Split sentences that are too long for gensim."""
    if not len(lengths) or lengths.max() <= MAX_SENTENCE_LENGTH:
        return lengths
    pieces: list[int] = []
    for length in lengths.tolist():
        whole, rest = divmod(length, MAX_SENTENCE_LENGTH)
        pieces += [MAX_SENTENCE_LENGTH] * whole + ([rest] if rest else [])
    return np.asarray(pieces, dtype=np.int32)
