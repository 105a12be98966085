from __future__ import annotations

import numpy as np
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from glossator.ml.feature_table import FeatureTable
from glossator.ml.phrase_features import named_phrases, phrase_hashes
from glossator.ml.token_features import OFFSETS, TokenFeatures, is_pair, neighbours, vectors_around
from glossator.ml.word_features import affix_hashes, outline_of
from glossator.ml.words import words_of

NLP = spacy.blank("en")
words = st.lists(st.sampled_from(["Oslo", "oslo", "is", "a", "2026", "\u00c5", "\n"]), max_size=7)


def doc_of(tokens: list[str]) -> Doc:
    return Doc(NLP.vocab, words=tokens)


@given(st.lists(words, max_size=4))
@settings(deadline=None)
def test_features_do_not_depend_on_the_other_documents_or_white_space(batch):
    docs = [doc_of(tokens) for tokens in batch]
    table = FeatureTable.of(TokenFeatures.of(docs).named())
    together = TokenFeatures.of(docs).rows(table)
    alone = [
        TokenFeatures.of([doc_of([token for token in tokens if token != "\n"])]).rows(table)
        for tokens in batch
    ]
    if together.size:
        np.testing.assert_array_equal(together, np.concatenate([rows for rows in alone if rows.size]))


@given(words)
@settings(deadline=None)
def test_every_feature_of_the_training_data_is_known_but_rare_pairs(tokens):
    features = TokenFeatures.of([doc_of(tokens)])
    named = features.named()
    table = FeatureTable.of(named)
    rows = features.rows(table)
    around = np.stack([neighbours(features.index, features.words.lengths, OFFSETS, fill=-1)])[0]
    for word, numbers in enumerate(rows[:, :-2]):
        known = [table.names[number] for number in numbers if number < len(table)]
        edges = int((around[:, word] < 0).sum())
        assert len(known) == len(numbers) - missing_slots(around[:, word]), (known, edges)
    assert all(is_pair(table.names[number]) for number in rows[:, -2:].ravel() if number < len(table))


def missing_slots(around: np.ndarray) -> int:
    """The edge of a sentence has one feature where a word has several."""
    from glossator.ml.token_features import TEMPLATES

    return sum(
        len(columns) - 1 for columns, place in zip(TEMPLATES.values(), around, strict=True) if place < 0
    )


def test_names_say_what_a_feature_is():
    docs = [doc_of(["New", "York", "is", "new"]), doc_of(["new", "york"])]
    names = set(TokenFeatures.of(docs).named().values())
    assert {"word=York", "lower=york", "shape=Xxxx", "outline=Xx", "prefix=Yo", "suffix=rk"} <= names
    assert {"lower[-1]=new", "shape[+1]=Xxxx", "lower[+2]=is", "suffix[-1]=New", "edge[-1]"} <= names
    assert {"pair=new york", "pair[+1]=new york"} <= names
    assert "pair=york is" not in names, "pairs that were met once are left out"


@given(st.lists(st.integers(1, 4), max_size=5), st.lists(st.integers(-3, 3), min_size=1, max_size=4))
def test_neighbours_stay_in_their_sentence(lengths, offsets):
    index = np.arange(10, 10 + sum(lengths))
    found = neighbours(index, np.asarray(lengths, dtype=np.int32), offsets, fill=-1)
    first = 0
    for length in lengths:
        for word in range(length):
            for row, offset in zip(found, offsets, strict=True):
                inside = 0 <= word + offset < length
                assert row[first + word] == (index[first + word + offset] if inside else -1)
        first += length


@given(st.lists(st.text(max_size=6), max_size=6))
def test_affixes_are_equal_where_their_characters_are(strings):
    columns = affix_hashes(strings)
    for size in range(1, 5):
        prefixes, suffixes = columns[size - 1].tolist(), columns[4 + size - 1].tolist()
        for i, first in enumerate(strings):
            for j, second in enumerate(strings):
                # Shorter words count as ending there; a null character is as good as the end.
                same = first[:size].rstrip("\0") == second[:size].rstrip("\0")
                assert (prefixes[i] == prefixes[j]) == same
                ends = [string[::-1][:size].rstrip("\0") for string in (first, second)]
                assert (suffixes[i] == suffixes[j]) == (ends[0] == ends[1])


def test_vectors_around_stay_in_their_sentence():
    vectors = np.array([[1.0], [2.0], [3.0]])
    assert vectors_around(vectors, np.array([2, 1])).tolist() == [[0, 1, 2], [1, 2, 0], [0, 3, 0]]
    assert vectors_around(np.zeros((0, 2)), np.array([], dtype=int)).shape == (0, 6)


def test_outlines():
    assert outline_of("dddd-dd") == "d-d"
    assert outline_of("XxxxX") == "XxX"


def test_phrases_tell_first_words_from_later_ones():
    doc = doc_of(["New", "\n", "York", "is", "new"])
    found = phrase_hashes([[(0, 3, "LOC"), (4, 5, "X")]], words_of([doc], []), ["LOC", "X"])
    names = named_phrases(["LOC", "X"])
    assert [[names.get(int(key), "") for key in row] for row in found] == [
        ["phrase=LOC (first word)", ""],
        ["phrase=LOC (later word)", ""],
        ["", ""],
        ["", "phrase=X (first word)"],
    ]
