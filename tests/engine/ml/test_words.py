from __future__ import annotations

import numpy as np
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.attrs import LOWER, SHAPE, SUFFIX
from spacy.tokens import Doc

from glossator.ml.words import words_of
from glossator.stages import ScoredSpan

VOCAB = spacy.blank("en").vocab
TOKENS = st.sampled_from(["Anna", "saw", "a", "14", "Ünal", "\n", "  ", "\t\n"])


@st.composite
def docs(draw: st.DrawFn) -> Doc:
    words = draw(st.lists(TOKENS, max_size=9))
    if draw(st.booleans()) or not words:
        return Doc(VOCAB, words=words)
    starts = draw(st.lists(st.sampled_from([True, False, None]), min_size=len(words), max_size=len(words)))
    return Doc(VOCAB, words=words, sent_starts=starts)


def naive_sentences(doc: Doc) -> list[list[int]]:
    """Words of each sentence, token by token."""
    sentences: list[list[int]] = []
    for token in doc:
        if token.i == 0 or token.is_sent_start:
            sentences.append([])
        if not token.is_space:
            sentences[-1].append(token.i)
    return [sentence for sentence in sentences if sentence]


batches = st.lists(docs(), max_size=4)


@settings(deadline=None)
@given(batches)
def test_words_are_the_tokens_that_are_not_space_cut_into_sentences(batch):
    words = words_of(batch, [LOWER, SHAPE, SUFFIX])
    tokens = [token for doc in batch for token in doc]
    kept = [i for i, token in enumerate(tokens) if not token.is_space]
    assert words.positions.tolist() == kept
    assert words.features.dtype == np.uint64
    assert words.features.tolist() == [[tokens[i].lower, tokens[i].shape, tokens[i].suffix] for i in kept]
    sentences = [sentence for doc in batch for sentence in naive_sentences(doc)]
    assert words.lengths.tolist() == [len(sentence) for sentence in sentences]
    assert words.sentence_starts.tolist() == np.cumsum([0, *map(len, sentences)]).tolist()
    assert words.doc_starts.tolist() == np.cumsum([0, *map(len, batch)]).tolist()
    counts = [sum(not token.is_space for token in doc) for doc in batch]
    assert words.word_starts.tolist() == np.cumsum([0, *counts]).tolist()


@settings(deadline=None)
@given(batches, st.sampled_from([(), (3,)]))
def test_what_is_gathered_scatters_back_and_space_gets_the_fill(batch, columns):
    words = words_of(batch, [])
    generator = np.random.default_rng(0)
    per_doc = [generator.normal(size=(len(doc), *columns)) for doc in batch]
    rows = words.gather(per_doc)
    assert len(rows) == len(words.positions)
    back = words.scatter(rows, fill=-9)
    assert len(back) == len(batch)
    for doc, given_rows, got in zip(batch, per_doc, back, strict=True):
        is_space = np.asarray([token.is_space for token in doc], dtype=bool)
        assert got.shape == given_rows.shape
        assert np.array_equal(got[~is_space], given_rows[~is_space])
        assert (got[is_space] == -9).all()


@settings(deadline=None)
@given(batches, st.data())
def test_spans_of_words_become_spans_of_tokens_of_their_doc(batch, data):
    words = words_of(batch, [])
    wanted: list[list[ScoredSpan]] = []
    rows, scores = [], []
    for doc, begin in zip(batch, words.word_starts, strict=False):
        places = [token.i for token in doc if not token.is_space]
        firsts = data.draw(st.sets(st.sampled_from(places))) if places else set()
        found = []
        for first in sorted(firsts):
            last = data.draw(st.sampled_from(places[places.index(first) :]))
            label, score = data.draw(st.integers(0, 1)), data.draw(st.floats(0, 1))
            found.append(ScoredSpan(first, last + 1, "AB"[label], score))
            rows.append([begin + places.index(first), begin + places.index(last) + 1, label])
            scores.append(score)
        wanted.append(found)
    shuffled = data.draw(st.permutations(range(len(rows))))
    found_rows = np.asarray(rows, dtype=np.intp).reshape(-1, 3)[list(shuffled)]
    assert words.spans(found_rows, np.asarray(scores, dtype=float)[list(shuffled)], ["A", "B"]) == wanted


def test_features_do_not_depend_on_white_space_tokens():
    spaced = Doc(
        VOCAB, words=["\n", "Anna", " ", "left", "\n"], sent_starts=[True, False, False, True, False]
    )
    plain = Doc(VOCAB, words=["Anna", "left"], sent_starts=[True, True])
    first, second = words_of([spaced], [LOWER, SHAPE]), words_of([plain], [LOWER, SHAPE])
    assert np.array_equal(first.features, second.features)
    assert first.lengths.tolist() == second.lengths.tolist() == [1, 1]
