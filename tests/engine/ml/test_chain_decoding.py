"""Tags and spans of whole Docs: against all label sequences of each sentence, gone through one by one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from glossator.ml.chain_decoding import Answer, Chain, decode_spans, decode_tags
from glossator.ml.span_scheme import SpanScheme
from glossator_keras.encoding.hashed_words import EncodedDocs, encode, padded_sentences

VOCAB = spacy.blank("en").vocab
SCHEMES = {
    "bio": SpanScheme.bio(("X", "Y")),
    "bioes": SpanScheme.bioes(("X",)),
}  # five labels each, so that all sequences of four words can be gone through
TEMPERATURES = (0.25, 1.0, 3.0)


@dataclass(frozen=True)
class Case:
    """Docs and the logits a network would have given each of their words, (words, labels)."""

    docs: list[Doc]
    logits: np.ndarray
    chain: Chain

    @property
    def encoded(self) -> EncodedDocs:
        return encode(self.docs)

    def answers(self, max_positions: int) -> list[Answer]:
        """The logits laid out as a network answers them, with rubbish in the padding."""
        rubbish = np.float32(77)
        return [
            (batch, np.where(batch.mask[:, :, None], self.logits[batch.positions], rubbish))
            for batch in padded_sentences(self.encoded, max_positions)
        ]


class Sentence(NamedTuple):
    """A sentence of a Doc.

    Attributes:
        doc: Which Doc.
        tokens: Where its words stand among the Doc's tokens.
        sequences: (n, words) all label sequences.
        shares: (n,) their probabilities.
    """

    doc: int
    tokens: list[int]
    sequences: np.ndarray
    shares: np.ndarray

    @property
    def best(self) -> np.ndarray:
        return self.sequences[self.shares.argmax()]


def sentences_of(docs: list[Doc]) -> list[tuple[int, list[int]]]:
    """Tell, token by token, which words make a sentence of which Doc."""
    found: list[tuple[int, list[int]]] = []
    for number, doc in enumerate(docs):
        for token in doc:
            if token.i == 0 or token.is_sent_start:
                found.append((number, []))
            if not token.is_space:
                found[-1][1].append(token.i)
    return [(number, tokens) for number, tokens in found if tokens]


def enumerated(case: Case, temperature: float) -> list[Sentence]:
    """Go through all sequences of each sentence, their potentials divided by the temperature."""
    made = []
    first = 0
    for doc, tokens in sentences_of(case.docs):
        emissions = case.logits[first : first + len(tokens)].astype(float)
        first += len(tokens)
        sequences = np.array(list(product(range(emissions.shape[1]), repeat=len(tokens))))
        potentials = emissions[np.arange(len(tokens)), sequences].sum(axis=1)
        potentials += case.chain.transitions[sequences[:, :-1], sequences[:, 1:]].sum(axis=1)
        potentials += case.chain.start[sequences[:, 0]] + case.chain.end[sequences[:, -1]]
        shares = np.exp((potentials - potentials.max()) / temperature)
        made.append(Sentence(doc, tokens, sequences, shares / shares.sum()))
    return made


def read(labels: list[str]) -> list[tuple[int, int, str]]:
    """Read the spans of a well-formed sequence of labels."""
    spans = []
    for start, label in enumerate(labels):
        if label[0] in "BS":
            inside = [f"{prefix}-{label[2:]}" for prefix in "IE"]
            end = start + 1
            while end < len(labels) and labels[end] in inside:
                end += 1
            spans.append((start, end, label[2:]))
    return spans


@st.composite
def docs(draw: st.DrawFn) -> list[Doc]:
    """Up to three Docs, with white space anywhere and sentences of up to four words."""
    made = []
    for _ in range(draw(st.integers(0, 3))):
        words, starts = [], []
        for _ in range(draw(st.integers(0, 3))):
            sentence = draw(st.lists(st.sampled_from(["ox", "ox", "\n"]), min_size=1, max_size=4))
            words += sentence
            starts += [True] + [False] * (len(sentence) - 1)
        made.append(Doc(VOCAB, words=words, sent_starts=starts if words else None))
    return made


def random_case(made: list[Doc], labels: int, seed: int, allowed: Chain | None = None) -> Case:
    generator = np.random.default_rng(seed)
    words = sum(not token.is_space for doc in made for token in doc)
    chain = Chain(*(2 * generator.normal(size=shape) for shape in ((labels, labels), labels, labels)))
    if allowed is not None:
        chain = Chain(*(one + other for one, other in zip(chain, allowed, strict=True)))
    return Case(made, 2 * generator.normal(size=(words, labels)).astype(np.float32), chain)


seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("name", SCHEMES)
@settings(max_examples=40, deadline=None)
@given(docs(), seeds, st.sampled_from(TEMPERATURES), st.integers(1, 20))
def test_spans_are_those_of_the_best_sequences_with_their_exact_posteriors(
    name, made, seed, temperature, max_positions
):
    scheme = SCHEMES[name]
    case = random_case(made, len(scheme.labels), seed, Chain.of_scheme(scheme))
    wanted: list[list[tuple[int, int, str, float]]] = [[] for _ in made]
    for sentence in enumerated(case, temperature):
        possible = sentence.shares > 0
        readings = [read([scheme.labels[i] for i in ids]) for ids in sentence.sequences[possible].tolist()]
        for span in read([scheme.labels[i] for i in sentence.best]):
            share = sum(s for s, r in zip(sentence.shares[possible], readings, strict=True) if span in r)
            start, end = sentence.tokens[span[0]], sentence.tokens[span[1] - 1] + 1
            wanted[sentence.doc].append((start, end, span[2], pytest.approx(share, abs=1e-6)))
    got = decode_spans(case.answers(max_positions), case.encoded.words, scheme, case.chain, temperature)
    assert got == wanted


@settings(max_examples=40, deadline=None)
@given(docs(), seeds, st.sampled_from(TEMPERATURES), st.integers(1, 20))
def test_tags_of_a_chain_are_those_of_the_best_sequences_with_their_marginals(
    made, seed, temperature, max_positions
):
    case = random_case(made, 4, seed)
    answers = decode_tags(case.answers(max_positions), case.encoded.words, case.chain, temperature)
    assert [len(answer.ids) for answer in answers] == [len(doc) for doc in made]
    for sentence in enumerated(case, temperature):
        answer = answers[sentence.doc]
        assert answer.ids[sentence.tokens].tolist() == sentence.best.tolist()
        agree = sentence.sequences == sentence.best
        marginals = (sentence.shares[:, None] * agree).sum(axis=0)
        assert answer.probabilities[sentence.tokens] == pytest.approx(marginals, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(docs(), seeds, st.sampled_from(TEMPERATURES), st.integers(1, 20))
def test_tags_without_a_chain_are_a_softmax_at_each_word(made, seed, temperature, max_positions):
    case = random_case(made, 4, seed)
    answers = decode_tags(case.answers(max_positions), case.encoded.words, None, temperature)
    shares = np.exp(case.logits.astype(float) / temperature)
    shares /= shares.sum(axis=1, keepdims=True)
    words = [(answers[doc], token) for doc, tokens in sentences_of(made) for token in tokens]
    assert [answer.ids[token] for answer, token in words] == case.logits.argmax(axis=1).tolist()
    probabilities = [answer.probabilities[token] for answer, token in words]
    assert probabilities == pytest.approx(shares.max(axis=1), abs=1e-5)


@pytest.mark.parametrize("name", SCHEMES)
def test_a_scheme_alone_forbids_and_prefers_nothing(name):
    scheme = SCHEMES[name]
    case = Case([], np.zeros((0, len(scheme.labels))), Chain.of_scheme(scheme))
    doc = Doc(VOCAB, words=["ox"] * 3)
    [sentence] = enumerated(Case([doc], np.zeros((3, len(scheme.labels))), case.chain), 1.0)
    for ids, share in zip(sentence.sequences.tolist(), sentence.shares, strict=True):
        spans = read([scheme.labels[i] for i in ids])
        if scheme.encode(spans, 3).tolist() == ids:  # it says what its spans say: well-formed
            assert share == sentence.shares.max()
        else:
            assert share == 0


def test_where_no_sentence_has_a_span_there_is_none():
    scheme = SCHEMES["bio"]
    doc = Doc(VOCAB, words=["ox", "\n", "ox"], sent_starts=[True, False, True])
    outside = np.zeros((2, len(scheme.labels)), dtype=np.float32)
    outside[:, 0] = 9
    for made, logits in (([doc], outside), ([], outside[:0]), ([Doc(VOCAB)], outside[:0])):
        case = Case(made, logits, Chain.of_scheme(scheme))
        spans = decode_spans(case.answers(10), case.encoded.words, scheme, case.chain, 1.0)
        assert spans == [[] for _ in made]


def test_only_some_sentences_of_a_batch_have_spans():
    scheme = SCHEMES["bioes"]
    doc = Doc(VOCAB, words=["ox"] * 6, sent_starts=[True, False, True, False, True, False])
    logits = np.zeros((6, len(scheme.labels)), dtype=np.float32)
    logits[:, 0] = 3
    logits[[2, 3], [scheme.labels.index("B-X"), scheme.labels.index("E-X")]] = 6
    logits[5, scheme.labels.index("S-X")] = 4
    case = Case([doc], logits, Chain.of_scheme(scheme))
    [spans] = decode_spans(case.answers(10), case.encoded.words, scheme, case.chain, 1.0)
    assert [(span.start, span.end, span.label) for span in spans] == [(2, 4, "X"), (5, 6, "X")]
    assert spans[0].score > spans[1].score > 0.5
