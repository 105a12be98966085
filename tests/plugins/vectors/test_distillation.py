"""Static vectors of a model: each word by itself, along the directions in which words differ most."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glossator
from glossator.errors import DataError, StageError, UsageError
from glossator.pipeline.pipeline import Pipeline
from glossator_vectors.distillation.distil import distil_vectors, frequency_weights, principal_components
from glossator_vectors.distillation.ngram_fitting import MAX_N, MIN_N, PENALTY, conjugate_gradients
from glossator_vectors.folder.subwords import ngrams
from glossator_vectors.folder.word_vectors import open_vectors


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
    embedded = np.concatenate(
        [embedder.embed([glossator.Pipeline("en").tokenizer(word)])[0] for word in vectors.words]
    )
    wanted = np.linalg.norm(embedded[:, None] - embedded[None], axis=2)
    found = np.linalg.norm(vectors.table[1:, None] - vectors.table[None, 1:], axis=2)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 100))
def test_every_column_is_solved(size, columns, seed):
    generator = np.random.default_rng(seed)
    square = generator.normal(size=(size, size))
    matrix = (square @ square.T + np.eye(size)).astype(np.float32)
    wanted = generator.normal(size=(size, columns)).astype(np.float32)
    wanted[:, 0] = 0  # solved from the start
    found = conjugate_gradients(lambda rows: matrix @ rows, wanted, 3 * size)
    np.testing.assert_allclose(found, np.linalg.solve(matrix, wanted), atol=1e-3)


def test_unknown_words_are_put_together_from_known_ones(model, tmp_path):
    embedder, vocab = model
    counts = dict.fromkeys(("sailing", "sailor", "rowing", "rower", "cook", "cooking", "gold"), 1)
    distil_vectors(embedder, vocab, counts, tmp_path / "v", width=8, subwords=True)
    vectors = open_vectors(tmp_path / "v")
    grams = vectors.subwords
    # The vectors of the n-grams are those of the least penalized squares, solved here as equations.
    owners, buckets = ngrams(vectors.words, MIN_N, MAX_N, len(grams.table))
    used, columns = np.unique(buckets, return_inverse=True)
    means = np.zeros((len(vectors.words), len(used)))
    np.add.at(means, (owners, columns), 1 / np.bincount(owners)[owners])
    equations = means.T @ means + PENALTY * np.eye(len(used))
    wanted = np.linalg.solve(equations, means.T @ vectors.table[1:])
    np.testing.assert_allclose(grams.table[used], wanted, atol=1e-3)
    assert not np.delete(grams.table, used, axis=0).any()
    unknown = grams.vectors(["sailors"])[0]
    alike, other = vectors.table[[vectors.words.index(word) + 1 for word in ("sailor", "gold")]]
    assert unknown @ alike > abs(unknown @ other)


def test_what_cannot_be_made_is_refused(model, tmp_path):
    embedder, vocab = model
    with pytest.raises(DataError, match="no words"):
        distil_vectors(embedder, vocab, {" ": 1}, tmp_path / "v", width=2)
    with pytest.raises(UsageError, match="must be from 1 to 8"):
        distil_vectors(embedder, vocab, {"sea": 1}, tmp_path / "v", width=9)
    assert not (tmp_path / "v").exists()


def test_an_output_that_cannot_be_is_refused_before_the_model_works(model, tmp_path):
    embedder, vocab = model
    (tmp_path / "notes.txt").write_text("Mine.")
    done: list[int] = []
    with pytest.raises(UsageError, match="is not empty and not a folder of vectors"):
        distil_vectors(embedder, vocab, {"sea": 1}, tmp_path, width=2, on_words=done.append)
    assert not done


def test_what_is_not_installed_is_said_before_the_model_works(model, tmp_path, monkeypatch):
    embedder, vocab = model
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    done: list[int] = []
    with pytest.raises(StageError, match=r"pip install 'glossator\[vectors\]'"):
        distil_vectors(
            embedder, vocab, {"sea": 1}, tmp_path / "v", width=2, subwords=True, on_words=done.append
        )
    assert not done
