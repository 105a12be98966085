"""Folders of vectors that several tests read."""

from __future__ import annotations

import pytest
from toy_vectors import TABLE

from glossator_vectors.files.importing import import_vectors


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder of the vectors of `TABLE`; write nothing to it."""
    folder = tmp_path_factory.mktemp("vectors")
    lines = "".join(f"{word} {a} {b}\n" for word, (a, b) in TABLE.items())
    (folder / "file.txt").write_text(lines, encoding="utf-8")
    import_vectors(folder / "file.txt", folder / "table")
    return folder / "table"


@pytest.fixture(scope="session")
def with_subwords(tmp_path_factory):
    """A folder of vectors that know sub-words; write nothing to it."""
    models = pytest.importorskip("gensim.models", reason="needs glossator[vectors]")
    folder = tmp_path_factory.mktemp("subwords")
    sentences = [["the", "mill", "by", "the", "brook"], ["a", "Brook", "and", "a", "mill"]]
    model = models.FastText(sentences, vector_size=6, min_count=1, seed=1, workers=1, bucket=200)
    model.wv.save(str(folder / "model.kv"))
    import_vectors(folder / "model.kv", folder / "table")
    return folder / "table"
