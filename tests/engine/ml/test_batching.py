from __future__ import annotations

import numpy as np
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from glossator.ml.batching import batch_by_words, bucket_by_length, chunk_bounds, shuffled_batches

VOCAB = spacy.blank("en").vocab
SIZES = st.lists(st.integers(0, 40), max_size=60)
BOUNDS = st.integers(1, 100)


@given(SIZES, BOUNDS)
def test_consecutive_batches_keep_order_stay_in_bounds_and_are_as_few_as_greed_allows(sizes, most):
    batches = list(batch_by_words(enumerate(sizes), most))
    assert [item for batch in batches for item in batch] == list(range(len(sizes)))
    totals = [sum(sizes[item] for item in batch) for batch in batches]
    for batch, total, following in zip(batches, totals, [*batches[1:], None], strict=False):
        assert batch
        assert total <= most or len(batch) == 1
        assert following is None or total + sizes[following[0]] > most


def test_consecutive_batches_are_made_as_the_stream_comes():
    def stream():
        yield from ((i, 5) for i in range(3))
        raise AssertionError("read further than needed")

    assert next(iter(batch_by_words(stream(), 10))) == [0, 1]


@given(SIZES, BOUNDS)
def test_batches_of_like_length_hold_each_once_in_bounds_and_sorted(lengths, most):
    batches = bucket_by_length(lengths, most)
    order = [int(i) for batch in batches for i in batch]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[i] for i in order] == sorted(lengths)
    for batch in batches:
        assert len(batch) * max(lengths[i] for i in batch) <= most or len(batch) == 1


def test_batches_of_like_length_waste_little():
    lengths = np.random.default_rng(0).integers(1, 60, size=500)
    batches = bucket_by_length(lengths, 1000)
    places = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert places < 1.15 * lengths.sum()
    assert len(batches) < 25


@given(SIZES, BOUNDS, st.integers(0, 9))
def test_shuffled_batches_hold_each_once_in_bounds(sizes, most, seed):
    batches = shuffled_batches(sizes, most, np.random.default_rng(seed))
    assert sorted(int(i) for batch in batches for i in batch) == list(range(len(sizes)))
    for batch in batches:
        assert sum(sizes[i] for i in batch) <= most or len(batch) == 1


def test_shuffled_batches_are_of_like_length_differ_by_epoch_and_repeat_by_seed():
    sizes = np.random.default_rng(1).integers(1, 60, size=300).tolist()

    def cut(seed):
        return [batch.tolist() for batch in shuffled_batches(sizes, 400, np.random.default_rng(seed))]

    assert cut(3) == cut(3)
    assert cut(3) != cut(4)
    assert sorted(map(sorted, cut(3))) != sorted(map(sorted, cut(4)))
    spreads = [max(sizes[i] for i in batch) - min(sizes[i] for i in batch) for batch in cut(3)]
    assert np.mean(spreads) < 10


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=60), st.integers(1, 20))
def test_chunks_cover_the_doc_and_cut_sentences_only_where_they_must(starts, most):
    doc = Doc(VOCAB, words=["w"] * len(starts), sent_starts=starts) if starts else Doc(VOCAB)
    bounds = chunk_bounds(doc, most)
    assert [start for start, _ in bounds] == [0, *[end for _, end in bounds[:-1]]]
    assert bounds[-1][1] == len(doc)
    boundaries = {token.i for token in doc if token.is_sent_start} | {0, len(doc)}
    for start, end in bounds:
        assert end - start <= most
        assert end > start or len(doc) == 0
        if end not in boundaries:  # no boundary could have been chosen
            assert end == start + most
            assert not boundaries & set(range(start + 1, end + 1))
        else:  # no later one could have been
            assert not boundaries & set(range(end + 1, start + most + 1))
