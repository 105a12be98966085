"""What the documents say is so: commands, snippets, configs, rooms and hooks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import glossator
import glossator.hookspecs
from glossator.cli import COMMANDS
from glossator.config.text import parse_config
from glossator.hookspecs import Stage
from glossator.pipeline.pipeline import Pipeline
from glossator.testing import check_stage

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def test_ci_runs_what_the_readme_tells_a_newcomer():
    commands = [
        line for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines() if "&&" in line
    ]
    told = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
    assert len(commands) == 3
    assert [command for command in commands if command not in told] == []


def test_every_command_is_in_the_readme():
    assert [name for name in COMMANDS if f"`glossator {name}" not in README] == []


def test_every_hook_is_in_the_readme():
    hooks = [name for name in vars(glossator.hookspecs.Specs) if name.startswith("glossator_")]
    assert len(hooks) == 7
    assert [hook for hook in hooks if f"`{hook}`" not in README] == []


@pytest.mark.parametrize("snippet", blocks("python"))
def test_python_snippets_are_python(snippet):
    compile(snippet, "README.md", "exec")


def test_the_readme_composes_a_pipeline_that_can_be_composed():
    composed, trained = (block for block in blocks("python") if "add_classifier" in block or "DataC" in block)
    names: dict[str, object] = {}
    exec("import glossator\n" + composed, names)
    assert list(names["pipeline"].heads) == ["ner", "pos", "mood"]
    exec(trained.partition("result =")[0], names)
    assert list(names["config"].data) == ["ner", "pos", "mood"]


def test_the_readme_calls_functions_that_do_what_it_says(trained_samples, tmp_path, monkeypatch, capsys):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "samples").symlink_to(trained_samples)
    (tmp_path / "corpora").symlink_to(ROOT / "corpora")
    monkeypatch.chdir(tmp_path)
    (snippet,) = (block for block in blocks("python") if "annotate_files" in block)
    names: dict[str, object] = {"glossator": glossator}
    exec(snippet, names)
    assert names["tally"].written == names["conversion"].written > 0
    assert names["tally"].failed == names["evaluation"].failed == 0
    assert (tmp_path / "letters.spacy").is_file()
    assert capsys.readouterr().out.endswith(f"{names['conversion'].summary()}\n")


def test_the_readme_config_parses():
    config = parse_config(blocks("ini")[0], folder=ROOT)
    assert [head.name for head in config.heads] == ["ner", "topic"]


def test_the_readme_sections_fit_the_readme_config():
    whole, *others = blocks("ini")
    for sections in others:
        merged = whole
        for section in re.split(r"\n(?=\[)", sections.strip()):
            name = re.escape(section.partition("\n")[0])
            merged = (
                re.sub(rf"^{name}.*?(?=^\[|\Z)", "", merged, flags=re.DOTALL | re.MULTILINE)
                + f"\n{section}\n"
            )
        merged = re.sub(r"^heads = .*", "", merged, flags=re.MULTILINE)
        Pipeline.from_config(parse_config(merged, folder=ROOT))


def test_no_placeholder_is_left_in_the_readme():
    assert re.findall(r"^@\w+@$", README, flags=re.MULTILINE) == []


def rooms_of(base: str) -> list[str]:
    """Return the names that CONTRIBUTING's table of a folder shows, in its column "room of `BASE`"."""
    table = CONTRIBUTING[CONTRIBUTING.index(f"room of `{base}`") :].split("\n\n")[0]
    header, _, *rows = (CONTRIBUTING[: CONTRIBUTING.index(table)].rpartition("\n")[2] + table).split("\n")
    column = next(n for n, cell in enumerate(header.split("|")) if "room of" in cell)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[column])]


@pytest.mark.parametrize(
    "base", ["engine/glossator/", "plugins/glossator_keras/", "plugins/glossator_vectors/"]
)
def test_the_rooms_that_contributing_shows_are_those_there_are(base):
    shown = {name.rstrip("/") for name in rooms_of(base)}
    there = {path.name for path in (ROOT / base).iterdir() if path.suffix == ".py" or path.is_dir()}
    assert shown - there == set()
    assert {name for name in there if not name.startswith("__")} - shown == set()


def test_the_readme_plugin_keeps_the_contract():
    (snippet,) = (block for block in blocks("python") if "class ShoutingTagger" in block)
    names: dict[str, object] = {}
    exec(snippet, names)
    stage = Stage(name="shouting", factory=names["ShoutingTagger"])
    own_process = ("config round trip", "batch invariance", "odd documents", "alignment", "docs untouched")
    results = check_stage("tagger", stage, only=own_process)
    assert {result.outcome for result in results} == {"passed"}, results
    assert len(results) == len(own_process)
