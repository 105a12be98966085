"""A tokenizer at blanks, and tokenizers that each break a promise."""

from __future__ import annotations

import re

from spacy.tokens import Doc
from spacy.vocab import Vocab


class Blanks:
    """Cuts after and before every run of white space."""

    def __init__(self, lang):
        self.vocab = Vocab()

    def __call__(self, text):
        words = self.words(text)
        return Doc(self.vocab, words=words, spaces=[False] * len(words))

    def words(self, text):
        return re.findall(r"\S+|\s+", text)


class LosesBlanks(Blanks):
    def words(self, text):
        return text.split()


class VocabEach(Blanks):
    def __call__(self, text):
        self.vocab = Vocab()
        return super().__call__(text)


class KeepsKeys(Blanks):
    """Keeps the keys of strings that are forgotten when a memory zone ends."""

    def __init__(self, lang):
        super().__init__(lang)
        self.seen = {}

    def words(self, text):
        if text not in self.seen:
            self.seen[text] = [self.vocab.strings.add(word) for word in super().words(text)]
        return [self.vocab.strings[key] for key in self.seen[text]]


class RemembersTheLast(Blanks):
    """Takes what follows a text of blanks for one word."""

    last = ""

    def words(self, text):
        after_blanks, self.last = self.last.isspace(), text
        return [text] * bool(text) if after_blanks else super().words(text)
