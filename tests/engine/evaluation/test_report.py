"""What `evaluate --report` leaves behind: scores, every error, pictures."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import spacy
from rich.console import Console
from spacy.tokens import Doc, Span

import glossator
from glossator.annotations.layer import CATS, ENTS
from glossator.annotations.write import write_spans
from glossator.cli.score_tables import print_details, print_scores
from glossator.config.schema import HeadConfig
from glossator.data.examples import SOURCE, read_gold
from glossator.data.source import DataSource
from glossator.evaluation.evaluate import Evaluation, evaluate_head
from glossator.evaluation.matching import Confusion, Labelled, Match, match_categories, match_spans
from glossator.evaluation.plots import MOST_LABELS, can_draw, confusion_picture, reliability_diagram
from glossator.evaluation.reliability import ReliabilityBin
from glossator.evaluation.report import error_counts, error_rows, write_report
from glossator.pipeline.head import Head
from glossator.plugins.declared import Plugin
from glossator.stages import ScoredSpan

NLP = spacy.blank("en")
PNG = b"\x89PNG\r\n"


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def evaluated(trained_samples):
    """For each head of the samples its layer, how it did and the gold Docs."""
    pipeline = glossator.load(trained_samples)
    found = {}
    for name, head in pipeline.heads.items():
        source = DataSource(pipeline.config.data[name], pipeline.config.folder, None, pipeline.plugins)
        examples = read_gold(source.records("test"), head.config.layer, pipeline.tokenizer).examples
        if name == "mood":  # which makes no error on the samples: so one document has the wrong gold
            examples[0].reference.cats = {key: 1 - value for key, value in examples[0].reference.cats.items()}
        evaluation = evaluate_head(pipeline, head, examples)
        found[name] = (head.config.layer, evaluation, [example.reference for example in examples])
    return found


@pytest.mark.parametrize("head", ["ner", "pos", "mood"])
def test_the_files_add_up_to_the_scores(head, evaluated, tmp_path):
    layer, evaluation, gold = evaluated[head]
    names = [f"{head}.json", f"{head}.errors.jsonl", f"{head}.reliability.png"]
    names += [] if head == "ner" else [f"{head}.confusion.png"]
    written = write_report(tmp_path / "new" / "report", head, layer, evaluation, gold)
    assert [path.name for path in written] == names
    summary = json.loads(written[0].read_text(encoding="utf-8"))
    assert summary["scores"] == json.loads(json.dumps(evaluation.scores))
    assert summary["documents"] == len(gold)
    assert [ReliabilityBin(**row) for row in summary["reliability"]] == evaluation.reliability
    rows = lines_of(written[1])
    assert len(rows) == sum(summary["errors"].values()) > 0
    wrong = sum(row["predicted"] is not None for row in rows)
    judged = sum(row["number"] for row in summary["reliability"])
    share = 1 - wrong / judged
    main = {"ner": "ents_p", "pos": "pos_acc", "mood": "cats_acc"}[head]
    assert summary["scores"][main] == pytest.approx(share)
    if head == "ner":
        assert summary["confusion"] is None
        return
    counts = np.asarray(summary["confusion"]["counts"])
    assert counts.trace() / counts.sum() == pytest.approx(share)
    for label, row in zip(summary["confusion"]["labels"], counts, strict=True):
        missed = sum(error["gold"]["label"] == label for error in rows)
        assert row.sum() - row[summary["confusion"]["labels"].index(label)] == missed


@pytest.mark.parametrize("head", ["ner", "pos", "mood"])
def test_errors_are_found_again_in_their_documents_the_surest_first(head, evaluated):
    layer, evaluation, gold = evaluated[head]
    rows = list(error_rows(evaluation.matches, layer, gold))
    doubts = [round(1 - row["score"], 5) for row in rows if row["score"] is not None]
    assert doubts == sorted(doubts)
    assert [row["score"] for row in rows[len(doubts) :]] == [None] * (len(rows) - len(doubts))
    for row in rows:
        doc = gold[row["document"] - 1]
        assert row["text"] in doc.text
        if head == "mood":
            assert row["text"] == doc.text
            continue
        for side in (row["gold"], row["predicted"]):
            if side:
                assert row["text"][side["start"] : side["end"]] == side["text"] != ""


def test_errors_that_are_equally_sure_but_for_rounding_are_in_order():
    """The same text twice in one batch is in other rows of a product, whose last digits may differ."""
    whole, other = Labelled(0, 1, "A"), Labelled(0, 1, "B")
    scores = (0.88194271, 0.3, 0.88194279, 0.88194275)
    matches = [Match(number, whole, other, score) for number, score in enumerate(scores)]
    rows = list(error_rows(matches, CATS, [Doc(NLP.vocab, words=["x"])] * 4))
    assert [row["document"] for row in rows] == [1, 3, 4, 2]
    assert [row["score"] for row in rows] == [0.88194271, 0.88194279, 0.88194275, 0.3]  # in full


def test_an_error_stands_in_its_sentences_and_no_others():
    words = ["One", "here", ".", "Two", "there", ".", "Three", "."]
    starts = [i in (0, 3, 6) for i in range(len(words))]
    gold = Doc(NLP.vocab, words=words, sent_starts=starts)
    gold.set_ents([Span(gold, 0, 1, "A"), Span(gold, 3, 4, "A")])
    doc = Doc(NLP.vocab, words=words)
    # the last one is wrong in two sentences at once
    spans = [ScoredSpan(0, 1, "B", 0.4), ScoredSpan(3, 7, "A", 0.9), ScoredSpan(7, 8, "C", 0.2)]
    write_spans(doc, "ner", ENTS, spans)
    matches = match_spans([gold], [doc], ENTS, "ner")
    gold.user_data[SOURCE] = ("letters.txt", 7)
    rows = list(error_rows(matches, ENTS, [gold]))
    assert [(row["kind"], row["text"]) for row in rows] == [
        ("wrong boundaries", "Two there . Three ."),
        ("wrong label", "One here ."),
        ("spurious", "Three ."),
    ]
    assert rows[1] == {
        "document": 1,
        "file": "letters.txt",
        "line": 7,
        "kind": "wrong label",
        "score": 0.4,
        "predicted": {"label": "B", "text": "One", "start": 0, "end": 3},
        "gold": {"label": "A", "text": "One", "start": 0, "end": 3},
        "text": "One here .",
    }
    assert error_counts(matches) == {"spurious": 1, "wrong label": 1, "wrong boundaries": 1}
    whole = Doc(NLP.vocab, words=words)  # says nothing of sentences
    whole.set_ents(gold.ents)
    assert {row["text"] for row in error_rows(matches, ENTS, [whole])} == {whole.text}


def test_a_category_held_to_be_unlikely_is_an_error_as_sure_as_one_held_to_be_likely():
    gold, doc = Doc(NLP.vocab, words=["x"]), Doc(NLP.vocab, words=["x"])
    gold.cats, doc.cats = {"A": 1.0, "B": 0.0, "C": 1.0}, {"A": 0.02, "B": 0.9, "C": 0.4}
    matches = match_categories([gold], [doc], ("A", "B", "C"), exclusive=False)
    rows = list(error_rows(matches, CATS, [gold]))
    assert [(row["kind"], row["score"]) for row in rows] == [
        ("missed", 0.02),
        ("spurious", 0.9),
        ("missed", 0.4),
    ]
    assert (rows[0]["gold"], rows[0]["predicted"]) == ({"label": "A"}, None)


def test_text_in_any_script_is_written_as_it_is(tmp_path):
    gold = Doc(NLP.vocab, words=["东京", "🙂", "e\u0301"])
    doc = gold.copy()
    gold.set_ents([Span(gold, 0, 1, "地")])
    write_spans(doc, "ner", ENTS, [])
    matches = match_spans([gold], [doc], ENTS, "ner")
    written = write_report(tmp_path, "ner", ENTS, Evaluation(documents=1, matches=matches), [gold])
    assert [path.name for path in written] == ["ner.json", "ner.errors.jsonl"]  # no score, so no picture
    assert "东京 🙂 e\u0301" in written[1].read_text(encoding="utf-8")
    [row] = lines_of(written[1])
    assert row["gold"] == {"label": "地", "text": "东京", "start": 0, "end": 2}


# Pictures


def table_of(*labels):
    return Confusion(labels, np.arange(len(labels) ** 2).reshape(len(labels), len(labels)))


def test_pictures_are_drawn_whatever_the_labels_look_like():
    rows = [ReliabilityBin(0.85, 0.95, 10, 0.9, 0.8)]
    assert reliability_diagram("ner", rows).startswith(PNG)
    for labels in (["$_^{$", "地名", "a_b"], ["one"], [f"label {i}" for i in range(MOST_LABELS)]):
        assert confusion_picture("pos", table_of(*labels)).startswith(PNG)


def test_nothing_is_drawn_of_nothing_or_of_too_many_labels():
    assert reliability_diagram("ner", []) is None
    assert confusion_picture("pos", None) is None
    assert confusion_picture("pos", table_of()) is None
    assert confusion_picture("pos", table_of(*map(str, range(MOST_LABELS + 1)))) is None


def test_without_matplotlib_there_are_no_pictures(no_pictures):
    assert not can_draw()
    assert reliability_diagram("ner", [ReliabilityBin(0.85, 0.95, 10, 0.9, 0.8)]) is None
    assert confusion_picture("pos", table_of("A", "B")) is None


# The command line


def test_the_report_of_a_pipeline(cli, trained_samples, tmp_path, evaluated):
    folder = tmp_path / "report"
    ended = cli("evaluate", trained_samples, "--report", folder)
    assert ended.code == 0, ended.err
    suffixes = (".json", ".errors.jsonl", ".reliability.png", ".confusion.png")
    wanted = {f"{head}{suffix}" for head in ("ner", "pos", "mood") for suffix in suffixes}
    assert {path.name for path in folder.iterdir()} == wanted - {"ner.confusion.png"}
    for head, (_, evaluation, _) in evaluated.items():
        assert f"{head}: reliability" in ended.out
        for row in evaluation.reliability:
            cells = (f"{row.low:.2f}–{row.high:.2f}", f"{row.number:,}", f"{row.mean_score:.3f}")
            assert any(all(cell in line for cell in cells) for line in ended.out.splitlines())
    assert "mood: confusion" in ended.out
    assert "ner: confusion" not in ended.out
    counts = ", ".join(f"{n} {kind}" for kind, n in error_counts(evaluated["ner"][1].matches).items())
    assert f"ner: {counts}; {folder}: ner.json, ner.errors.jsonl, ner.reliability.png\n" in ended.err
    assert "matplotlib" not in ended.err


def test_a_report_goes_with_json_and_replaces_an_older_one(cli, trained_samples, tmp_path, no_pictures):
    (tmp_path / "mood.json").write_text("older")
    ended = cli("evaluate", trained_samples, "--only", "mood", "--json", "--report", tmp_path)
    assert ended.code == 0, ended.err
    assert {path.name for path in tmp_path.iterdir()} == {"mood.json", "mood.errors.jsonl"}
    scores = json.loads((tmp_path / "mood.json").read_text())["scores"]
    assert json.loads(ended.out)["heads"]["mood"]["ece"] == scores["ece"]
    assert ended.err.splitlines()[-1] == "pictures need matplotlib: pip install 'glossator[plots]'"


def test_the_errors_of_a_linear_stage_show_the_features_that_decided(cli, trained_samples, tmp_path):
    texts = ["A wonderful evening.", "A dreadful evening."]
    gold = [{"text": text, "cats": {label: 1.0}} for text in texts for label in ("positive", "negative")]
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in gold))
    ended = cli("evaluate", trained_samples, tmp_path / "gold.jsonl", "--only", "mood", "--report", tmp_path)
    assert ended.code == 0, ended.err
    rows = lines_of(tmp_path / "mood.errors.jsonl")
    assert len(rows) == 2
    for row in rows:
        predicted, missed = (dict(row[side]["features"]) for side in ("predicted", "gold"))
        assert predicted.keys() & missed.keys()
        # Of two labels that exclude each other, what speaks for one speaks against the other.
        assert all(predicted[name] * missed[name] < 0 for name in predicted.keys() & missed.keys())
        assert sum(predicted.values()) > sum(missed.values())


def test_a_report_of_raw_text(cli, trained_samples, tmp_path):
    gold = {"text": "Mara left. She saw Lisbon.", "spans": [{"start": 0, "end": 4, "label": "LOC"}]}
    (tmp_path / "gold.jsonl").write_text(json.dumps(gold) + "\n")
    arguments = ("--retokenize", "--only", "ner", "--report", tmp_path)
    ended = cli("evaluate", trained_samples, tmp_path / "gold.jsonl", *arguments)
    assert ended.code == 0, ended.err
    for row in lines_of(tmp_path / "ner.errors.jsonl"):
        assert row["text"] in ("Mara left.", "She saw Lisbon.")


def test_a_folder_that_cannot_be_is_found_before_the_work(cli, trained_samples, tmp_path):
    (tmp_path / "file").write_text("")
    ended = cli("evaluate", trained_samples, "--report", tmp_path / "file" / "report")
    assert (ended.code, ended.out) == (1, "")
    assert str(tmp_path / "file") in ended.err


def details(evaluation: Evaluation, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_details(console, "pos", evaluation)
    return console.file.getvalue()


def test_the_scores_of_a_label_say_how_often_the_gold_has_it_and_when_it_holds():
    rows = {"sea": {"p": 0.5, "r": 0.25, "f": 1 / 3}, "air": {"p": 0.0, "r": 0.0, "f": 0.0}}
    whole = Labelled(0, 5, "sea")
    matches = [Match(0, whole, whole, 0.9), Match(1, whole, None, None), Match(2, None, whole, 0.8)]
    console = Console(file=io.StringIO(), width=80)
    config = HeadConfig(name="topic", kind="classifier", stage="linear", layer=CATS)
    head = Head(config, None, Plugin("test", "", ""), thresholds={"sea": 0.125})
    print_scores(console, head, Evaluation(scores={"cats_f_per_type": rows}, matches=matches))
    shown = [line.split() for line in console.file.getvalue().splitlines()]
    assert ["│", "sea", "│", "2", "│", "0.5000", "│", "0.2500", "│", "0.3333", "│", "0.1250", "│"] in shown
    assert ["│", "air", "│", "0", "│", "0.0000", "│", "0.0000", "│", "0.0000", "│", "–", "│"] in shown


def test_a_confusion_matrix_is_shown_whole_or_not_at_all():
    numbers = np.full((12, 12), 1234)
    evaluation = Evaluation(confusion=Confusion(tuple(f"[b]{i}" for i in range(12)), numbers))
    wide = details(evaluation, 200)
    assert wide.count("1234") == 144
    assert wide.count("[b]11") == 2
    width = max(len(line.strip()) for line in wide.splitlines())
    assert details(evaluation, width).count("1234") == 144
    said = f"pos: the confusion matrix needs {width} columns; see pos.json\n"
    assert details(evaluation, width - 1) == said


def test_a_confusion_matrix_of_many_labels_is_not_shown():
    many = Confusion(tuple(map(str, range(21))), np.zeros((21, 21), dtype=int))
    assert details(Evaluation(confusion=many), 1_000) == ""
    assert details(Evaluation(confusion=Confusion((), np.zeros((0, 0), dtype=int))), 1_000) == ""
