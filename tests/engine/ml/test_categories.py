from __future__ import annotations

import numpy as np
import pytest

from glossator.ml.activations import sigmoid, softmax
from glossator.ml.categories import category_matrix, log_likelihood

CATS = [{"A": 1.0}, {"B": 0.25, "C": 0.75}, {"A": 0.0}, {}, {"other": 1.0}]
NAN = np.nan


def test_a_value_that_is_not_named_is_missing():
    expected = [[1, NAN, NAN], [NAN, 0.25, 0.75], [0, NAN, NAN], [NAN] * 3, [NAN] * 3]
    np.testing.assert_array_equal(category_matrix(CATS, ["A", "B", "C"]), expected)


def test_where_labels_exclude_each_other_one_makes_the_others_zero():
    expected = [[1, 0, 0], [0, 0.25, 0.75], [0, NAN, NAN], [NAN] * 3, [NAN] * 3]
    np.testing.assert_array_equal(category_matrix(CATS, ["A", "B", "C"], exclusive=True), expected)


def test_the_matrix_of_no_documents_or_no_labels_has_its_shape():
    assert category_matrix([], ["A", "B"]).shape == (0, 2)
    assert category_matrix([{}, {}], [], exclusive=True).shape == (2, 0)


@pytest.mark.parametrize("exclusive", [True, False])
def test_the_likelihood_passes_over_what_is_missing(exclusive):
    probabilities = np.array([[0.2, 0.8], [0.5, 0.5]])
    gold = np.array([[0.0, 1.0], [NAN, NAN]])
    expected = np.log(0.8) * (1 if exclusive else 2)
    assert log_likelihood(probabilities, gold, exclusive=exclusive) == pytest.approx(expected)


def test_probabilities_of_extreme_logits_are_finite():
    logits = np.array([[1000.0, -1000.0], [0.0, 0.0]], dtype=np.float32)
    np.testing.assert_allclose(softmax(logits), [[1, 0], [0.5, 0.5]])
    np.testing.assert_allclose(sigmoid(logits), [[1, 0], [0.5, 0.5]], atol=1e-20)
    assert softmax(logits).dtype == sigmoid(logits).dtype == np.float32
