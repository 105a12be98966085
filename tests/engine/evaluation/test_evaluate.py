"""Scores of a pipeline's heads: spaCy's own, whichever way they are asked for."""

from __future__ import annotations

import json
import random
import re
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from spacy.scorer import Scorer, get_ner_prf
from spacy.tokens import Doc
from spacy.training import Example

import glossator
from glossator.config.text import parse_config
from glossator.data.examples import read_gold
from glossator.data.source import DataSource
from glossator.evaluation.evaluate import Evaluation, evaluate_from_raw_text, evaluate_head
from glossator.evaluation.matching import Match
from glossator.pipeline.pipeline import Pipeline
from glossator.training.dev_score import dev_score
from glossator.training.trainer import train


@pytest.fixture(scope="module")
def pipeline(trained_samples) -> Pipeline:
    return glossator.load(trained_samples)


def gold(pipeline: Pipeline, head: str, split: str = "test") -> list[Example]:
    config = pipeline.config
    source = DataSource(config.data[head], config.folder, None, pipeline.plugins)
    return read_gold(source.records(split), pipeline.heads[head].config.layer, pipeline.tokenizer).examples


def by_hand(pipeline: Pipeline, head: str) -> list[Example]:
    """Annotate copies of the gold documents with the whole pipeline.

    In one batch and in order, as `evaluate_head` does: other batches round differently, which shows where a
    score is at the edge of a bin, or in the rank of two scores that are nearly equal.
    """
    examples = gold(pipeline, head)
    pipeline.annotate([example.predicted for example in examples])
    return examples


def test_scores_are_those_of_spacys_scorer(pipeline):
    ents = evaluate_head(pipeline, pipeline.heads["ner"], gold(pipeline, "ner"))
    wanted = get_ner_prf(by_hand(pipeline, "ner"))
    assert wanted["ents_f"] > 0
    assert {name: ents.scores[name] for name in wanted} == wanted

    pos = evaluate_head(pipeline, pipeline.heads["pos"], gold(pipeline, "pos"))
    assert pos.scores["pos_acc"] == Scorer.score_token_attr(by_hand(pipeline, "pos"), "pos")["pos_acc"] > 0

    cats = evaluate_head(pipeline, pipeline.heads["mood"], gold(pipeline, "mood"))
    wanted = Scorer.score_cats(
        by_hand(pipeline, "mood"), "cats", labels=["negative", "positive"], multi_label=False
    )
    for name in ("cats_score", "cats_macro_f", "cats_micro_f", "cats_f_per_type", "cats_macro_auc"):
        assert cats.scores[name] == wanted[name]
    right = [
        max(example.predicted.cats, key=example.predicted.cats.get) in _holding(example.reference)
        for example in by_hand(pipeline, "mood")
    ]
    assert cats.scores["cats_acc"] == pytest.approx(sum(right) / len(right))
    assert (cats.documents, ents.documents) == (len(right), len(gold(pipeline, "ner")))
    assert ents.words == sum(len(example.reference) for example in gold(pipeline, "ner"))
    assert all(result.scores["words_per_second"] > 0 for result in (ents, pos, cats))


def _holding(doc: Doc) -> set[str]:
    return {label for label, value in doc.cats.items() if value == 1}


def scored_by_hand(pipeline: Pipeline, head: str) -> list[tuple[float, bool]]:
    """Each probability on the test set, and whether what it was given to is so."""
    examples = by_hand(pipeline, head)
    if head == "mood":
        tops = [max(example.predicted.cats.items(), key=lambda item: item[1]) for example in examples]
        return [
            (score, label in _holding(example.reference))
            for (label, score), example in zip(tops, examples, strict=True)
        ]
    pairs = []
    for example in examples:
        group = example.predicted.spans[head]
        scores = group.attrs["scores"]
        if head == "ner":
            gold = {(ent.start, ent.end, ent.label_) for ent in example.reference.ents}
            right = [(span.start, span.end, span.label_) in gold for span in group]
        else:
            sides = zip(example.predicted, example.reference, strict=True)
            right = [ours.pos_ == theirs.pos_ for ours, theirs in sides]
        pairs += zip(scores, right, strict=True)
    return pairs


def test_every_head_is_measured_for_calibration(pipeline):
    for name, head in pipeline.heads.items():
        evaluation = evaluate_head(pipeline, head, gold(pipeline, name))
        pairs = scored_by_hand(pipeline, name)
        error = 0.0
        for low, high in pairwise((0, 0.05, *(0.05 + i / 10 for i in range(1, 10)), 1.01)):
            held = [pair for pair in pairs if low <= pair[0] < high]
            error += abs(sum(score for score, _ in held) - sum(right for _, right in held)) / len(pairs)
        assert evaluation.scores["ece"] == pytest.approx(error)
        assert sum(row.number for row in evaluation.reliability) == len(pairs)
        assert (evaluation.confusion is None) == (name == "ner")


def test_several_categories_are_each_measured(samples_config, tmp_path):
    several = samples_config.replace('stage = "linear"', 'stage = "linear"\nexclusive = false')
    several = several.replace('["ner", "pos", "mood"]', '["mood"]')
    trained = train(parse_config(_without_taggers(several), folder=Path()), tmp_path / "several").pipeline
    examples = gold(trained, "mood")
    evaluation = evaluate_head(trained, trained.heads["mood"], examples)
    assert sum(row.number for row in evaluation.reliability) == 2 * len(examples)
    assert evaluation.confusion is None
    least = trained.heads["mood"].thresholds
    assert least.keys() == {"positive", "negative"}
    decided = [{label for label, p in e.predicted.cats.items() if p >= least[label]} for e in examples]
    right = [found == _holding(e.reference) for found, e in zip(decided, examples, strict=True)]
    assert evaluation.scores["cats_acc"] == pytest.approx(sum(right) / len(right))


def _without_taggers(config: str) -> str:
    sections = re.split(r"^(?=\[)", config, flags=re.MULTILINE)
    return "".join(s for s in sections if not s.startswith(("[taggers.", "[data.ner", "[data.pos")))


def test_what_cannot_be_told_is_none(pipeline):
    head = pipeline.heads["ner"]
    doc = pipeline.tokenizer("nothing here")
    evaluation = evaluate_head(pipeline, head, [Example(doc, Doc(doc.vocab, words=["nothing", "here"]))])
    assert (evaluation.scores["ece"], evaluation.reliability, evaluation.matches) == (None, [], [])
    assert evaluate_head(pipeline, head, []).documents == 0


def in_two_orders(pipeline: Pipeline, head: str) -> list[tuple[Evaluation, dict[int, list[Match]]]]:
    """How a head does on its test set as it stands, then shuffled; and the matches on each document."""
    examples = gold(pipeline, head)
    order = list(range(len(examples)))
    found = []
    for _ in range(2):
        evaluation = evaluate_head(pipeline, pipeline.heads[head], [examples[i] for i in order])
        matches = {
            i: [one._replace(document=i) for one in evaluation.matches if order[one.document] == i]
            for i in order
        }
        found.append((evaluation, matches))
        random.Random(0).shuffle(order)  # the Docs are annotated by now
    return found


def test_the_order_and_what_stood_before_do_not_matter(pipeline, monkeypatch):
    """Each document is a batch of its own, so the arithmetic is the same in any order."""
    monkeypatch.setattr("glossator.evaluation.evaluate.BATCH_WORDS", 1)
    for name in pipeline.heads:
        (once, matches), (again, shuffled) = in_two_orders(pipeline, name)
        assert shuffled == matches
        assert again.reliability == [
            (*row[:3], pytest.approx(row.mean_score), row.accuracy) for row in once.reliability
        ]
        for key, value in once.scores.items():
            if key != "words_per_second":  # sums over documents are in double precision
                assert again.scores[key] == (pytest.approx(value) if isinstance(value, float) else value)


def test_the_order_within_a_batch_changes_only_the_last_digits_of_scores(pipeline):
    """A document is in other rows of the matrix products, where single precision rounds differently."""
    for name in pipeline.heads:
        (_, matches), (_, shuffled) = in_two_orders(pipeline, name)
        for number, of_document in matches.items():
            wanted = [(*match[:3], pytest.approx(match.score, abs=1e-5)) for match in of_document]
            assert sorted(shuffled[number], key=place) == sorted(wanted, key=place)


def place(match) -> tuple[int, int]:
    """Where a match's prediction or, where there is none, its gold stands."""
    side = match[2] or match[1]
    return side.start, side.end


def test_the_score_training_selects_by(pipeline):
    scores = {
        name: dev_score(pipeline, head, gold(pipeline, name)).score for name, head in pipeline.heads.items()
    }
    full = {
        name: evaluate_head(pipeline, head, gold(pipeline, name)).scores
        for name, head in pipeline.heads.items()
    }
    assert scores == {
        "ner": full["ner"]["ents_f"],
        "pos": full["pos"]["pos_acc"],
        "mood": full["mood"]["cats_macro_f"],
    }


def test_the_dev_scores_in_the_meta_are_found_again(pipeline):
    """Calibration comes after them, and changes no label."""
    for name, head in pipeline.heads.items():
        dev = pipeline.meta["scores"][name]["dev"]
        assert dev_score(pipeline, head, gold(pipeline, name, "dev")).score == pytest.approx(dev)


def test_raw_text_tokenized_alike_scores_as_gold_tokens_do(pipeline):
    """Where the tokenizer agrees with the gold, the CoNLL-18 rule says what the plain scores say."""
    head = pipeline.heads["pos"]
    examples = []
    for example in gold(pipeline, "pos"):
        reference = example.reference
        if [t.text for t in pipeline.tokenizer(reference.text)] == [t.text for t in reference]:
            sentences = pipeline.tokenizer(reference.text)
            if [t.is_sent_start for t in sentences] == [t.is_sent_start for t in reference]:
                examples.append(example)
    assert len(examples) > 10
    raw = evaluate_from_raw_text(pipeline, head, [example.reference for example in examples])
    plain = evaluate_head(pipeline, head, examples)
    assert raw.scores["token_f"] == 1
    assert raw.scores["pos_f"] == pytest.approx(plain.scores["pos_acc"])
    assert raw.scores["ece"] == pytest.approx(plain.scores["ece"])


# The command line


def test_json_has_spacys_names(cli, trained_samples, pipeline):
    ended = cli("evaluate", trained_samples, "--json")
    assert ended.code == 0, ended.err
    scores = json.loads(ended.out)
    names = {"ents_p", "ents_r", "ents_f", "ents_per_type", "pos_acc", "words_per_second"}
    names |= {"ece", "cats_score", "cats_macro_f", "cats_micro_f", "cats_f_per_type", "cats_acc"}
    assert names <= scores.keys()
    assert scores["heads"].keys() == {"ner", "pos", "mood"}
    for name, head in pipeline.heads.items():
        wanted = evaluate_head(pipeline, head, gold(pipeline, name))
        found = scores["heads"][name]
        assert (found["documents"], found["words"]) == (wanted.documents, wanted.words)
        for key, value in wanted.scores.items():
            if isinstance(value, float) and key != "words_per_second":
                assert found[key] == pytest.approx(value)
                assert key == "ece" or scores[key] == found[key]  # every head has one of its own
    assert set(scores["ents_per_type"]) == {"LOC", "ORG", "PER"}
    assert set(scores["cats_f_per_type"]) == {"negative", "positive"}


def test_heads_are_scored_on_what_the_gold_files_say(cli, trained_samples, samples_folder):
    ended = cli("evaluate", trained_samples, samples_folder / "reviews.test.jsonl", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["heads"].keys() == {"mood"}
    assert "ner: the gold has no annotations of ents; it is not scored" in ended.err
    columns = 'columns=["token","pos","ner"]'
    sentences = samples_folder / "sentences.test.conll"
    named = cli("evaluate", trained_samples, sentences, "--from-option", columns, "--only", "ner", "--json")
    own = cli("evaluate", trained_samples, "--only", "ner", "--json")
    assert json.loads(named.out)["ents_f"] == json.loads(own.out)["ents_f"]


def test_the_format_is_named_by_from(cli, trained_samples, samples_folder, tmp_path):
    gold_file = tmp_path / "reviews.data"
    shutil.copy(samples_folder / "reviews.test.jsonl", gold_file)
    ended = cli("evaluate", trained_samples, gold_file, "--from", "jsonl", "--only", "mood", "--json")
    assert ended.code == 0, ended.err
    own = json.loads(cli("evaluate", trained_samples, "--only", "mood", "--json").out)
    assert json.loads(ended.out)["cats_score"] == own["cats_score"]


def test_tables_for_reading(cli, trained_samples):
    ended = cli("evaluate", trained_samples)
    assert ended.code == 0
    for part in ("ner (ents): 26 documents", "ents_f", "cats_acc", "PER", "positive"):
        assert part in ended.out


def test_another_split_of_the_pipelines_own_data(cli, trained_samples, pipeline):
    ended = cli("evaluate", trained_samples, "--split", "dev", "--json")
    assert ended.code == 0, ended.err
    heads = json.loads(ended.out)["heads"]
    for name, score in (("ner", "ents_f"), ("pos", "pos_acc"), ("mood", "cats_macro_f")):
        assert heads[name][score] == pytest.approx(pipeline.meta["scores"][name]["dev"])
    test, default = (
        cli("evaluate", trained_samples, *split, "--json") for split in (("--split", "test"), ())
    )
    for name in heads:
        found = [json.loads(ended.out)["heads"][name] for ended in (test, default)]
        assert [f.pop("words_per_second") > 0 for f in found] == [True, True]
        assert found[0] == found[1]


def test_raw_text_is_needed_to_tokenize_anew(cli, trained_samples, samples_folder, tmp_path):
    sentences = samples_folder / "sentences.test.conll"
    columns = 'columns=["token","pos","ner"]'
    ended = cli("evaluate", trained_samples, sentences, "--from-option", columns, "--retokenize")
    assert ended.code == 1
    assert f"{sentences}:1: it has no raw text to tokenize again" in ended.err
    assert "there is no gold document that can be used" in ended.err
    (tmp_path / "gold.jsonl").write_text(
        '{"text": "Mara left Lisbon.", "spans": [{"start": 0, "end": 4, "label": "PER"}]}\n'
    )
    ended = cli(
        "evaluate", trained_samples, tmp_path / "gold.jsonl", "--retokenize", "--only", "ner", "--json"
    )
    assert ended.code == 0, ended.err
    assert {"token_f", "ents_f"} <= json.loads(ended.out).keys()


def test_bad_gold_is_reported_and_the_rest_scored(cli, trained_samples, samples_folder, tmp_path):
    good = (samples_folder / "reviews.test.jsonl").read_text()
    (tmp_path / "gold.jsonl").write_text("{broken\n" * 7 + good)
    ended = cli("evaluate", trained_samples, tmp_path / "gold.jsonl", "--only", "mood", "--json")
    assert ended.code == 3
    assert f"{tmp_path / 'gold.jsonl'}:5: " in ended.err
    assert "... and 2 more" in ended.err
    own = json.loads(cli("evaluate", trained_samples, "--only", "mood", "--json").out)
    assert json.loads(ended.out)["cats_score"] == own["cats_score"]


def test_gold_that_cannot_be_used(cli, trained_samples, tmp_path):
    (tmp_path / "raw.jsonl").write_text('{"text": "Nothing is said of this."}\n')
    ended = cli("evaluate", trained_samples, tmp_path / "raw.jsonl")
    assert (ended.code, "the gold files have no annotations of the layers" in ended.err) == (1, True)
    ended = cli("evaluate", trained_samples, tmp_path / "gone.jsonl")
    assert (ended.code, "gone.jsonl" in ended.err) == (1, True)


def test_heads_without_a_test_set(cli, tmp_path, trained_samples):
    own = tmp_path / "own"
    shutil.copytree(trained_samples, own)
    pipeline = glossator.load(own)
    (tmp_path / "names.jsonl").write_text('{"label": "X", "phrase": "Mara"}\n')
    pipeline.add_tagger("names", "gazetteer", write="spans:names", phrases="names.jsonl")
    pipeline.heads["names"].stage.prepare(tmp_path)
    pipeline.save(own)
    ended = cli("evaluate", own, "--only", "mood", "--only", "names", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["heads"].keys() == {"mood"}
    assert "names: the pipeline's config names no test set for it; it is not scored" in ended.err
    ended = cli("evaluate", own, "--only", "names")
    assert (ended.code, "name GOLD files" in ended.err) == (2, True)


def test_two_heads_of_one_layer_are_told_apart(cli, tmp_path, trained_samples, samples_folder):
    pipeline = glossator.load(trained_samples)
    (tmp_path / "names.jsonl").write_text('{"label": "PER", "phrase": "Mara"}\n')
    pipeline.add_tagger("list", "gazetteer", write="ents", phrases="names.jsonl")
    pipeline.heads["list"].stage.prepare(tmp_path)
    pipeline.save(tmp_path / "both")
    sentences, columns = samples_folder / "sentences.test.conll", 'columns=["token","pos","ner"]'
    arguments = ("evaluate", tmp_path / "both", sentences, "--from-option", columns, "--json")
    scores = json.loads(cli(*arguments).out)
    alone = json.loads(cli(*arguments, "--only", "list").out)
    assert scores["ents_f"] == scores["heads"]["ner"]["ents_f"]
    assert scores["heads"]["list"]["ents_f"] == alone["ents_f"] != scores["ents_f"]


def test_paths_in_the_pipelines_config_count_from_its_folder(cli, tmp_path, samples_folder, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    for split in ("train", "dev", "test"):
        shutil.copy(samples_folder / f"reviews.{split}.jsonl", home)
    monkeypatch.chdir(home)
    train = ("--train", "reviews.train.jsonl", "--dev", "reviews.dev.jsonl")
    ended = cli(
        "train", "--classifier", "linear", *train, "-o", tmp_path / "far" / "off",
        "--set", "data.cats.test=reviews.test.jsonl", "--set", "training.max_epochs=1",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    monkeypatch.chdir(Path("/"))
    ended = cli("evaluate", tmp_path / "far" / "off", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["heads"]["cats"]["documents"] == 22
