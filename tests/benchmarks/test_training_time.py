from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import click
import pytest

from glossator.annotations.layer import Layer
from glossator.config.schema import HeadConfig

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def training_time():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location(
            "benchmark_training_time", BENCHMARKS / "training_time.py"
        )
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = loaded
        spec.loader.exec_module(loaded)
        yield loaded
    finally:
        sys.path.remove(str(BENCHMARKS))


def watched(training_time, tmp_path, lines, pattern, status=0):
    code = f"import sys; print({lines!r}, sep='\\n'); sys.exit({status})"
    return training_time.time_to_best(["-c", code], tmp_path, pattern)


def test_the_best_score_is_read_from_what_spacy_prints(training_time, tmp_path):
    lines = "\n".join(
        [
            "E    #       LOSS TOK2VEC  LOSS NER  ENTS_F  ENTS_P  ENTS_R  SCORE ",
            "---  ------  ------------  --------  ------  ------  ------  ------",
            "  0       0          0.00     46.64    0.00    0.00    0.00    0.00",
            "  0     200         62.43   2434.53   25.17   41.06   18.15    0.25",
            "  1     400        575.66   2312.33   53.16   57.74   49.26    0.23",
        ]
    )
    lap = watched(training_time, tmp_path, lines, training_time.SPACY_LINE)
    assert lap.score == 0.25
    assert 0 < lap.to_best <= lap.total


def test_the_best_score_is_read_from_what_glossator_prints(training_time, tmp_path):
    lines = "ner seed 0: 900 words an epoch\n" + "\n".join(
        f"  epoch  {number:2}  loss   0.0120  dev {score}     1.2 s  ▁█ best"
        for number, score in ((1, "0.3100"), (2, "0.6279"), (3, "0.6100"))
    )
    assert watched(training_time, tmp_path, lines, training_time.OUR_LINE).score == 0.6279


def test_a_training_that_fails_or_reports_nothing_is_an_error(training_time, tmp_path):
    for status, lines in ((1, "  epoch   1  loss   0.1  dev 0.5    1.0 s"), (0, "nothing")):
        with pytest.raises(click.ClickException, match="failed"):
            watched(training_time, tmp_path, lines, training_time.OUR_LINE, status)


def test_each_layer_has_its_peer(training_time):
    def peer_of(layer):
        return training_time.component_for(
            HeadConfig(name="x", kind="tagger", stage="crf", layer=Layer.parse(layer))
        )

    assert [peer_of(layer).entry for layer in ("ents", "pos", "tag")] == ["ner", "tagger", "tagger-xpos"]
    with pytest.raises(Exception, match="no peer"):
        peer_of("spans:x")
