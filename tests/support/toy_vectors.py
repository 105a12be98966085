"""What tests of word vectors share: texts, their sentences, and embedders that are ready."""

from __future__ import annotations

import spacy
from spacy.tokens import Doc

from glossator.builtin.tokenizers import SpacyTokenizer
from glossator_vectors.embedders.static import StaticVectors

TABLE = {"the": [1, 0], "The": [0, 1], "mill": [2, 2], "NOUN": [3, 1], "\u00a0": [9, 9], "Brook": [5, 5]}
TEXTS = [
    "The miller's boat left Ostrava.  It carried\nbarley, and it came back empty.",
    "",
    "   \n ",
    "Barley was dear that year! The boat did not mind: it carried what it was given.",
] * 6


def sentences():
    tokenizer = SpacyTokenizer("en")
    return [
        [token.text for token in sent if not token.is_space]
        for text in TEXTS
        for sent in tokenizer(text).sents
    ]


def wanted_sentences():
    return [sentence for sentence in sentences() if sentence]


def prepared(folder):
    stage = StaticVectors(path=folder.name)
    stage.prepare(folder.parent)
    return stage


def doc_of(*words):
    return Doc(spacy.blank("xx").vocab, words=list(words))
