"""Faults of labelled data are found, counted and placed; good data has none."""

from __future__ import annotations

import pytest
import spacy
from spacy.training import Example

from glossator.annotations.layer import CATS, ENTS
from glossator.data.examples import SOURCE
from glossator.data.faults import find_faults

NLP = spacy.blank("en")


def classified(text: str, label: str, place: tuple[str, int] = ("", 0)) -> Example:
    gold = NLP.make_doc(text)
    gold.cats = {label: 1.0}
    gold.user_data[SOURCE] = place
    return Example(NLP.make_doc(text), gold)


def sentence(text: str, *labels: str) -> Example:
    gold = NLP.make_doc(text)
    gold.ents = [spacy.tokens.Span(gold, i, i + 1, label) for i, label in enumerate(labels) if label]
    return Example(NLP.make_doc(text), gold)


def sets(train: int = 40, dev: int = 40) -> tuple[list[Example], list[Example]]:
    return (
        [classified(f"train {i}", "ab"[i % 2], ("train.jsonl", i + 1)) for i in range(train)],
        [classified(f"dev {i}", "ab"[i % 2], ("dev.jsonl", i + 1)) for i in range(dev)],
    )


def test_good_data_has_no_faults():
    train, dev = sets()
    assert find_faults(train, dev, CATS) == []
    assert find_faults(train, [], CATS) == []


def test_texts_of_both_sets():
    train, dev = sets()
    dev[3:5] = [classified("train 7 ", "b", ("dev.jsonl", 4)), classified("train 8", "a", ("dev.jsonl", 5))]
    [fault] = find_faults(train, dev, CATS)
    assert "in the training set, too: 2 of 40 (dev.jsonl:4, dev.jsonl:5)" in fault
    assert "remove them" in fault


def test_texts_with_two_annotations():
    train, dev = sets()
    train[5:7] = [classified("train 7", "a", ("t", 1)), classified("train 7", "a", ("t", 2))]
    [fault] = find_faults(train, dev, CATS)
    assert "a text has one annotation in one place and another elsewhere: t:1 and train.jsonl:8" in fault
    # A repetition with the same annotation is no fault of the training set.
    assert find_faults([*train[:7], *train[8:]], dev, CATS) == []


def test_spans_in_other_places_are_other_annotations():
    train = [sentence("Ana met Lee", "PER"), sentence("Ana met Lee", "", "", "PER")]
    faults = find_faults(train, [], ENTS)
    assert len(faults) == 1
    assert "'Ana met Lee' and 'Ana met Lee'" in faults[0]
    assert find_faults([train[0], train[0]], [], ENTS) == []


def test_labels_of_one_document():
    train, dev = sets()
    train += [classified(f"rare {i}", f"rare{i}") for i in range(7)]
    [fault] = find_faults(train, dev, CATS)
    assert fault.startswith(
        "labels with a single training document: rare0, rare1, rare2, rare3, rare4 and 2 more;"
    )


@pytest.mark.parametrize(
    ("exclusive", "effect"), [(True, "their documents count as out of scope"), (False, "they are ignored")]
)
def test_categories_of_the_dev_set_alone(exclusive, effect):
    train, dev = sets()
    dev += [classified("more", "snow"), classified("and more", "rain"), classified("still more", "snow")]
    [fault] = find_faults(train, dev, CATS, exclusive=exclusive)
    assert fault == f"labels of the dev set alone: snow (2), rain (1); {effect}"
    train[0].reference.cats = {"a": 1.0, "snow": 0.0, "rain": 0.0}  # that they do not hold can be learned
    assert find_faults(train, dev, CATS, exclusive=exclusive) == []


def test_spans_of_the_dev_set_alone():
    train = [sentence(f"Ana {i}", "PER") for i in range(3)]
    dev = [sentence(f"Oslo {i}", "LOC") for i in range(25)]
    assert find_faults(train, dev, ENTS) == [
        "labels of the dev set alone: LOC (25); they are never predicted"
    ]


def test_texts_without_words():
    train, dev = sets()
    train[:4] = [classified(" " * i, "ab"[i % 2], ("train.jsonl", i + 1)) for i in range(4)]
    dev[0] = classified("\n", "a", ("dev.jsonl", 1))
    [fault] = find_faults(train, dev, CATS)  # and they are not each other's repetitions
    places = "train.jsonl:1, train.jsonl:2, train.jsonl:3 and 2 more"
    assert fault == f"5 documents without any word, skipped: {places}"


def test_a_dev_set_that_is_too_small_to_calibrate_on():
    train, dev = sets(dev=19)
    [fault] = find_faults(train, dev, CATS)
    assert "a dev set of 19 documents is too small to calibrate on: no temperature is fitted" in fault
    assert find_faults(*sets(dev=20), CATS) == []
