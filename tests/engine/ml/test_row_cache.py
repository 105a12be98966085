from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from glossator.ml.row_cache import RowCache


@given(st.lists(st.sets(st.integers(0, 30)), max_size=8), st.integers(1, 40))
def test_rows_are_those_of_their_keys_and_computed_once_while_they_fit(batches, most):
    cache = RowCache(most)
    computed = 0
    for batch in batches:
        keys = np.asarray(sorted(batch), dtype=np.uint64)

        def compute(new, keys=keys):
            nonlocal computed
            computed += len(new)
            return np.stack([keys[new], keys[new] * 2], axis=1).astype(np.float64)

        rows = cache.rows(keys, compute)
        assert rows.tolist() == [[key, 2 * key] for key in sorted(batch)]
    if most >= 31:
        assert computed == len(set().union(*batches)) if batches else computed == 0


def test_what_is_kept_is_bounded():
    cache = RowCache(5)
    for start in range(0, 100, 3):
        keys = np.arange(start, start + 3, dtype=np.uint64)
        cache.rows(keys, lambda new, keys=keys: keys[new][:, None].astype(np.float64))
    assert len(cache._keys) <= 5
