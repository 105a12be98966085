"""Data divided into parts with the same labels."""

from __future__ import annotations

from collections import Counter

import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.training import Example

from glossator.annotations.layer import CATS, ENTS
from glossator.data.folds import assign_folds, set_aside
from glossator.data.labels import labels_of

NLP = spacy.blank("en")


def classified(label: str) -> Example:
    gold = NLP.make_doc("x")
    gold.cats = {label: 1.0}
    return Example(NLP.make_doc("x"), gold)


def sentence(labels: frozenset[str]) -> Example:
    words = ["x", *sorted(labels)]
    gold = Doc(NLP.vocab, words=words, ents=["O", *(f"B-{label}" for label in sorted(labels))])
    return Example(Doc(NLP.vocab, words=words), gold)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=3, max_size=40), st.integers(3, 7), st.integers(0, 3))
def test_folds_are_of_one_size_and_hold_as_much_of_each_category(labels, folds, seed):
    examples = [classified(label) for label in labels]
    fold_of = assign_folds(examples, folds, CATS, seed=seed).tolist()
    assert fold_of == assign_folds(examples, folds, CATS, seed=seed).tolist()
    sizes = [fold_of.count(fold) for fold in range(folds)]
    assert max(sizes) - min(sizes) <= 1
    held = Counter(zip(labels, fold_of, strict=True))
    for label in set(labels):
        counts = [held[label, fold] for fold in range(folds)]
        assert max(counts) - min(counts) <= 1


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.frozensets(st.sampled_from("ABCDE"), max_size=2), min_size=1, max_size=60), st.integers(0, 3)
)
def test_what_is_set_aside_has_no_label_of_its_own(labels, seed):
    examples = [sentence(each) for each in labels]
    train, dev = set_aside(examples, 10, ENTS, seed=seed)
    assert sorted(map(id, [*train, *dev])) == sorted(map(id, examples))
    assert len(dev) <= len(examples) // 10
    known = set().union(*(labels_of(example.reference, ENTS) for example in train))
    assert known == set().union(*labels)
    again = set_aside(examples, 10, ENTS, seed=seed)[1]
    assert [id(example) for example in again] == [id(example) for example in dev]


def test_a_tenth_has_a_tenth_of_each_label():
    examples = (
        [sentence(frozenset("A"))] * 60 + [sentence(frozenset("AB"))] * 30 + [sentence(frozenset())] * 110
    )
    _, dev = set_aside(examples, 10, ENTS, seed=1)
    counts = Counter(label for example in dev for label in labels_of(example.reference, ENTS))
    assert len(dev) == 20
    assert abs(counts["A"] - 9) <= 1
    assert abs(counts["B"] - 3) <= 1
