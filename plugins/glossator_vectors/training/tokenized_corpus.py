"""A corpus for training: tokenized once, and kept on disk as numbers, so that no epoch tokenizes again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from spacy.attrs import ORTH

from glossator.batching import by_words
from glossator.words import words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc

    from glossator.builtin.tokenizers import SpacyTokenizer

# gensim leaves out what follows in a sentence, without a word.
LONGEST_SENTENCE = 10_000
_SENTENCES_AT_ONCE = 4096
_WORDS_AT_ONCE = 20_000


class TokenizedCorpus:
    """Sentences of words on disk; iterating yields each as a list of words, as often as is wanted.

    Args:
        folder: An existing folder for its two files.

    Attributes:
        sentences: How many there are.
        words: How many words they have together.
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
        """How often each word occurs, in the order of their first occurrences."""
        return dict(zip(self._ids, self._tally.tolist(), strict=False))

    def add(
        self,
        texts: Iterable[str],
        tokenizer: SpacyTokenizer,
        on_words: Callable[[int], None] = lambda words: None,
    ) -> None:
        """Tokenize texts and append their sentences; white-space tokens are left out.

        Args:
            texts: Texts, each small enough to be held as a Doc.
            tokenizer: What tokenizes; it may forget words between texts.
            on_words: Hears how many words there are so far.
        """
        docs = ((doc, max(len(doc), 1)) for doc in map(tokenizer, texts))
        with ExitStack() as files:
            words_file = files.enter_context(self._words_file.open("ab"))
            lengths_file = files.enter_context(self._lengths_file.open("ab"))
            for group in by_words(docs, _WORDS_AT_ONCE):
                ids, lengths = self._numbered(group)
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
        """Yield the sentences, some thousands at a time."""
        if not self.words:
            return
        names = np.asarray(list(self._ids), dtype=object)
        ids: Any = np.memmap(self._words_file, dtype=np.int32, mode="r")
        lengths: Any = np.memmap(self._lengths_file, dtype=np.int32, mode="r")
        start = 0
        for first in range(0, len(lengths), _SENTENCES_AT_ONCE):
            ends = np.cumsum(lengths[first : first + _SENTENCES_AT_ONCE]).tolist()
            words = names[ids[start : start + ends[-1]]].tolist()
            yield [words[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
            start += len(words)

    def _numbered(self, docs: Sequence[Doc]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the numbers of the Docs' words and the lengths of their sentences, and count the words."""
        words = words_of(docs, [ORTH])
        keys, first, at, counts = np.unique(
            words.features[:, 0], return_index=True, return_inverse=True, return_counts=True
        )
        doc_of = np.searchsorted(words.word_starts, first, side="right") - 1
        ids = np.zeros(len(keys), dtype=np.int32)
        for i in np.argsort(first).tolist():  # new words get their numbers in the order of the text
            word = docs[doc_of[i]].vocab.strings[int(keys[i])]
            ids[i] = self._ids.setdefault(word, len(self._ids))
        self._count(ids, counts)
        return ids[at], _cut(words.lengths)

    def _count(self, ids: NDArray[np.int32], counts: NDArray[np.intp]) -> None:
        if len(self._ids) > len(self._tally):
            room = np.zeros(2 * len(self._ids) - len(self._tally), dtype=np.int64)
            self._tally = np.concatenate([self._tally, room])
        self._tally[ids] += counts


def _cut(lengths: NDArray[np.int32]) -> NDArray[np.int32]:
    """Cut sentences that gensim would not read to their ends."""
    if not len(lengths) or lengths.max() <= LONGEST_SENTENCE:
        return lengths
    pieces: list[int] = []
    for length in lengths.tolist():
        whole, rest = divmod(length, LONGEST_SENTENCE)
        pieces += [LONGEST_SENTENCE] * whole + ([rest] if rest else [])
    return np.asarray(pieces, dtype=np.int32)
