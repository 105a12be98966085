"""Plugins of strangers: really installed by pip, found by their entry points, used in another process."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.slow

CLI = "from glossator.cli import main; main()"
PRELUDE = """
import json, warnings
from pathlib import Path
from glossator.errors import GlossatorError
from glossator.plugins.building import build
from glossator.plugins.manager import PluginManager

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    manager = PluginManager.from_environment()
    infos = manager.plugins()

def error(function, *arguments, **settings):
    try:
        function(*arguments, **settings)
    except GlossatorError as error:
        return [type(error).__name__, str(error)]

def made(kind, name, **settings):
    found = manager.find(kind, name)
    return build(found.record, settings, plugin=found.plugin.name)
"""


@pytest.fixture(scope="session")
def listing(third_party) -> dict[str, list[dict[str, Any]]]:
    """Return what `glossator plugins list --json` says, by plugin name."""
    done = third_party.run("-c", CLI, "plugins", "list", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    by_name: dict[str, list[dict[str, Any]]] = {}
    for info in json.loads(done.stdout):
        by_name.setdefault(info["name"], []).append(info)
    return by_name


def test_a_plugin_is_listed_with_its_distribution_and_what_it_provides(listing):
    assert listing["shouting"] == [
        {
            "name": "shouting",
            "distribution": "sample-shouting",
            "version": "0.1.0",
            "state": "active",
            "reason": "",
            "provides": {
                "embedder": ["length"],
                "tagger": ["shouting"],
                "format": ["shout"],
                "command": ["shout"],
            },
        }
    ]


@pytest.mark.parametrize(
    ("plugin", "state", "reason"),
    [
        ("broken_import", "failed", "No module named 'a_module_nobody_has'"),
        ("misspelt_hook", "faulty", "'glossator_tagers' (did you mean 'glossator_taggers'?)"),
        ("declares_twice", "faulty", "tagger 'twin' twice"),
        ("other_api", "faulty", "'of-tomorrow' is written for version 2 of the plugin API"),
        ("rival", "failed", "same-name-a 0.1.0 and same-name-b 0.1.0"),
    ],
)
def test_what_is_wrong_with_a_plugin_is_listed(listing, plugin, state, reason):
    for info in listing[plugin]:
        assert info["state"] == state
        assert reason in info["reason"]


def test_two_distributions_with_one_plugin_name_are_both_listed(listing):
    assert [info["distribution"] for info in listing["rival"]] == ["same-name-a", "same-name-b"]


def test_what_works_in_a_faulty_plugin_goes_on_working(listing):
    assert listing["misspelt_hook"][0]["provides"] == {"classifier": ["heard"]}
    assert listing["declares_twice"][0]["provides"] == {"tagger": ["only-child"]}
    assert listing["other_api"][0]["provides"] == {"tagger": ["of-today"]}
    assert listing["heavy_import"][0]["state"] == "active"


def test_each_problem_is_warned_of_once(third_party):
    messages = third_party.call(PRELUDE + "print(json.dumps([str(w.message) for w in caught]))")
    assert len(messages) == len(set(messages))
    for plugin in ("broken_import", "misspelt_hook", "declares_twice", "other_api"):
        assert sum(f"plugin {plugin!r}" in message for message in messages) == 1
    assert sum("plugin 'rival'" in message for message in messages) == 2


def test_listing_imports_no_heavy_module(third_party):
    heavy = third_party.call(
        PRELUDE
        + "import sys; print(json.dumps([m for m in ('spacy', 'numpy', 'thinc') if m in sys.modules]))"
    )
    assert heavy == []


def test_a_tagger_of_a_stranger_predicts_and_is_saved(third_party):
    code = """
import spacy
from glossator.stages import Vectors, VectorSpace

doc = spacy.blank("en")("Please do NOT feed the GIRAFFE")
vectors = Vectors(space=VectorSpace(), values=[])
tagger = made("tagger", "shouting", write="ents", label="LOUD")
folder = Path("saved")
folder.mkdir()
tagger.to_disk(folder)
restored = made("tagger", "shouting/shouting", write="ents")
restored.from_disk(folder)
found = [t.predict([doc], vectors)[0] for t in (tagger, restored)]
print(json.dumps([[(doc[s.start:s.end].text, s.label) for s in spans] for spans in found]))
"""
    expected = [["NOT", "LOUD"], ["GIRAFFE", "LOUD"]]
    assert third_party.call(PRELUDE + code) == [expected, expected]


def test_an_embedder_of_a_stranger_gives_a_row_a_token(third_party):
    code = """
import spacy
nlp = spacy.blank("en")
embedder = made("embedder", "length")
arrays = embedder.embed([nlp("An OAK"), nlp("")])
print(json.dumps([[list(a.shape) for a in arrays], arrays[0].tolist(), embedder.width]))
"""
    shapes, rows, width = third_party.call(PRELUDE + code)
    assert shapes == [[2, width], [0, width]]
    assert rows == [[2.0, 0.5], [3.0, 1.0]]


def test_a_format_of_a_stranger_is_found_by_its_ending(third_party):
    (third_party.folder / "market.shout").write_text("fresh figs\nripe plums\n", encoding="utf-8")
    code = """
path = Path("market.shout")
reader = manager.make("format", manager.format_for(path).name, {})
print(json.dumps([(r.text, r.line) for r in reader.read(path, name=str(path), encoding="utf-8")]))
"""
    assert third_party.call(PRELUDE + code) == [["FRESH FIGS", 1], ["RIPE PLUMS", 2]]


def test_a_command_of_a_stranger_runs(third_party):
    assert third_party.run("-c", CLI, "shout", "good morning").stdout == "GOOD MORNING\n"
    listed = third_party.run("-c", CLI, "--help").stdout.splitlines()
    assert [line.split() for line in listed if "shout" in line] == [["shout", "shout", "a", "text", "back"]]


def test_the_command_line_says_once_what_is_wrong_and_works(third_party):
    done = third_party.run("-c", CLI, "--no-plugin", "misspelt_hook", "shout", "works")
    assert (done.returncode, done.stdout) == (0, "WORKS\n")
    lines = done.stderr.splitlines()
    assert sum("plugin 'broken_import'" in line for line in lines) == 1
    assert not any("misspelt_hook" in line for line in lines)
    assert all(line.startswith("warning: ") for line in lines)


def test_provenance_of_a_stage_is_plugin_distribution_and_version(third_party):
    code = "o = manager.find('tagger', 'shouting').plugin;"
    code += " print(json.dumps([o.name, o.distribution, o.version]))"
    assert third_party.call(PRELUDE + code) == ["shouting", "sample-shouting", "0.1.0"]


def test_a_name_two_plugins_share_must_say_which(third_party):
    code = """
print(json.dumps([error(manager.stage, "tagger", "same"), made("tagger", "same_name_b/same").origin]))
"""
    (kind, message), origin = third_party.call(PRELUDE + code)
    assert kind == "PluginError"
    assert "same_name_a/same, same_name_b/same" in message
    assert origin == "b"


def test_asking_for_a_stage_that_is_not_there_gives_the_whole_error_of_failed_plugins(third_party):
    kind, message = third_party.call(PRELUDE + "print(json.dumps(error(manager.stage, 'tagger', 'unheard')))")
    assert kind == "PluginError"
    assert "Traceback (most recent call last)" in message
    assert "import a_module_nobody_has" in message
    assert "plugin 'misspelt_hook' (misspelt-hook 0.1.0)" in message


def test_a_stage_whose_module_needs_what_is_missing_says_what_to_install(third_party):
    kind, message = third_party.call(PRELUDE + "print(json.dumps(error(made, 'tagger', 'heavy')))")
    assert kind == "PluginError"
    for part in ("stage 'heavy'", "plugin 'heavy_import'", "heavy_import.network:Network"):
        assert part in message
    assert "pip install a_framework_nobody_has" in message


@pytest.mark.parametrize(
    ("variable", "active"),
    [("", ["builtin"]), ("shouting, heavy_import", ["builtin", "heavy_import", "shouting"])],
)
def test_the_environment_allows_plugins_before_they_are_imported(third_party, variable, active):
    code = """
import sys
active = [info.name for info in infos if info.state == "active"]
print(json.dumps([active, len(caught), "misspelt_hook" in sys.modules]))
"""
    assert third_party.call(PRELUDE + code, GLOSSATOR_PLUGINS=variable) == [active, 0, False]
