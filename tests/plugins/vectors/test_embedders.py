"""The embedders `vectors` and `hash` in pipelines: looked up, saved, loaded, shared, damaged."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from toy_vectors import doc_of, prepared

import glossator
from glossator.errors import ConfigError, PipelineError, StageError
from glossator.plugins.manager import PluginManager
from glossator.stages import TableEmbedder
from glossator.testing import CHECKS, check_name, check_stage
from glossator_vectors.embedders import static
from glossator_vectors.embedders.hashed import HashVectors
from glossator_vectors.embedders.static import StaticVectors
from glossator_vectors.folder.word_vectors import open_vectors


def test_words_are_found_as_they_stand_then_in_lower_case_else_not(folder):
    [values] = prepared(folder).embed([doc_of("the", "The", "THE", "MILL", "brook", "zebra")])
    # "brook" is known with a capital only: that is another word
    assert values.tolist() == [[1, 0], [0, 1], [1, 0], [2, 2], [0, 0], [0, 0]]
    assert values.dtype == np.float32


def test_words_that_spacy_has_symbols_for_are_found(folder):
    [values] = prepared(folder).embed([doc_of("NOUN", "noun")])
    assert values.tolist() == [[3, 1], [0, 0]]


def test_white_space_has_no_vector(folder):
    doc = doc_of("the", "\u00a0", "\n", "mill")
    stage = prepared(folder)
    assert stage.embed([doc])[0].tolist() == [[1, 0], [0, 0], [0, 0], [2, 2]]
    rows = stage.rows([doc])[0]
    assert rows[1:3].tolist() == [0, 0]
    assert stage.table[rows].tolist() == stage.embed([doc])[0].tolist()


def test_rows_lead_to_the_vectors_in_a_batch(folder):
    stage = prepared(folder)
    docs = [doc_of("mill", "THE"), doc_of(), doc_of(" "), doc_of("zebra", "Brook")]
    assert isinstance(stage, TableEmbedder)
    assert not stage.table[0].any()
    for rows, values in zip(stage.rows(docs), stage.embed(docs), strict=True):
        np.testing.assert_array_equal(stage.table[rows], values)
    assert stage.embed([]) == []
    assert list(stage.rows([])) == []


def test_unseen_words_are_made_of_subwords_and_have_no_row(with_subwords):
    stage = prepared(with_subwords)
    doc = doc_of("mill", "windmill", " ", "BROOKS", "windmill", "MILL")
    [values] = stage.embed([doc])
    wanted = open_vectors(with_subwords).subwords.vectors(["windmill", "BROOKS"])
    np.testing.assert_allclose(values[[1, 3]], wanted, atol=1e-6)
    np.testing.assert_array_equal(values[4], values[1])
    np.testing.assert_array_equal(values[5], values[0])
    assert values[1].any()
    assert not values[2].any()
    assert (stage.rows([doc])[0] > 0).tolist() == [True, False, False, False, False, True]


def test_docs_of_several_vocabs_may_share_a_batch(with_subwords):
    stage = prepared(with_subwords)
    docs = [doc_of("windmill", "here"), doc_of("watermill")]
    for doc, values in zip(docs, stage.embed(docs), strict=True):
        np.testing.assert_array_equal(values, prepared(with_subwords).embed([doc])[0])


def test_what_is_remembered_of_subwords_is_bounded_and_right(with_subwords, monkeypatch):
    stage = prepared(with_subwords)
    words = [f"word{i % 37}" for i in range(200)]
    wanted = stage.embed([doc_of(*words)])[0]
    monkeypatch.setattr(static, "MAX_CACHED", 10)
    for start in range(0, 200, 5):
        part = stage.embed([doc_of(*words[start : start + 5])])[0]
        np.testing.assert_allclose(part, wanted[start : start + 5], atol=1e-6)
        assert len(stage._cache) <= 10 + 5


def test_the_path_counts_from_the_config_and_a_saved_pipeline_holds_its_own_copy(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "here" / "vectors")
    (tmp_path / "here" / "p.cfg").write_text(
        '[glossator]\nlang = "en"\ntensor = "words"\n[embedders.words]\nstage = "vectors"\npath = "vectors"\n'
    )
    from glossator.config.text import read_config
    from glossator.pipeline.pipeline import Pipeline

    pipeline = Pipeline.from_config(read_config(tmp_path / "here" / "p.cfg")).prepare()
    pipeline.save(tmp_path / "saved")
    wanted = pipeline("The mill").tensor
    shutil.rmtree(tmp_path / "here")
    (tmp_path / "saved").rename(tmp_path / "moved")
    again = glossator.load(tmp_path / "moved")
    assert again("The mill").tensor.tolist() == wanted.tolist() == [[0, 1], [2, 2]]
    again.save(tmp_path / "moved")
    assert glossator.load(tmp_path / "moved")("The mill").tensor.tolist() == wanted.tolist()


def test_a_stage_without_vectors_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"does not exist.*glossator vectors train"):
        StaticVectors(path="nowhere").prepare(tmp_path)
    with pytest.raises(StageError, match="prepare"):
        _ = StaticVectors(path="nowhere").width
    (tmp_path / "empty").mkdir()
    with pytest.raises(PipelineError, match="not a folder of vectors"):
        StaticVectors(path="empty").prepare(tmp_path)


def test_hash_vectors_are_those_of_the_lower_cased_word():
    stage = HashVectors(width=8)
    docs = [doc_of("Mill", "brook", " "), doc_of(), doc_of("mill", "MILL")]
    first, empty, last = stage.embed(docs)
    assert empty.shape == (0, 8)
    np.testing.assert_array_equal(first[0], last[0])
    np.testing.assert_array_equal(first[0], last[1])
    assert (first[0] != first[1]).all()
    assert not first[2].any()


def test_hash_vectors_are_the_same_everywhere():
    [values] = HashVectors(width=3, seed=5).embed([doc_of("mill")])
    np.testing.assert_allclose(values, [[-0.273339, 0.756917, -1.440916]], atol=1e-6)


def test_hash_vectors_have_mean_0_variance_1_and_are_independent():
    words = doc_of(*(f"w{i}" for i in range(4000)))
    [values] = HashVectors(width=16).embed([words])
    [others] = HashVectors(width=16, seed=1).embed([words])
    together = np.concatenate([values, others], axis=1)
    assert np.abs(together.mean(axis=0)).max() < 0.08
    np.testing.assert_allclose(np.cov(together.T), np.eye(32), atol=0.1)


def test_a_wider_hash_vector_begins_with_the_narrower_one():
    [narrow], [wide] = (HashVectors(width=width).embed([doc_of("mill")]) for width in (4, 9))
    np.testing.assert_array_equal(narrow, wide[:, :4])


@pytest.mark.parametrize("settings", [{"width": 0}, {"width": 2.5}, {"seed": -1}, {"width": True}])
def test_hash_settings_are_checked(settings):
    with pytest.raises(ConfigError, match="whole number"):
        HashVectors(**settings)


@pytest.mark.slow
def test_hash_conforms():
    assert_conforms("hash", {"width": 8})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "with_subwords"])
def test_vectors_conforms(kind, request):
    assert_conforms("vectors", {"path": str(request.getfixturevalue(kind))})


def assert_conforms(stage, settings):
    results = check_stage("embedder", stage, settings=settings)
    assert {result.check for result in results} == {check_name(check) for check in CHECKS["embedder"]}
    assert [result for result in results if result.outcome == "failed"] == []
    assert stage == "hash" or all(result.outcome == "passed" for result in results)


def test_the_plugin_declares_its_stages_and_its_command():
    manager = PluginManager.from_environment()
    for stage in ("vectors", "hash"):
        assert manager.find("embedder", stage).plugin.name == "glossator-vectors"
    assert manager.command("vectors").plugin.name == "glossator-vectors"


def test_annotating_needs_no_gensim(with_subwords, tmp_path):
    code = f"""
import sys
sys.modules["gensim"] = None
import glossator
pipeline = glossator.Pipeline("en").add_embedder("words", "vectors", path={str(with_subwords)!r})
pipeline.tensor = "words"
pipeline.prepare()
assert pipeline("The windmill").tensor.any()
pipeline.save({str(tmp_path / "saved")!r})
assert glossator.load({str(tmp_path / "saved")!r})("windmills").tensor.any()
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
