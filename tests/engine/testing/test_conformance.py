"""Every stage that ships keeps the contract, on every layer it can write."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from glossator.annotations.layer import Layer
from glossator.cli import glossator
from glossator.errors import PluginError, UsageError
from glossator.plugins.manager import PluginManager
from glossator.testing import CHECKS, assert_conforms, check_name, check_stage, variants
from glossator.testing.answers import difference
from glossator.testing.examples import TEXTS, eight_examples, wrong_answers
from glossator.testing.texts import odd_texts

PROCESSES = {
    "light import",
    "loads in a fresh process",
    "works in a spawned worker",
    "stable labels",
}
IN_PROCESS = {check_name(check) for check in CHECKS["tagger"]} - PROCESSES
LEARNING = {"learns eight examples", "learns through spacy", "resumes", "same seed same result"}


@pytest.fixture(scope="module")
def manager():
    return PluginManager(allow=())


@pytest.fixture(scope="module")
def phrases(tmp_path_factory):
    file = tmp_path_factory.mktemp("gazetteer") / "phrases.jsonl"
    entries = [
        ("SOURCE", "Oslo"),
        ("SOURCE", "Lima"),
        ("PERSON", "Mara Lind"),
        ("SOURCE", "Turin"),
        ("A", "上海"),
    ]
    lines = [json.dumps({"label": label, "phrase": phrase}) for label, phrase in entries]
    file.write_text("\n".join(lines), encoding="utf-8")
    return {"phrases": str(file)}


def outcomes(results, outcome):
    return {result.check: result.reason for result in results if result.outcome == outcome}


@pytest.mark.slow
def test_crf_conforms(manager):
    results = check_stage("tagger", "crf", plugins=manager, layer="ents")
    assert {result.check for result in results} == {check_name(check) for check in CHECKS["tagger"]}
    assert [result for result in results if result.outcome != "passed"] == []


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["spans:names", "tag", "pos"])
def test_crf_conforms_on_its_other_layers(manager, layer):
    results = check_stage("tagger", "crf", plugins=manager, layer=layer, only=IN_PROCESS)
    assert len(results) == len(IN_PROCESS)
    assert [result for result in results if result.outcome != "passed"] == []


@pytest.mark.slow
@pytest.mark.parametrize("exclusive", [True, False])
def test_linear_conforms(manager, exclusive):
    only = () if exclusive else IN_PROCESS
    results = check_stage(
        "classifier", "linear", settings={"exclusive": exclusive}, plugins=manager, only=only
    )
    assert [result for result in results if result.outcome != "passed"] == []


@pytest.mark.slow
def test_gazetteer_conforms_and_has_nothing_to_learn(manager, phrases):
    results = check_stage("tagger", "gazetteer", settings=phrases, plugins=manager)
    assert outcomes(results, "failed") == {}
    assert set(outcomes(results, "not applicable")) == LEARNING


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings"), [("spacy", {"lang": "en"}), ("whitespace", {"sentences": "rules"})]
)
def test_tokenizers_conform(manager, name, settings):
    assert_conforms("tokenizer", name, settings=settings, plugins=manager)


def test_a_stage_is_checked_for_everything_it_can_predict(manager, phrases):
    def tried(kind, name, **settings):
        return variants(kind, name, settings=settings, plugins=manager)

    layers = [{"write": layer} for layer in ("ents", "spans:checked", "tag", "pos")]
    assert tried("tagger", "crf") == layers
    assert tried("tagger", "crf", write="pos") == [{"write": "pos"}]
    assert tried("tagger", "gazetteer", **phrases) == [phrases | layer for layer in layers[:2]]
    assert tried("classifier", "linear", strength=0.5) == [
        {"strength": 0.5, "exclusive": True},
        {"strength": 0.5, "exclusive": False},
    ]
    assert tried("tokenizer", "spacy") == [{}]


def test_a_stage_that_cannot_be_built_has_one_result(manager):
    [result] = check_stage("tagger", "gazetteer", plugins=manager)
    assert (result.check, result.outcome) == ("builds", "failed")
    assert "phrases" in result.reason
    with pytest.raises(AssertionError, match="tagger 'gazetteer' fails 1 checks:\n  builds: gazetteer needs"):
        assert_conforms("tagger", "gazetteer", plugins=manager)


def test_unknown_stages_and_checks_are_named(manager):
    with pytest.raises(PluginError, match="no tagger 'cfr'"):
        check_stage("tagger", "cfr", plugins=manager)
    with pytest.raises(UsageError, match=r"no check 'alinment' \(did you mean 'alignment'\?\)"):
        check_stage("tagger", "crf", plugins=manager, only=["alinment"])


@pytest.mark.parametrize("layer", ["ents", "spans:names", "tag", "pos", "cats"])
@pytest.mark.parametrize("exclusive", [True, False])
def test_the_eight_examples_can_be_told_right_from_wrong(manager, layer, exclusive):
    from glossator.pipeline.pipeline import Pipeline

    tokenizer = Pipeline("xx", plugins=manager).tokenizer
    examples = eight_examples(tokenizer, Layer.parse(layer), exclusive=exclusive)
    assert [example.text for example in examples] == list(TEXTS)
    gold = [example.reference for example in examples]
    assert wrong_answers(gold, examples, Layer.parse(layer), exclusive) == []
    rotated = [*gold[1:], gold[0]]
    assert len(wrong_answers(rotated, examples, Layer.parse(layer), exclusive)) >= 5


@pytest.mark.parametrize(
    ("want", "got", "alike"),
    [
        ([40.0, 0.0], [40.0003, 0.0003], True),  # what adds up to 40 rounds as 40 does, in every column
        ([40.0, 0.0], [40.0, 0.0005], False),
        ([0.4, 0.0], [0.4, 0.0003], False),
        ([float("inf"), 0.0], [float("inf"), 0.0003], False),
    ],
)
def test_vectors_differ_by_shares_of_their_largest_number(want, got, alike):
    answers = [[{"vectors": [vector, [0.0, 0.0]], "rows": None}] for vector in (want, got)]
    assert (difference(["x"], *answers, 1e-5) == "") is alike


def test_odd_texts_are_as_odd_as_their_names_say():
    odd = odd_texts()
    assert len(odd["20,000 words"].split()) >= 20_000
    assert len(odd["a token of 100,000 characters"]) == 100_000
    assert "\u200d" in odd["emoji joined and tinted"]
    assert odd["white space alone"].strip() == ""
    assert odd["lone variation selectors"].startswith("\ufe0f ")


def run(*arguments):
    return CliRunner().invoke(glossator, ["plugins", "check", *arguments])


def test_the_command_prints_a_table_for_each_layer_and_exits_with_0(phrases):
    done = run(
        "gazetteer", "--set", f"phrases={phrases['phrases']}", "--only", "alignment", "--only", "resumes"
    )
    assert done.exit_code == 0, done.output
    assert done.output.count("alignment") == 2
    assert 'write="spans:checked"' in "".join(done.output.split("\n"))
    assert "it does not learn in steps" in done.output


def test_the_command_exits_with_1_where_a_check_fails():
    done = run("builtin/gazetteer", "--set", "write=ents")
    assert done.exit_code == 1
    assert "gazetteer needs phrases" in done.output


def test_a_plugins_name_stands_for_all_its_stages():
    done = run("builtin", "--kind", "tokenizer", "--only", "keeps the text")
    assert done.exit_code == 0
    assert "builtin/spacy" in done.output
    assert "builtin/whitespace" in done.output


def test_a_name_nobody_has_is_an_error():
    error = run("cfr").exception
    assert isinstance(error, PluginError)
    assert "'crf'" in str(error)
