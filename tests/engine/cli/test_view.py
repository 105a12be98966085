"""How annotations look when they are shown for reading."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from rich.console import Console
from toy_pipelines import fixed

import glossator
from glossator.annotations.read import categories_of
from glossator.cli.progress import TrainingView, sparkline
from glossator.cli.view import ReadableWriter
from glossator.formats import Record
from glossator.pipeline.pipeline import Pipeline

TEXT = "Mara Voss left Lisbon. We loved the soup."


def shown(trained: Path, text: str, *, only: tuple[str, ...] = (), **console) -> str:
    pipeline = glossator.load(trained, only=only)
    stream = io.StringIO()
    writer = ReadableWriter(pipeline, Console(file=stream, highlight=False, soft_wrap=True, **console))
    writer.write(pipeline(text), Record(text, file="in.txt", line=3))
    return stream.getvalue()


def test_the_view_shows_entities_tags_and_categories(trained_samples):
    pipeline = glossator.load(trained_samples)
    doc = pipeline(TEXT)
    out = shown(trained_samples, TEXT)
    assert out.startswith("in.txt:3\n")
    for entity, score in zip(doc.ents, doc.spans["ner"].attrs["scores"], strict=True):
        assert f"[{entity.text} {entity.label_} {score:.2f}]" in out
    for token in doc:
        assert f"{token.text}/{token.pos_} " in out
    [likeliest] = categories_of(doc)["mood"]
    for label, score in doc.cats.items():
        [line] = [line for line in out.splitlines() if label in line and line.endswith(f"{score:.2f}")]
        assert ("✓" in line) == (label == likeliest)
    assert "\x1b" not in out


def test_a_stage_that_is_fitted_at_once_has_a_bar_without_end():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, color_system=None)
    with TrainingView(console) as view:
        view.head_started("topic", 0, 1200, 0)
        view.batch_done(1200)
        view.head_started("ner", 0, 300, 5)
        view.batch_done(100)
    shown = stream.getvalue()
    assert "topic seed 0: 1,200 words, trained in one step" in shown
    assert "ner seed 0: 300 words per epoch, at most 5 epochs" in shown
    assert "100/300 words" in shown


def test_the_text_comes_first_and_whole(trained_samples, tmp_path):
    pipeline = glossator.load(trained_samples, only=["ner"])
    (tmp_path / "names.jsonl").write_text(
        '{"label": "A", "phrase": "Mara Voss"}\n{"label": "B", "phrase": "Voss left"}\n'
    )
    pipeline.add_tagger("names", "gazetteer", write="spans:names", phrases="names.jsonl")
    pipeline.heads["names"].stage.prepare(tmp_path)
    pipeline.save(tmp_path / "both")
    out = shown(tmp_path / "both", TEXT).splitlines()
    assert "left" in out[1]
    assert out[2:4] == ["  names: A Mara Voss 1.00", "  names: B Voss left 1.00"]
    # without entities, the bare text stands first
    assert shown(tmp_path / "both", TEXT, only=("names",)).splitlines()[1] == TEXT
    # what looks like markup is text
    assert "[bold]no[/bold]" in shown(tmp_path / "both", "[bold]no[/bold] x", only=("names",))
    assert shown(tmp_path / "both", "").startswith("in.txt:3")


def test_categories_that_look_equal_are_in_order_and_those_that_hold_come_first():
    scores = np.asarray([[0.2500001, 0.1, 0.25000004, 0.25000013]])
    labels = ("plum", "fig", "apple", "quince")
    pipeline = Pipeline("en").add_classifier("fruit", fixed(lambda docs: scores, labels=labels))
    pipeline.heads["fruit"].thresholds = dict.fromkeys(labels, 0.5) | {"apple": 0.25}
    stream = io.StringIO()
    ReadableWriter(pipeline, Console(file=stream, highlight=False)).write(pipeline("x"), Record("x"))
    bars = [line for line in stream.getvalue().splitlines() if line.startswith("  fruit:")]
    assert [next(label for label in labels if label in bar) for bar in bars] == [
        "apple",
        "plum",
        "quince",
        "fig",
    ]
    assert ["✓" in bar for bar in bars] == [True, False, False, False]


def test_colour_only_where_it_is_wanted(trained_samples, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in shown(trained_samples, TEXT, force_terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    colourless = shown(trained_samples, TEXT, force_terminal=True)
    assert not any(f"\x1b[{code}m" in colourless for code in (31, 32, 33, 34, 35, 36))


def test_sparklines():
    assert sparkline([0.0, 0.5, 1.0]) == "▁▅█"
    assert sparkline([0.3]) == "▁"
