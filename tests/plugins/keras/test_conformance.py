"""The Keras stages keep the contract that every stage keeps."""

from __future__ import annotations

import pytest

pytest.importorskip("keras", reason="needs glossator[train]")
pytest.importorskip("tensorflow", reason="needs glossator[train]")

from glossator.plugins.manager import PluginManager
from glossator.testing import CHECKS, check_name, check_stage, variants

pytestmark = pytest.mark.slow

# Small, so that each step is quick; everything else is as it comes.
SMALL = {"width": 16, "dropout": 0.1, "learn_rate": 0.01}
ANSWERING = {
    "batch invariance",
    "odd documents",
    "alignment",
    "docs untouched",
    "damage is an error",
    "learns eight examples",
}


def test_bilstm_crf_conforms():
    results = check_stage("tagger", "bilstm-crf", settings=SMALL, layer="ents")
    assert {result.check for result in results} == {check_name(check) for check in CHECKS["tagger"]}
    assert [result for result in results if result.outcome != "passed"] == []


def test_bilstm_crf_conforms_on_parts_of_speech_without_a_chain():
    settings = {**SMALL, "decoder": "softmax", "cell": "gru"}
    results = check_stage("tagger", "bilstm-crf", settings=settings, layer="pos", only=ANSWERING)
    assert len(results) == len(ANSWERING)
    assert [result for result in results if result.outcome != "passed"] == []


def test_bilstm_crf_writes_every_layer():
    tried = variants("tagger", "bilstm-crf", settings={}, plugins=PluginManager.from_environment())
    assert [settings["write"] for settings in tried] == ["ents", "spans:checked", "tag", "pos"]


@pytest.mark.parametrize(
    ("stage", "small"),
    [("cnn", {"filters": 16, "embedding_width": 16}), ("lstm", {"widths": [16], "embedding_width": 16})],
)
def test_classifiers_conform(stage, small):
    settings = {**small, "dropout": 0.1, "learn_rate": 0.01}
    results = check_stage("classifier", stage, settings=settings)
    assert {result.check for result in results} == {check_name(check) for check in CHECKS["classifier"]}
    assert [result for result in results if result.outcome != "passed"] == []
