from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from spacy.tokens import DocBin

import glossator
from glossator.config.text import read_config
from glossator.data.corpora import corpora_home, recipe

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
LETTERS = corpora_home() / "samples" / "letters.txt"


def script(name, *arguments):
    done = subprocess.run(
        [sys.executable, BENCHMARKS / f"{name}.py", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def module(name):
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def numbers(table, row):
    """The cells of the first row of a table that begins with `row`."""
    line = next(line for line in table.splitlines() if row in line)
    return [cell.strip() for cell in line.split("│")[1:-1]]


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peer")
    options = ("-o", folder / "scores.json", "--work", folder, "--max-steps", 20)
    script("peer", "samples", *options)
    script("peer", "samples_reviews", "--optimize", "efficiency", *options)
    return folder


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipelines")
    # The stages of the samples draw nothing at random: another strength stands for another draw.
    for seed, strength in enumerate((1.0, 30.0)):
        heads = ("taggers.ner", "taggers.pos", "classifiers.sentiment")
        changes = {"glossator.seed": seed} | {f"{head}.strength": strength for head in heads}
        glossator.train(read_config(recipe("samples"), changes), folder / f"samples-seed{seed}")
    return folder


def test_the_peer_learns_and_is_scored_on_the_gold_tokens_of_each_split(peer):
    entries = json.loads((peer / "scores.json").read_text(encoding="utf-8"))["samples"]
    assert set(entries["ner"]["scores"]) == {"ents_p", "ents_r", "ents_f"}
    assert 0 < entries["tagger"]["scores"]["tag_acc"] < 1
    for component in ("ner", "tagger"):
        assert entries[component]["training_seconds"] > 0
        assert str(peer) not in json.dumps(entries[component]), "a path of this machine"
        assert json.loads((peer / f"samples-{component}" / "scores.json").read_text())["token_acc"] == 1.0
        for split in ("train", "dev", "test"):
            stored = DocBin().from_disk(peer / f"samples-{component}" / f"{split}.spacy")
            gold = (corpora_home() / "samples" / f"sentences.{split}.conll").read_text(encoding="utf-8")
            assert len(stored) == len(gold.strip().split("\n\n"))


def test_scores_join_those_of_other_corpora_and_replace_older_ones(tmp_path):
    merge = module("peer").merge
    file = tmp_path / "scores.json"
    merge(file, "one", "ner", {"date": "old"})
    merge(file, "two", "ner", {"date": "kept"})
    merge(file, "one", "tagger", {"date": "kept"})
    merge(file, "one", "ner", {"date": "new"})
    assert json.loads(file.read_text(encoding="utf-8")) == {
        "one": {"ner": {"date": "new"}, "tagger": {"date": "kept"}},
        "two": {"ner": {"date": "kept"}},
    }


def test_the_committed_scores_name_no_path_and_all_that_made_them():
    for corpus, components in json.loads(
        (BENCHMARKS / "peer_scores.json").read_text(encoding="utf-8")
    ).items():
        for component, entry in components.items():
            kind, _, settings = component.partition("-")
            classifies = kind == "textcat"
            assert f"--pipeline {kind}" in entry["commands"][0], corpus
            assert f"--optimize {settings if classifies else 'efficiency'}" in entry["commands"][0], corpus
            assert "max_steps" not in entry["commands"][1], f"{corpus}: cut short"
            assert ("--gold-preproc" in entry["commands"][2]) is not classifies
            words = [word for command in entry["commands"] for word in command.split()]
            assert not any(Path(word).is_absolute() for word in words)
            assert all(0 < score <= 1 for score in entry["scores"].values())


def test_a_recipe_is_set_beside_the_peers_scores(peer, pipelines):
    (peer / "baseline.json").write_text(
        '{"samples": {"pos": {"scores": {"pos_acc": 0.5}}}}', encoding="utf-8"
    )
    files = ("--peer", peer / "scores.json", "--baseline", peer / "baseline.json")
    table = script("compare", "samples", "--pipelines", pipelines, *files)
    theirs = json.loads((peer / "scores.json").read_text(encoding="utf-8"))["samples"]["tagger"]["scores"]
    _, _, metric, _, spacy, baseline, ours, difference, *unknown, time = numbers(table, "pos_acc")
    assert (metric, spacy, baseline) == ("pos_acc", f"{100 * theirs['tag_acc']:.2f}", "50.00")
    assert numbers(table, "ents_f")[5] == "–", "there is no baseline for the entities"
    assert float(difference) == pytest.approx(float(ours) - float(spacy), abs=0.011)
    assert unknown == ["–", "–", "–"], "nothing is said of significance without the peer's answers"
    assert time == "–", "three heads were trained in one run"


def test_both_are_scored_on_the_same_documents(peer, pipelines, cli):
    """The peer's scores found here are those that spaCy itself found."""
    arguments = ("--pipelines", pipelines, "--peers", peer, "--seeds", 2, "--markdown")
    (peer / "none.json").write_text("{}", encoding="utf-8")
    out = script("compare", "samples", *arguments, "--peer", peer / "none.json")
    scores = json.loads((peer / "scores.json").read_text(encoding="utf-8"))
    stored = scores["samples"] | scores["samples_reviews"]
    own = [json.loads(cli("evaluate", pipelines / f"samples-seed{i}", "--json").out) for i in range(2)]
    assert own[0]["pos_acc"] != own[1]["pos_acc"]
    for metric, theirs in (
        ("pos_acc", stored["tagger"]["scores"]["tag_acc"]),
        ("ents_f", stored["ner"]["scores"]["ents_f"]),
        ("cats_acc", stored["textcat-efficiency"]["scores"]["cats_micro_f"]),
    ):
        _, _, _, component, spacy, _, ours, difference, interval, p_value, match, _ = numbers(out, metric)
        assert float(spacy) == pytest.approx(100 * theirs, abs=0.006)
        seeds = [100 * scores[metric] for scores in own]
        spread = abs(seeds[0] - seeds[1]) / 2**0.5
        assert ours == f"{sum(seeds) / 2:.2f} ± {spread:.2f}"
        assert float(difference) == pytest.approx(sum(seeds) / 2 - float(spacy), abs=0.011)
        low, high = map(float, interval.split(" to "))
        assert low <= float(difference) <= high
        assert 0 <= float(p_value) <= 1
        assert match == ("better" if low > 0 else "worse" if high < 0 else "undecided")
        cells = ("`samples`", f"`{metric}`", f"`{component}`", spacy, "–", ours)
        row = " | ".join([*cells, f"{difference} ({interval})", match])
        assert f"| {row} |" in out.splitlines()


def test_what_is_missing_is_trained_with_its_own_seed(tmp_path):
    training = module("recipe_training")
    folder = tmp_path / "samples-seed3"
    cost = training.train("samples", 3, folder)
    assert cost.cpu_seconds > 0
    assert cost.seconds > 0
    assert cost.peak_megabytes > 20, "it loads spaCy"
    assert glossator.load(folder).config.seed == 3
    written = (folder / "meta.json").stat().st_mtime_ns
    assert training.train("samples", 3, folder) == cost
    assert (folder / "meta.json").stat().st_mtime_ns == written, "it was trained again"


def test_a_corpus_without_a_peer_is_shown_without_one(tmp_path, pipelines):
    (tmp_path / "none.json").write_text("{}", encoding="utf-8")
    peer = ("--peer", tmp_path / "none.json", "--peers", tmp_path)
    table = script("compare", "samples", "--pipelines", pipelines, *peer)
    _, _, _, _, spacy, _, ours, difference, *_ = numbers(table, "ents_f")
    assert (spacy, difference) == ("–", "–")
    assert 0 <= float(ours) <= 100


def test_both_annotate_the_same_paragraphs(peer, pipelines):
    model = peer / "samples-ner" / "model" / "model-best"
    table = script(
        "throughput",
        LETTERS,
        "--pipeline",
        pipelines / "samples-seed0",
        "--peer",
        model,
        "--only",
        "ner",
        "--rounds",
        1,
    )
    paragraphs = len(LETTERS.read_text(encoding="utf-8").strip().split("\n\n"))
    assert f"{paragraphs:,} paragraphs" in table
    ours, theirs, ratio = (float(cell.split()[0].replace(",", "")) for cell in numbers(table, "DocBin")[1:])
    assert ratio == pytest.approx(ours / theirs, abs=0.02)


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the peak memory of a process is not told here")
def test_memory_is_that_of_the_process_that_annotates(pipelines, tmp_path):
    memory = module("memory")
    peak = memory.peak_megabytes(pipelines / "samples-seed0", tmp_path, 0.01, seed=0)
    assert 50 < peak < 5_000  # spaCy alone takes more than the one, and the other is a wrong unit


def test_generated_texts_are_repeatable_and_full_of_new_words(tmp_path):
    memory = module("memory")
    for name in ("first", "again"):
        memory.write_text(tmp_path / name, 50_000, seed=3)
    text = (tmp_path / "first").read_text(encoding="ascii")
    assert text == (tmp_path / "again").read_text(encoding="ascii")
    assert 50_000 <= len(text) < 50_500
    assert {len(line.split()) for line in text.splitlines()} == {15}
    assert len(set(text.split())) > len(text.split()) / 4


def test_what_an_import_loads_is_seen_in_a_fresh_process():
    heavy_modules = module("startup").heavy_modules
    assert heavy_modules("thinc") == ["numpy", "thinc"]
    assert heavy_modules("glossator") == []


def test_the_sides_take_turns_in_going_first():
    order = []
    laps = module("throughput").in_turns(
        lambda: order.append("a") or 1.0, lambda: order.append("b") or 2.0, 3
    )
    assert "".join(order) == "abbaab"
    assert laps == [(1.0, 2.0)] * 3
