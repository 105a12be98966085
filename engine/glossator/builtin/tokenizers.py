"""Tokenizers: spaCy's own for any of its languages, and white space alone."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import spacy
from spacy.attrs import IS_SPACE, ORTH, SENT_START
from spacy.pipeline import Sentencizer
from spacy.tokens import Doc

from glossator.errors import ConfigError

if TYPE_CHECKING:
    from cymem.cymem import Pool
    from spacy.language import Language


RENEWED_AFTER_WORDS = 500_000


class SpacyTokenizer:
    """spaCy's tokenizer of a language.

    Args:
        lang: spaCy's language code; "xx" for any.
        sentences: "rules": after full stops and the like, by spaCy's sentencizer; "lines": a
            sentence a line; "none": a text is one sentence.
    """

    def __init__(self, lang: str, sentences: str = "rules") -> None:
        self._language = _BoundedLanguage(lang)
        self._split = _sentence_splitter(sentences)

    def __call__(self, text: str) -> Doc:
        """Tokenize a text of any length."""
        doc: Doc = self._language.nlp.tokenizer(text)
        self._language.words_met += len(doc)
        self._split(doc)
        return doc

    def memory_zone(self, pool: Pool) -> AbstractContextManager[None]:
        """Forget the words met inside the block."""
        return self._language.memory_zone(pool)


class WhitespaceTokenizer:
    """Words are what stands between white space: for text that is tokenized already.

    Args:
        lang: spaCy's language code; it decides how lexical attributes are computed.
        sentences: As in `SpacyTokenizer`.
    """

    def __init__(self, lang: str, sentences: str = "lines") -> None:
        self._language = _BoundedLanguage(lang)
        self._split = _sentence_splitter(sentences)

    def __call__(self, text: str) -> Doc:
        """Split at white space; what is more than one blank is a token, so that the text is kept."""
        pieces = re.findall(r"(\S+)( ?)|(\s+)", text)
        doc = Doc(
            self._language.nlp.vocab,
            words=[word or gap for word, _, gap in pieces],
            spaces=[bool(blank) for _, blank, _ in pieces],
        )
        self._language.words_met += len(doc)
        self._split(doc)
        return doc

    def memory_zone(self, pool: Pool) -> AbstractContextManager[None]:
        """Forget the words met inside the block."""
        return self._language.memory_zone(pool)


class _BoundedLanguage:
    """A blank spaCy language that is made anew, between memory zones, when it has met many words.

    A zone frees the words met in it but not their places in spaCy's hash maps, which double and
    double on text with ever new words.
    """

    def __init__(self, lang: str) -> None:
        self._lang = lang
        self.nlp = _blank(lang)
        self.words_met = 0
        self._left_one_behind = False

    @contextmanager
    def memory_zone(self, pool: Pool) -> Iterator[None]:
        # Chinese, Japanese and others have tokenizers of their own, without zones.
        zone = getattr(self.nlp.tokenizer, "memory_zone", nullcontext)
        if self._left_one_behind:
            gc.collect()  # it lives on in reference cycles
            self._left_one_behind = False
        with zone(pool):
            yield
        if self.words_met >= RENEWED_AFTER_WORDS:
            self.nlp = _blank(self._lang)
            self.words_met = 0
            self._left_one_behind = True


def _blank(lang: str) -> Language:
    try:
        return spacy.blank(lang)
    except ImportError as error:
        raise ConfigError(f"lang = {lang!r}: {error}") from None


def _sentence_splitter(sentences: str) -> Callable[[Doc], object]:
    splitters: dict[str, Callable[[Doc], object]] = {
        "rules": Sentencizer(),
        "lines": _split_lines,
        "none": _split_nothing,
    }
    if sentences not in splitters:
        raise ConfigError(f"[tokenizer] sentences = {sentences!r}: use one of {', '.join(splitters)}")
    return splitters[sentences]


def _split_lines(doc: Doc) -> None:
    """Begin a sentence at the first word after each line break."""
    if not len(doc):
        return
    orth, is_space = doc.to_array([ORTH, IS_SPACE]).T
    kinds_of_space = np.unique(orth[is_space == 1])
    with_break = [key for key in kinds_of_space if "\n" in doc.vocab.strings[int(key)]]
    line_of_token = np.cumsum(np.isin(orth, np.asarray(with_break, dtype=np.uint64)))
    words = np.flatnonzero(is_space == 0)
    _, first_words = np.unique(line_of_token[words], return_index=True)
    _set_sentence_starts(doc, words[first_words])


def _split_nothing(doc: Doc) -> None:
    if len(doc):
        _set_sentence_starts(doc, np.zeros(1, dtype=np.intp))


def _set_sentence_starts(doc: Doc, tokens: np.ndarray) -> None:
    inside = np.uint64(2**64 - 1)  # spaCy's -1
    starts: Any = np.full(len(doc), inside, dtype=np.uint64)
    starts[0] = 1
    starts[tokens] = 1
    doc.from_array([SENT_START], starts)
