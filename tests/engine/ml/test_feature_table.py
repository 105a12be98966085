from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glossator.ml.feature_table import FeatureTable

named = st.dictionaries(st.integers(1, 2**64 - 1), st.text("abc=", min_size=1), max_size=20)
hashes = st.lists(st.integers(0, 2**64 - 1), max_size=10)


@given(named, hashes)
def test_known_features_are_found_and_others_are_not(features, others):
    table = FeatureTable.of(features)
    asked = np.asarray([*features, *others], dtype=np.uint64)
    for key, number in zip(asked.tolist(), table.find(asked).tolist(), strict=True):
        if key in features:
            assert table.names[number] == features[key]
            assert table.hashes[number] == key
        else:
            assert number == len(table)


@given(named, named)
def test_extending_keeps_what_was_known(features, more):
    table = FeatureTable.of(features)
    extended, places = table.extended(more)
    assert dict(zip(extended.hashes.tolist(), extended.names, strict=True)) == features | more
    assert extended.hashes[places].tolist() == table.hashes.tolist()


@given(named, st.data())
def test_some_features_keep_their_names(features, data):
    table = FeatureTable.of(features)
    kept = sorted(data.draw(st.sets(st.sampled_from(range(len(table)))))) if features else []
    some = table.some(np.asarray(kept, dtype=np.intp))
    assert some.names == tuple(table.names[i] for i in kept)
    assert some.hashes.tolist() == [table.hashes[i] for i in kept]


@given(named)
def test_arrays_hold_everything(features):
    table = FeatureTable.of(features)
    back = FeatureTable.from_arrays(table.to_arrays())
    assert back.names == table.names
    assert back.hashes.tolist() == table.hashes.tolist()


def test_arrays_that_do_not_fit_are_refused():
    arrays = FeatureTable.of({1: "a", 2: "b"}).to_arrays()
    with pytest.raises(ValueError, match="do not fit each other"):
        FeatureTable.from_arrays({**arrays, "hashes": arrays["hashes"][:1]})
    with pytest.raises(ValueError, match="not in order"):
        FeatureTable.from_arrays({**arrays, "hashes": arrays["hashes"][::-1]})
