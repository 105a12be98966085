"""`glossator.evaluate`, called as a notebook calls it."""

from __future__ import annotations

import json
from typing import Any

import pytest

import glossator
from glossator.errors import ConfigError, DataError, PipelineError, UsageError

COLUMNS = {"columns": ["token", "pos", "ner"]}


def without_speed(scores: dict[str, Any]) -> dict[str, Any]:
    """Return scores as JSON has them, without what differs from run to run."""
    values = json.loads(json.dumps(scores))
    for row in (values, *values["heads"].values()):
        assert row.pop("words_per_second") > 0
    return values


def test_the_scores_are_those_of_the_command(cli, trained_samples, capsys):
    heads: list[str] = []
    evaluation = glossator.evaluate(trained_samples, on_head=heads.append)
    assert capsys.readouterr() == ("", "")
    typed = cli("evaluate", trained_samples, "--json")
    assert typed.code == 0, typed.err
    assert without_speed(evaluation.scores()) == without_speed(json.loads(typed.out))
    assert heads == list(evaluation.heads) == ["ner", "pos", "mood"]
    assert evaluation.failed == 0
    assert evaluation.pipeline.heads.keys() == evaluation.heads.keys()


def test_a_loaded_pipeline_and_another_split(trained_samples):
    pipeline = glossator.load(trained_samples)
    evaluation = glossator.evaluate(pipeline, split="dev")
    assert evaluation.pipeline is pipeline
    for name, score in (("ner", "ents_f"), ("pos", "pos_acc"), ("mood", "cats_macro_f")):
        wanted = pipeline.meta["scores"][name]["dev"]
        assert evaluation.heads[name].scores[score] == pytest.approx(wanted)
    with pytest.raises(UsageError, match="heads are chosen when a pipeline is loaded"):
        glossator.evaluate(pipeline, only=["ner"])


def test_a_pipeline_in_memory_is_scored_on_files(trained_samples, samples_folder):
    pipeline = glossator.load(trained_samples)
    saved = glossator.evaluate(pipeline, samples_folder / "reviews.test.jsonl")
    pipeline.source = None  # as after training or composing
    evaluation = glossator.evaluate(pipeline, samples_folder / "reviews.test.jsonl")
    assert evaluation.heads.keys() == {"mood"}
    assert without_speed(evaluation.scores()) == without_speed(saved.scores())


def test_gold_files_and_their_options(trained_samples, samples_folder):
    messages: list[str] = []
    own = glossator.evaluate(trained_samples, only=["ner", "mood"])
    files = [str(samples_folder / "sentences.test.conll")]
    named = glossator.evaluate(
        trained_samples, files, options=COLUMNS, without=["pos"], on_message=messages.append
    )
    assert named.heads.keys() == {"ner"}
    assert named.heads["ner"].scores["ents_f"] == own.heads["ner"].scores["ents_f"]
    assert messages == ["mood: the gold has no annotations of cats; it is not scored"]


def test_bad_gold_is_called_back_and_the_rest_scored(trained_samples, samples_folder, tmp_path):
    gold = tmp_path / "gold.jsonl"
    gold.write_text("{broken\n" * 7 + (samples_folder / "reviews.test.jsonl").read_text())
    errors: list[DataError] = []
    evaluation = glossator.evaluate(trained_samples, gold, only=["mood"], on_error=errors.append)
    assert [(error.file, error.line) for error in errors] == [(str(gold), n) for n in range(1, 8)]
    assert evaluation.failed == 7
    assert evaluation.heads["mood"].documents == glossator.evaluate(trained_samples).heads["mood"].documents


@pytest.mark.slow
def test_a_report_is_written(cli, trained_samples, tmp_path):
    messages: list[str] = []
    glossator.evaluate(trained_samples, report=tmp_path / "called", on_message=messages.append)
    typed = cli("evaluate", trained_samples, "--report", tmp_path / "typed")
    names = {path.name for path in (tmp_path / "called").iterdir()}
    assert names == {path.name for path in (tmp_path / "typed").iterdir()}
    assert {"ner.json", "ner.errors.jsonl", "mood.json"} <= names
    for name in names:
        if name.endswith(".jsonl"):
            assert (tmp_path / "called" / name).read_bytes() == (tmp_path / "typed" / name).read_bytes()
    assert [text.replace("/called:", "/typed:") for text in messages] == typed.err.splitlines()


def test_raw_text_is_tokenized_anew(trained_samples, tmp_path):
    gold = tmp_path / "gold.jsonl"
    gold.write_text('{"text": "Mara left Lisbon.", "spans": [{"start": 0, "end": 4, "label": "PER"}]}\n')
    evaluation = glossator.evaluate(trained_samples, gold, retokenize=True, only=["ner"])
    assert {"token_f", "ents_f"} <= evaluation.scores().keys()


def test_errors_are_typed(trained_samples, tmp_path):
    (tmp_path / "raw.jsonl").write_text('{"text": "Nothing is annotated here."}\n')
    with pytest.raises(DataError, match="the gold files have no annotations of the layers"):
        glossator.evaluate(trained_samples, tmp_path / "raw.jsonl")
    with pytest.raises(DataError, match="there is no gold document that can be used"):
        glossator.evaluate(trained_samples, tmp_path / "gone.jsonl")
    with pytest.raises(UsageError, match="leave out GOLD"):
        glossator.evaluate("nowhere", tmp_path / "raw.jsonl", split="dev")
    with pytest.raises(UsageError, match="the pipeline's config names no test set"):
        glossator.evaluate(glossator.Pipeline("en").add_classifier("mood", "linear"))
    with pytest.raises(PipelineError, match="there is no such pipeline folder"):
        glossator.evaluate("nowhere")
    with pytest.raises(ConfigError, match="no head 'nre'"):
        glossator.evaluate(trained_samples, only=["nre"])


def test_a_split_or_heads_that_are_none_are_refused_in_words(trained_samples):
    with pytest.raises(UsageError, match="there is no split 'devv': use one of"):
        glossator.evaluate(trained_samples, split="devv")
    with pytest.raises(UsageError, match=r"only = 'ner': give a list of heads, \['ner'\]"):
        glossator.load(trained_samples, only="ner")
