"""The paired bootstrap, against every resample there is and against what must be so."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example

from glossator.annotations.layer import CATS, ENTS
from glossator.annotations.write import write_spans
from glossator.errors import DataError
from glossator.evaluation.matching import Labelled, Match, match_categories, match_spans
from glossator.evaluation.scores import score_layer
from glossator.evaluation.significance import (
    accuracy,
    accuracy_counts,
    f1,
    f1_counts,
    label_counts,
    macro_f1,
    paired_bootstrap,
)
from glossator.stages import ScoredSpan

NLP = spacy.blank("en")
LABELS = ("A", "B", "C")


def counts_of(seed, documents, shape=(3,)):
    return np.random.default_rng(seed).integers(0, 4, size=(documents, *shape))


def f1_by_hand(right, spurious, missed):
    if not right:
        return 0.0
    precision, recall = right / (right + spurious), right / (right + missed)
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize("seed", range(4))
def test_draws_as_if_every_resample_had_been_made(seed):
    """Of four documents there are 4 ** 4 resamples, all equally likely."""
    first, second = counts_of(seed, 4), counts_of(seed + 100, 4)
    differences = [
        f1_by_hand(*first[list(drawn)].sum(axis=0)) - f1_by_hand(*second[list(drawn)].sum(axis=0))
        for drawn in product(range(4), repeat=4)
    ]
    found = paired_bootstrap([first], [second], f1, resamples=20_000, seed=seed)
    assert found.first == pytest.approx(f1_by_hand(*first.sum(axis=0)))
    assert found.second == pytest.approx(f1_by_hand(*second.sum(axis=0)))
    assert found.difference == pytest.approx(found.first - found.second)
    assert found.p_value == pytest.approx(np.mean(np.asarray(differences) <= 1e-12), abs=0.02)
    # A quantile of few values jumps from one to the next: it lies among those of nearby shares.
    for value, share in ((found.low, 0.025), (found.high, 0.975)):
        near = np.quantile(differences, [max(share - 0.01, 0), min(share + 0.01, 1)])
        assert near[0] - 1e-9 <= value <= near[1] + 1e-9


def test_the_same_seed_draws_the_same():
    first, second = counts_of(1, 50), counts_of(2, 50)
    results = [paired_bootstrap([first], [second], f1, resamples=500, seed=seed) for seed in (7, 7, 8)]
    assert results[0] == results[1] != results[2]


def test_the_pieces_resamples_are_made_in_do_not_show(monkeypatch):
    first, second = counts_of(1, 50), counts_of(2, 50)
    whole = paired_bootstrap([first], [second], f1, resamples=300)
    monkeypatch.setattr("glossator.evaluation.significance._DRAWN_AT_ONCE", 7 * 50)
    assert paired_bootstrap([first], [second], f1, resamples=300) == whole


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1_000), st.integers(1, 30))
def test_a_system_is_not_better_than_itself(seed, documents):
    counts = counts_of(seed, documents)
    found = paired_bootstrap([counts], [counts.copy()], f1, resamples=200)
    assert (found.difference, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert not found.is_significant


def test_a_system_that_is_better_on_every_document_is_better():
    worse = np.asarray([[i % 3, 5] for i in range(40)])
    better = worse + np.asarray([1, 0])
    found = paired_bootstrap([better], [worse], accuracy, resamples=1_000)
    assert found.p_value == 0.0
    assert found.is_significant
    assert (found.low, found.high, found.difference) == pytest.approx((0.2, 0.2, 0.2))
    turned = paired_bootstrap([worse], [better], accuracy, resamples=1_000)
    assert (turned.p_value, turned.is_significant) == (1.0, True)
    assert (turned.low, turned.high) == pytest.approx((-0.2, -0.2))


def test_the_interval_holds_the_true_difference_about_as_often_as_it_says():
    generator = np.random.default_rng(5)
    held = 0
    for trial in range(200):
        right = generator.random((300, 2)) < (0.80, 0.75)
        sides = [np.stack([column, np.ones(300)], axis=1) for column in right.T]
        found = paired_bootstrap(sides[:1], sides[1:], accuracy, resamples=400, seed=trial)
        held += found.low <= 0.05 <= found.high
    assert 0.90 <= held / 200 <= 0.99


def test_pairs_are_kept_together():
    """Both err on the same hard documents; drawn apart, a small gain would drown in these."""
    hard = np.arange(400) % 2
    worse = np.stack([np.where(hard, 0, 9), np.full(400, 10)], axis=1)
    better = worse + np.stack([np.arange(400) % 4 == 0, np.zeros(400)], axis=1).astype(int)
    found = paired_bootstrap([better], [worse], accuracy, resamples=1_000)
    assert found.p_value == 0.0
    assert found.high - found.low < 0.02


def test_runs_are_averaged():
    runs, other = [counts_of(seed, 60) for seed in (1, 2, 3)], counts_of(9, 60)
    found = paired_bootstrap(runs, [other], f1, resamples=500)
    alone = [paired_bootstrap([run], [other], f1, resamples=500) for run in runs]
    assert found.first == pytest.approx(sum(each.first for each in alone) / 3)
    assert found.difference == pytest.approx(sum(each.difference for each in alone) / 3)
    assert min(each.low for each in alone) < found.low < found.high < max(each.high for each in alone)


def test_means_of_runs_that_differ_in_their_last_bit_are_equal():
    """(0 + 0 + 3) / 30 and (0 + 1 + 2) / 30."""
    first, second = ([np.asarray([[k, 10]] * 5) for k in right] for right in ((0, 0, 3), (0, 1, 2)))
    found = paired_bootstrap(first, second, accuracy, resamples=100)
    assert found.first != found.second  # else this shows nothing
    assert (found.low, found.high, found.p_value) == (0.0, 0.0, 1.0)
    assert not found.is_significant


def test_systems_scored_on_other_documents_are_not_compared():
    with pytest.raises(DataError, match="scored on 3 and 4 documents"):
        paired_bootstrap([counts_of(0, 3)], [counts_of(0, 4)], f1)
    with pytest.raises(DataError, match="no documents"):
        paired_bootstrap([counts_of(0, 0)], [counts_of(0, 0)], f1)


def test_where_there_is_nothing_the_score_is_0():
    assert f1(np.zeros((2, 3))).tolist() == accuracy(np.zeros((2, 2))).tolist() == [0.0, 0.0]
    assert macro_f1(np.asarray([[[1.0, 0, 0], [0, 0, 0]]])).tolist() == [0.5]


# What is counted of each document


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(*[st.lists(st.sampled_from((None, *LABELS)), min_size=5, max_size=5)] * 2), min_size=1)
)
def test_counts_of_entities_add_up_to_the_scores(rows):
    words = ["a", "b", "c", "d", "e"]
    gold, docs = [], []
    for truth, guess in rows:
        reference, doc = Doc(NLP.vocab, words=words), Doc(NLP.vocab, words=words)
        reference.set_ents([Span(reference, i, i + 1, label) for i, label in enumerate(truth) if label])
        found = [ScoredSpan(i, i + 1, label, 0.5) for i, label in enumerate(guess) if label]
        write_spans(doc, "ner", ENTS, found)
        gold.append(reference)
        docs.append(doc)
    matches = match_spans(gold, docs, ENTS, "ner")
    counts = f1_counts(matches, len(rows))
    for (truth, guess), row in zip(rows, counts, strict=True):
        right = sum(a == b is not None for a, b in zip(truth, guess, strict=True))
        assert row.tolist() == [right, sum(map(bool, guess)) - right, sum(map(bool, truth)) - right]
    scores = score_layer([Example(doc, reference) for doc, reference in zip(docs, gold, strict=True)], ENTS)
    assert f1(counts.sum(axis=0)) == pytest.approx(scores["ents_f"] or 0.0)
    per_label = f1(label_counts(matches, len(rows), LABELS).sum(axis=0))
    for label, value in zip(LABELS, per_label, strict=True):
        assert value == pytest.approx((scores["ents_per_type"] or {}).get(label, {"f": 0.0})["f"])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.permutations((0.1, 0.3, 0.6)), st.sampled_from(LABELS)), min_size=1), st.booleans()
)
def test_counts_of_categories_add_up_to_the_scores(rows, exclusive):
    gold, docs = [], []
    for values, truth in rows:
        reference, doc = Doc(NLP.vocab, words=["x"]), Doc(NLP.vocab, words=["x"])
        reference.cats = {label: float(label == truth) for label in LABELS}
        doc.cats = dict(zip(LABELS, values, strict=True))
        gold.append(reference)
        docs.append(doc)
    matches = match_categories(gold, docs, LABELS, exclusive=exclusive)
    examples = [Example(doc, reference) for doc, reference in zip(docs, gold, strict=True)]
    scores = score_layer(examples, CATS, labels=LABELS, exclusive=exclusive)
    by_label = label_counts(matches, len(rows), LABELS)
    assert macro_f1(by_label.sum(axis=0)) == pytest.approx(scores["cats_macro_f"])
    assert f1(f1_counts(matches, len(rows)).sum(axis=0)) == pytest.approx(scores["cats_micro_f"])
    if exclusive:
        assert accuracy(accuracy_counts(matches, len(rows)).sum(axis=0)) == pytest.approx(scores["cats_acc"])


def test_labels_that_are_not_asked_for_are_not_counted():
    matches = [Match(1, Labelled(0, 1, "A"), Labelled(0, 1, "Z"), 0.5)]
    assert label_counts(matches, 2, ("A", "B")).tolist() == [[[0, 0, 0]] * 2, [[0, 0, 1], [0, 0, 0]]]
