"""The `bert` tagger and classifier keep the contract that every stage keeps."""

from __future__ import annotations

import pytest
from tiny_bert import write_bert

pytest.importorskip("keras_hub", reason="needs glossator[train]")
pytest.importorskip("tensorflow", reason="needs glossator[train]")

from glossator.testing import CHECKS, check_name, check_stage

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("stage", "layer"), [("tagger", "ents"), ("tagger", "pos"), ("classifier", "cats")], ids=str
)
def test_the_heads_conform(tmp_path, stage, layer):
    settings = {
        "checkpoint": str(write_bert(tmp_path / "tiny")),
        "learn_rate": 3e-3,
        "head_learn_rate": 1e-2,
        "warmup_steps": 5,
    }
    results = check_stage(stage, "bert", settings=settings, **({"layer": layer} if stage == "tagger" else {}))
    assert {result.check for result in results} == {check_name(check) for check in CHECKS[stage]}
    assert [result for result in results if result.outcome != "passed"] == []
