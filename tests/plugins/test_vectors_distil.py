"""Static vectors of a model: each word by itself, along the directions in which words differ most."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glossator
from glossator.errors import DataError, UsageError
from glossator.pipeline import Pipeline
from glossator_vectors.distilling import distil_vectors, frequency_weights, principal_components
from glossator_vectors.folder import open_vectors


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 20), st.integers(1, 6), st.integers(0, 100))
def test_components_are_those_of_the_singular_value_decomposition(number, width, seed):
    rows = np.random.default_rng(seed).normal(size=(number, 6)).astype(np.float32)
    reduced, kept = principal_components(rows, width)
    centred = rows - rows.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    wanted = centred @ directions[:width].T
    np.testing.assert_allclose(np.abs(reduced[:, : wanted.shape[1]]), np.abs(wanted), atol=1e-3)
    assert kept == pytest.approx((sizes[:width] ** 2).sum() / (sizes**2).sum(), abs=1e-5)
    again, _ = principal_components(rows.copy(), width)
    np.testing.assert_array_equal(again, reduced)


def test_all_directions_keep_all_distances():
    rows = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
    reduced, kept = principal_components(rows, 5)
    between = [np.linalg.norm(each[:, None] - each[None], axis=2) for each in (rows, reduced)]
    np.testing.assert_allclose(between[0], between[1], atol=1e-4)
    assert kept == pytest.approx(1.0)


def test_frequent_words_weigh_less():
    weights = frequency_weights([1, 10, 989])
    assert weights == pytest.approx([0.5, 1 / 11, 1 / 990], rel=1e-6)


@pytest.fixture
def model():
    pipeline = Pipeline("en").add_embedder("model", "hash", width=8).prepare()
    return pipeline.embedders["model"], pipeline.vocab


def test_words_get_the_vectors_that_the_model_gives_them_by_themselves(model, tmp_path):
    embedder, vocab = model
    counts = {"sea": 3, "ship": 1, " ": 9, "gold": 2}
    done = distil_vectors(embedder, vocab, counts, tmp_path / "v", width=8)
    assert (done.count, done.width) == (3, 8)
    vectors = open_vectors(tmp_path / "v")
    assert vectors.words == ["sea", "ship", "gold"]
    given = np.concatenate(
        [embedder.embed([glossator.Pipeline("en").tokenizer(word)])[0] for word in vectors.words]
    )
    wanted = np.linalg.norm(given[:, None] - given[None], axis=2)
    found = np.linalg.norm(vectors.table[1:, None] - vectors.table[None, 1:], axis=2)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_what_cannot_be_made_is_refused(model, tmp_path):
    embedder, vocab = model
    with pytest.raises(DataError, match="no words"):
        distil_vectors(embedder, vocab, {" ": 1}, tmp_path / "v", width=2)
    with pytest.raises(UsageError, match="at most so many"):
        distil_vectors(embedder, vocab, {"sea": 1}, tmp_path / "v", width=9)
    assert not (tmp_path / "v").exists()
