import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glossator.ml import sparse
from glossator.ml.sparse import SparseMatrix, sums_by_row


def random_matrix(seed):
    """A sparse matrix, some of whose entries share a place, and the same matrix in full."""
    generator = np.random.default_rng(seed)
    shape = tuple(int(size) for size in generator.integers(1, 9, size=2))
    entries = int(generator.integers(0, 30))
    rows, columns = (generator.integers(0, size, entries).astype(np.int32) for size in shape)
    values = generator.normal(size=entries).astype(np.float32)
    full = np.zeros(shape)
    np.add.at(full, (rows, columns), values)
    return SparseMatrix(shape, rows, columns, values), full


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([1, 7, 100_000]))
def test_products_are_those_of_the_full_matrix(seed, width, chunk):
    matrix, full = random_matrix(seed)
    generator = np.random.default_rng(seed)
    right = generator.normal(size=(full.shape[1], width)).astype(np.float32)
    left = generator.normal(size=(full.shape[0], width)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse, "_CHUNK", chunk)
        assert matrix.times(right) == pytest.approx(full @ right, abs=1e-4)
        assert matrix.transposed_times(left) == pytest.approx(full.T @ left, abs=1e-4)


@given(st.integers(0, 2**32 - 1))
def test_the_transposed_product_is_the_adjoint(seed):
    matrix, full = random_matrix(seed)
    generator = np.random.default_rng(seed)
    right = generator.normal(size=(full.shape[1], 3)).astype(np.float32)
    left = generator.normal(size=(full.shape[0], 3)).astype(np.float32)
    assert np.vdot(matrix.times(right), left) == pytest.approx(
        np.vdot(right, matrix.transposed_times(left)), abs=1e-3
    )


def test_squares_of_a_row_without_entries_are_zero():
    matrix = SparseMatrix((3, 2), np.array([0, 2, 2]), np.array([0, 0, 1]), np.array([2, 3, 4], dtype="f"))
    assert matrix.row_sums_of_squares().tolist() == [4, 0, 25]


def test_values_of_one_row_add_up():
    rows = np.array([2, 0, 2, 2])
    values = np.array([[1, 1], [5, 0], [2, 3], [4, 4]], dtype=np.float32)
    assert sums_by_row(rows, values, 4).tolist() == [[5, 0], [0, 0], [7, 8], [0, 0]]
    assert sums_by_row(rows[:0], values[:0], 2).tolist() == [[0, 0], [0, 0]]
