from __future__ import annotations

import io

import numpy as np
import pytest

from glossator.errors import PipelineError
from glossator.util.arrays import read_arrays, write_arrays

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b.c": np.asarray(7)}


def test_arrays_come_back_as_they_were(tmp_path):
    memory = io.BytesIO()
    write_arrays(tmp_path / "a.npz", ARRAYS)
    write_arrays(memory, ARRAYS)
    memory.seek(0)
    for arrays in (read_arrays(tmp_path / "a.npz"), read_arrays(memory)):
        assert list(arrays) == list(ARRAYS)
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, ARRAYS[name])
            assert array.dtype == ARRAYS[name].dtype


def test_damage_and_pickles_are_refused(tmp_path):
    file = tmp_path / "a.npz"
    with pytest.raises(PipelineError, match="missing or damaged"):
        read_arrays(file)
    write_arrays(file, ARRAYS)
    content = file.read_bytes()
    for damaged in (b"", content[: len(content) // 2], b"not an archive"):
        file.write_bytes(damaged)
        with pytest.raises(PipelineError, match=r"a\.npz is missing or damaged"):
            read_arrays(file)
    write_arrays(file, {"object": np.asarray([{}], dtype=object)})
    with pytest.raises(PipelineError, match="missing or damaged"):
        read_arrays(file)
