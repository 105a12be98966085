"""Folds of the training data: texts that were not seen, and the answers of models that did not see them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from glossator_keras.wide.folds import FOLDS, Folds, answers_of_folds, by_label, in_blocks, text_hashes

HASHES = arrays(np.uint64, st.integers(0, 60), elements=st.integers(0, 2**64 - 1))


def starts_of(texts: list) -> np.ndarray:
    return np.cumsum([0, *map(len, texts)])


@given(HASHES)
def test_texts_of_the_training_data_have_a_fold_and_others_have_none(hashes):
    folds = Folds.of(hashes, in_blocks(len(hashes)))
    assert (folds.find(hashes) < FOLDS).all()
    others = np.setdiff1d(np.arange(5, dtype=np.uint64), hashes)
    assert (folds.find(others) == FOLDS).all()


@given(HASHES)
def test_equal_texts_share_a_fold_that_does_not_depend_on_the_order_of_a_batch(hashes):
    twice = np.concatenate([hashes, hashes[::-1]])
    folds = Folds.of(twice, in_blocks(len(twice)))
    assert np.array_equal(folds.find(hashes[::-1]), folds.find(hashes)[::-1])


def test_folds_are_of_the_same_size_and_made_of_neighbours():
    found = in_blocks(8000)
    assert np.bincount(found).tolist() == [2000] * FOLDS
    assert (np.diff(found) != 0).sum() < 80  # of 8000 neighbours, few are in different folds


@given(st.integers(FOLDS, 200))
def test_a_few_texts_are_spread_over_all_folds(count):
    sizes = np.bincount(in_blocks(count), minlength=FOLDS)
    assert sizes.min() >= 1
    assert sizes.max() <= count / 2


@given(arrays(np.intp, st.integers(0, 60), elements=st.integers(0, 3)))
def test_each_label_has_its_share_in_every_fold(labels):
    folds = by_label(labels)
    for label in range(4):
        sizes = np.bincount(folds[labels == label], minlength=FOLDS)
        assert sizes.max() - sizes.min() <= 1


@given(st.lists(arrays(np.uint64, st.integers(0, 6), elements=st.integers(0, 9)), max_size=8))
def test_the_hash_of_a_text_is_that_of_the_text_alone(texts):
    together = text_hashes(np.concatenate([np.zeros(0, dtype=np.uint64), *texts]), starts_of(texts))
    alone = [int(text_hashes(text, np.array([0, len(text)]))[0]) for text in texts]
    assert together.tolist() == alone


def test_texts_of_other_words_have_other_hashes():
    hashes = text_hashes(np.arange(3000, dtype=np.uint64), np.arange(3001))
    assert len(set(hashes.tolist())) == 3000


@given(st.integers(0, 9), st.integers(1, 4), st.randoms(use_true_random=False))
def test_each_row_gets_the_answer_of_its_fold(rows, labels, random):
    stacked = np.arange(rows * FOLDS * labels, dtype=np.float32).reshape(rows, FOLDS * labels)
    folds = np.array([random.randrange(FOLDS) for _ in range(rows)], dtype=np.intp)
    got = answers_of_folds(stacked, folds)
    for row, fold in enumerate(folds.tolist()):
        assert got[row].tolist() == stacked[row, fold * labels : (fold + 1) * labels].tolist()


def test_they_are_restored_from_arrays():
    folds = Folds.of(np.arange(9, dtype=np.uint64), in_blocks(9))
    again = Folds.from_arrays(folds.to_arrays())
    assert np.array_equal(again.find(folds.hashes), folds.find(folds.hashes))
