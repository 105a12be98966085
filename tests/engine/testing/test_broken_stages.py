"""Each check can fail: stages that break one promise fail that check, and that alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from glossator import Stage
from glossator.plugins.manager import PluginManager
from glossator.testing import CHECKS, assert_conforms, check_name, check_stage

pytestmark = pytest.mark.slow

OTHER_PROCESSES = {"light import", "loads in a fresh process", "works in a spawned worker"}


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory):
    """Install the plugin `broken` as pip does: its package on the path, its entry points in a dist-info."""
    folder = tmp_path_factory.mktemp("installed")
    info = folder / "broken_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plugin\nVersion: 1.0\n")
    entries = ["[glossator]", "broken = broken_plugin", "broken_heavy = broken_plugin.heavy"]
    (info / "entry_points.txt").write_text("\n".join(entries))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        patch.syspath_prepend(folder)
        yield


@pytest.fixture(scope="module")
def manager(installed):
    return PluginManager(allow={"broken", "broken_heavy"})


def in_process(kind):
    """The checks that start no other process."""
    return {check_name(check) for check in CHECKS[kind]} - OTHER_PROCESSES - {"stable labels"}


def failures(results):
    return {result.check: result.reason for result in results if result.outcome == "failed"}


def not_applicable(results):
    return {result.check for result in results if result.outcome == "not applicable"}


@pytest.mark.parametrize("layer", ["ents", "tag"])
def test_a_sound_tagger_fails_nothing(manager, layer):
    only = () if layer == "ents" else in_process("tagger")
    results = check_stage("tagger", "sound", plugins=manager, layer=layer, only=only)
    assert [result for result in results if result.outcome != "passed"] == []


def test_sound_embedders_fail_nothing(manager):
    assert_conforms("embedder", "broken/table", plugins=manager)
    results = check_stage("embedder", "lengths", plugins=manager, only=in_process("embedder"))
    assert failures(results) == {}
    assert not_applicable(results) == {"damage is an error"}


def test_a_sound_tokenizer_fails_nothing(manager):
    results = check_stage("tokenizer", "blanks", plugins=manager, only=in_process("tokenizer"))
    assert [result for result in results if result.outcome != "passed"] == []


@pytest.mark.parametrize(
    ("name", "layer", "check", "reason"),
    [
        ("depends-on-the-batch", "tag", "batch invariance", "in batches of three, for 'Mara Lind lives"),
        (
            "chokes-on-long-tokens",
            "ents",
            "odd documents",
            "a token of 100,000 characters: StageError: .*room",
        ),
        ("adds-up-probabilities", "ents", "alignment", r"for 'Mara Lind .* probabilities from 1\.[5-9]"),
        ("writes-to-docs", "tag", "docs untouched", "it changes the Doc of 'Mara Lind"),
        ("ignores-damage", "tag", "damage is an error", "memory.json cut in half: from_disk raises no error"),
        (
            "reads-what-lines-there-are",
            "tag",
            "damage is an error",
            "memory.jsonl cut after a line: from_disk raises no error, and for",
        ),
        ("never-learns", "tag", "learns eight examples", "8 of 8 examples get wrong answers, e.g. 'Mara"),
        ("needs-sentences", "tag", "learns through spacy", "E030"),
        ("forgets-its-steps", "tag", "resumes", "resumed, its losses are"),
        ("fits-by-global-chance", "tag", "same seed same result", "trained twice with one seed, for 'Mara"),
    ],
)
def test_one_broken_promise_fails_one_check(manager, name, layer, check, reason):
    results = check_stage("tagger", name, plugins=manager, layer=layer, only=in_process("tagger"))
    failed = failures(results)
    assert list(failed) == [check]
    assert re.search(reason, failed[check])


def test_a_factory_that_changes_its_settings(manager):
    settings = {"names": ["one"]}
    results = check_stage(
        "tagger", "changes-its-settings", settings=settings, plugins=manager, only=in_process("tagger")
    )
    assert failures(results) == {
        "config round trip": "its factory changes the setting 'names' that it receives"
    }
    assert settings == {"names": ["one"]}


def test_labels_in_the_order_of_a_set(manager):
    only = in_process("tagger") | {"stable labels"}
    failed = failures(check_stage("tagger", "labels-from-a-set", plugins=manager, layer="tag", only=only))
    assert list(failed) == ["stable labels"]
    assert re.search(
        r"^(after|learned in a fresh process).* they are \('.*, not \('", failed["stable labels"]
    )


def test_rows_that_only_this_process_knows(manager):
    only = OTHER_PROCESSES | {"stable labels", "resumes", "damage is an error"}
    failed = failures(check_stage("tagger", "rows-by-builtin-hash", plugins=manager, layer="tag", only=only))
    assert list(failed) == ["loads in a fresh process", "works in a spawned worker"]
    assert failed["loads in a fresh process"].startswith("in a fresh process, for 'Mara Lind")


def test_a_stage_that_works_in_the_main_process_alone(manager):
    failed = failures(check_stage("tagger", "refuses-workers", plugins=manager, layer="tag"))
    assert list(failed) == ["works in a spawned worker"]
    assert "only the main process may load it" in failed["works in a spawned worker"]


def test_a_plugin_that_imports_a_framework_with_its_hooks(manager):
    only = in_process("embedder") | {"light import"}
    failed = failures(check_stage("embedder", "heavy", plugins=manager, only=only))
    assert list(failed) == ["light import"]
    assert failed["light import"].startswith("importing broken_plugin.heavy loads spacy, thinc")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("not-finite", "vectors that are not finite"),
        ("rows-past-the-table", "rows from .* to .*, outside the range from 0 to 8"),
    ],
)
def test_embedders_that_answer_nonsense(manager, name, reason):
    failed = failures(check_stage("embedder", name, plugins=manager, only=in_process("embedder")))
    assert set(failed) == {"odd documents", "alignment"}
    assert re.search(reason, failed["alignment"] + failed["odd documents"])


@pytest.mark.parametrize(
    ("name", "check", "reason"),
    [
        ("loses-blanks", "keeps the text", "doc.text is not the text"),
        ("vocab-each", "one vocab", r"its Docs have \d+ vocabs"),
        ("remembers-the-last", "deterministic", "asked again, for"),
        ("keeps-keys", "bears memory zones", "KeyError"),
    ],
)
def test_broken_tokenizers(manager, name, check, reason):
    failed = failures(check_stage("tokenizer", name, plugins=manager, only=in_process("tokenizer")))
    assert list(failed) == [check]
    assert re.search(reason, failed[check])


def test_records_need_no_plugin_but_a_name_to_be_imported_by(manager):
    from broken_plugin.taggers import Memory

    class Local(Memory):
        pass

    only = OTHER_PROCESSES | {"learns through spacy", "stable labels"}
    named = Stage(name="named", factory=Memory)
    results = check_stage("tagger", named, plugins=manager, layer="tag", only=only)
    assert failures(results) == {}
    assert not_applicable(results) == {"light import", "learns through spacy"}
    local = Stage(name="local", factory=Local)
    results = check_stage("tagger", local, plugins=manager, layer="tag", only=only)
    assert failures(results) == {}
    assert not_applicable(results) == only - {"stable labels"}
