from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glossator.ml.log_odds import log_odds_scales


def counted(features, gold):
    """The counts of (docs, features) and (docs, labels) zeros and ones, NaN where a label is unknown."""
    positives, known = np.nan_to_num(gold), ~np.isnan(gold)
    joint, seen = features.T @ positives, features.T @ known
    return joint.astype("f"), seen.astype("f"), positives.sum(axis=0), known.sum(axis=0)


def by_hand(features, gold):
    """The definition, one feature and label at a time."""
    labels, weights = gold.shape[1], np.nansum(gold, axis=0)
    scales, counts = np.zeros(features.shape[1]), np.zeros(features.shape[1])
    for f in range(features.shape[1]):
        for k in range(labels):
            known = ~np.isnan(gold[:, k])
            having = features[known, f] == 1
            with_both = gold[known, k][having].sum()
            expected = having.sum() * gold[known, k].mean() if known.any() else 0
            observed_odds = (with_both + 1) / (having.sum() - with_both + 1)
            expected_odds = (expected + 1) / (having.sum() - expected + 1)
            scales[f] += weights[k] * np.log(observed_odds / expected_odds) ** 2
            counts[f] += having.sum()
    mean_square = (scales * counts).sum() / max(counts.sum(), 1)
    return np.sqrt(scales / mean_square) if mean_square > 1e-9 else np.ones(len(scales))


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.booleans())
def test_scales_are_as_defined(seed, labels, some_unknown):
    generator = np.random.default_rng(seed)
    features = generator.integers(0, 2, (20, 6)).astype(float)
    gold = generator.integers(0, 2, (20, labels)).astype(float)
    if some_unknown:
        gold[generator.random(gold.shape) < 0.3] = np.nan
    assert log_odds_scales(*counted(features, gold)) == pytest.approx(by_hand(features, gold), rel=1e-3)


def test_what_tells_of_a_label_counts_more_and_the_order_of_labels_nothing():
    gold = np.repeat(np.eye(2), 50, axis=0)
    everywhere = np.ones(100)
    once = np.arange(100) == 0
    positive = np.arange(100) < 20
    features = np.stack([everywhere, once, positive], axis=1).astype(float)
    scales = log_odds_scales(*counted(features, gold))
    assert scales[0] == pytest.approx(0, abs=1e-6)
    assert scales[0] < scales[1] < scales[2]
    assert log_odds_scales(*counted(features, gold[:, ::-1])) == pytest.approx(scales)


def test_where_nothing_tells_anything_all_count_the_same():
    gold = np.tile([1.0, 0.0], (4, 1))
    assert log_odds_scales(*counted(np.ones((4, 3)), gold)).tolist() == [1, 1, 1]
    unknown = np.full((4, 2), np.nan)
    assert log_odds_scales(*counted(np.ones((4, 3)), unknown)).tolist() == [1, 1, 1]
    assert log_odds_scales(*counted(np.ones((4, 0)), gold)).shape == (0,)
