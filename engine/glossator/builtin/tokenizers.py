"""Tokenizers: spaCy's own for any of its languages, and one that splits at white space."""

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

# They take about 80 MB; the novels of a century have half as many words.
MOST_LEXEMES = 100_000


class SpacyTokenizer:
    """spaCy's tokenizer of a language.

    Example:
        [token.text for token in SpacyTokenizer("en")("It's late.")]  # ["It", "'s", "late", "."]

    Args:
        lang: A spaCy language code; "xx" for any language.
        sentences: "rules": sentences end after full stops and the like, by spaCy's sentencizer; "lines": one
            sentence per line; "none": a text is one sentence.
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
        """Replace the vocab by an empty one if it holds many words."""
        self._language.forget_words()


class WhitespaceTokenizer:
    """Splits at white space, for text that is tokenized already.

    Example:
        [token.text for token in WhitespaceTokenizer("en")("It 's late .")]  # ["It", "'s", "late", "."]

    Args:
        lang: A spaCy language code; it decides how lexical attributes are computed.
        sentences: As in `SpacyTokenizer`.
    """

    def __init__(self, lang: str, sentences: str = "lines") -> None:
        self._language = _BoundedLanguage(lang)
        self._split = _sentence_splitter(sentences)

    def __call__(self, text: str) -> Doc:
        """Split at white space; more than a single blank becomes a token, so that `doc.text` is the text."""
        pieces = re.findall(r"(\S+)( ?)|(\s+)", text)
        doc = Doc(
            self._language.nlp.vocab,
            words=[word or gap for word, _, gap in pieces],
            spaces=[bool(blank) for _, blank, _ in pieces],
        )
        self._split(doc)
        return doc

    def forget_words(self) -> None:
        """Replace the vocab by an empty one if it holds many words."""
        self._language.forget_words()


class _BoundedLanguage:
    """A blank spaCy language that is replaced by a new one once its vocab holds many words.

    spaCy's memory zones would bound the vocab, too, but they forget every word at once and cache none, so
    that frequent words are split and looked up again and again.
    """

    def __init__(self, lang: str) -> None:
        self._lang = lang
        self.nlp = _blank(lang)

    def forget_words(self) -> None:
        if len(self.nlp.vocab) > MOST_LEXEMES:
            self.nlp = _blank(self._lang)
            gc.collect()  # reference cycles keep the old one alive


def _blank(lang: str) -> Language:
    try:
        language = spacy.blank(lang)
    except ImportError as error:
        raise ConfigError(f"lang = {lang!r}: {error}") from None
    tokenizer: Any = language.tokenizer
    if hasattr(tokenizer, "max_cache_size"):  # Chinese, Japanese and others have tokenizers of their own
        tokenizer.max_cache_size = MOST_LEXEMES  # by default 10,000 words
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
    """Start a sentence at the first word after each line break."""
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
