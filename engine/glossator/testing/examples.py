"""Eight sentences, annotated on every layer: few enough for any stage to memorize."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spacy.tokens import Doc, Span
from spacy.training import Example

from glossator.annotations.layer import Layer

if TYPE_CHECKING:
    from glossator.stages import Tokenizer


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence.

    Attributes:
        words: Its tokens, separated by blanks.
        tags: One fine-grained tag per token.
        pos: One universal part of speech per token.
        names: Its entities and their labels.
        topic: Its only category among `TOPICS`.
        subjects: Its categories among `SUBJECTS`, any number of them.
    """

    words: str
    tags: str
    pos: str
    names: dict[str, str]
    topic: str
    subjects: frozenset[str]


TOPICS = ("food", "people", "travel", "weather")
SUBJECTS = ("names", "places", "times")

_SENTENCES = (
    _Sentence(
        "Mara Lind lives in Oslo .",
        "NNP NNP VBZ IN NNP .",
        "PROPN PROPN VERB ADP PROPN PUNCT",
        {"Mara Lind": "PERSON", "Oslo": "PLACE"},
        "people",
        frozenset({"names", "places"}),
    ),
    _Sentence(
        "The bakery in Turin sells warm bread .",
        "DT NN IN NNP VBZ JJ NN .",
        "DET NOUN ADP PROPN VERB ADJ NOUN PUNCT",
        {"Turin": "PLACE"},
        "food",
        frozenset({"places"}),
    ),
    _Sentence(
        "Halvor drank cold tea .",
        "NNP VBD JJ NN .",
        "PROPN VERB ADJ NOUN PUNCT",
        {"Halvor": "PERSON"},
        "food",
        frozenset({"names"}),
    ),
    _Sentence(
        "Acorn Rail opened a station at noon .",
        "NNP NNP VBD DT NN IN NN .",
        "PROPN PROPN VERB DET NOUN ADP NOUN PUNCT",
        {"Acorn Rail": "COMPANY", "noon": "TIME"},
        "travel",
        frozenset({"names", "times"}),
    ),
    _Sentence(
        "Trains were late again .",
        "NNS VBD JJ RB .",
        "NOUN AUX ADJ ADV PUNCT",
        {},
        "travel",
        frozenset(),
    ),
    _Sentence(
        "It rained and they waited .",
        "PRP VBD CC PRP VBD .",
        "PRON VERB CCONJ PRON VERB PUNCT",
        {},
        "weather",
        frozenset(),
    ),
    _Sentence(
        "Nadia Brook manages Silverleaf Bank .",
        "NNP NNP VBZ NNP NNP .",
        "PROPN PROPN VERB PROPN PROPN PUNCT",
        {"Nadia Brook": "PERSON", "Silverleaf Bank": "COMPANY"},
        "people",
        frozenset({"names"}),
    ),
    _Sentence(
        "Snow fell on Quito in June !",
        "NN VBD IN NNP IN NNP .",
        "NOUN VERB ADP PROPN ADP PROPN PUNCT",
        {"Quito": "PLACE", "June": "TIME"},
        "weather",
        frozenset({"places", "times"}),
    ),
)

TEXTS = tuple(" ".join(sentence.words.split()[:-1]) + sentence.words[-1] for sentence in _SENTENCES)


def eight_examples(tokenizer: Tokenizer, layer: Layer, *, exclusive: bool) -> list[Example]:
    """Return the examples with gold annotations on one layer.

    Example:
        examples = eight_examples(pipeline.tokenizer, ENTS, exclusive=True)

    Args:
        tokenizer: Makes the Docs to predict on.
        layer: The layer.
        exclusive: For "cats", whether each Doc has exactly one category.
    """
    pairs = zip(_SENTENCES, TEXTS, strict=True)
    return [
        Example(tokenizer(text), _reference(tokenizer(text), sentence, layer, exclusive))
        for sentence, text in pairs
    ]


def wrong_answers(
    docs: Sequence[Doc], examples: Sequence[Example], layer: Layer, exclusive: bool
) -> list[str]:
    """Return the texts of the Docs whose annotations differ from the examples' gold.

    Example:
        wrong_answers(list(pipeline.pipe(TEXTS)), examples, ENTS, exclusive=True)
    """
    return [
        doc.text
        for doc, example in zip(docs, examples, strict=True)
        if _annotations(doc, layer, exclusive) != _annotations(example.reference, layer, exclusive)
    ]


def _reference(doc: Doc, sentence: _Sentence, layer: Layer, exclusive: bool) -> Doc:
    if layer.kind == "tag":
        _set_tags(doc, "tag_", sentence.tags)
    elif layer.kind == "pos":
        _set_tags(doc, "pos_", sentence.pos)
    elif layer.is_categories:
        categories = {sentence.topic} if exclusive else sentence.subjects
        doc.cats = {label: float(label in categories) for label in (TOPICS if exclusive else SUBJECTS)}
    else:
        spans = [_span(doc, name, label) for name, label in sentence.names.items()]
        if layer.kind == "ents":
            doc.set_ents(spans)
        else:
            doc.spans[layer.key] = spans
    return doc


def _span(doc: Doc, name: str, label: str) -> Span:
    start = doc.text.index(name)
    span = doc.char_span(start, start + len(name), label=label, alignment_mode="expand")
    assert span is not None, f"{name!r} is inside {doc.text!r}"
    return span


def _set_tags(doc: Doc, attribute: str, tags: str) -> None:
    for token, tag in zip(doc, tags.split(), strict=True):
        setattr(token, attribute, tag)


def _annotations(doc: Doc, layer: Layer, exclusive: bool) -> Any:
    if layer.kind == "tag":
        return [token.tag_ for token in doc]
    if layer.kind == "pos":
        return [token.pos_ for token in doc]
    if layer.is_categories:
        return _categories(doc.cats, exclusive)
    spans = layer.spans(doc)
    return {(span.start, span.end, span.label_) for span in spans}


def _categories(cats: dict[str, float], exclusive: bool) -> set[str]:
    if exclusive:
        return {max(cats, key=lambda label: cats[label])}
    return {label for label, value in cats.items() if value > 0.5}
