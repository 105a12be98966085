"""Tokenizers: spaCy's own for any of its languages, and white space alone."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import spacy
from spacy.attrs import IS_SPACE, ORTH, SENT_START
from spacy.pipeline import Sentencizer
from spacy.tokens import Doc

from glossator.errors import ConfigError

if TYPE_CHECKING:
    from spacy.language import Language

# They take about 80 MB; the novels of a century have half as many.
MOST_LEXEMES = 100_000


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
        self._split(doc)
        return doc

    def forget_words(self) -> None:
        """Go on with a vocab that knows no words, if this one knows many."""
        self._language.forget_words()


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
        self._split(doc)
        return doc

    def forget_words(self) -> None:
        """Go on with a vocab that knows no words, if this one knows many."""
        self._language.forget_words()


class _BoundedLanguage:
    """A blank spaCy language that can be made anew once it knows many words.

    spaCy's memory zones would bound it too, but forget every word at once and cache none, so that
    the words people use again and again are split and looked up again and again.
    """

    def __init__(self, lang: str) -> None:
        self._lang = lang
        self.nlp = _blank(lang)

    def forget_words(self) -> None:
        if len(self.nlp.vocab) > MOST_LEXEMES:
            self.nlp = _blank(self._lang)
            gc.collect()  # the old one lives on in reference cycles


def _blank(lang: str) -> Language:
    try:
        language = spacy.blank(lang)
    except ImportError as error:
        raise ConfigError(f"lang = {lang!r}: {error}") from None
    tokenizer: Any = language.tokenizer
    if hasattr(tokenizer, "max_cache_size"):  # Chinese, Japanese and others have tokenizers of their own
        tokenizer.max_cache_size = MOST_LEXEMES  # it remembers how 10,000 words are split, unless told
    return language


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
