"""What became of each prediction, counted again in other ways."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example

from glossator.annotations.layer import CATS, ENTS, TAG, Layer
from glossator.annotations.write import write_spans, write_tags
from glossator.evaluation.matching import confusion, match_categories, match_spans, scores_and_truth
from glossator.evaluation.reliability import (
    CENTRED_BINS,
    calibration_error,
    expected_calibration_error,
    reliability,
)
from glossator.evaluation.scores import retokenized_scores, score_layer
from glossator.stages import ScoredSpan, TokenTags

NLP = spacy.blank("en")
LABELS = ("A", "B", "C")
WORDS = [f"w{i}" for i in range(8)]


def gold_doc(layer, spans, words=WORDS) -> Doc:
    doc = Doc(NLP.vocab, words=words)
    placed = [Span(doc, start, end, label) for start, end, label in spans]
    if layer == "ents":
        doc.set_ents(placed)
    else:
        doc.spans["k"] = placed
    return doc


def annotated_doc(layer, spans, words=WORDS) -> Doc:
    """A Doc with scored spans as the engine writes them."""
    doc = Doc(NLP.vocab, words=words)
    write_spans(doc, "k", Layer.parse(layer), [ScoredSpan(*span) for span in spans])
    if layer == "ents" and not doc.has_annotation("ENT_IOB"):
        doc.set_ents([])
    return doc


def kinds(gold, predicted, layer="spans:k"):
    matches = match_spans([gold_doc(layer, gold)], [annotated_doc(layer, predicted)], Layer.parse(layer), "k")
    return sorted((match.kind, _tokens(match.gold), _tokens(match.predicted)) for match in matches)


def _tokens(labelled):
    """The tokens of `WORDS` (all of two letters and a blank) and the label; "" for nothing."""
    return f"{labelled.start // 3}-{(labelled.end + 1) // 3} {labelled.label}" if labelled else ""


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ([(0, 2, "A")], [(0, 2, "A", 0.9)], [("correct", "0-2 A", "0-2 A")]),
        ([(0, 2, "A")], [(0, 2, "B", 0.9)], [("wrong label", "0-2 A", "0-2 B")]),
        ([(0, 2, "A")], [(1, 3, "A", 0.9)], [("wrong boundaries", "0-2 A", "1-3 A")]),
        # neither its label nor its boundaries: it was meant for something else
        ([(0, 2, "A")], [(1, 3, "B", 0.9)], [("missed", "0-2 A", ""), ("spurious", "", "1-3 B")]),
        ([(0, 2, "A")], [(2, 3, "A", 0.9)], [("missed", "0-2 A", ""), ("spurious", "", "2-3 A")]),
        # one gold span is the partner of one prediction: the surest
        (
            [(0, 4, "A")],
            [(0, 2, "A", 0.3), (2, 3, "A", 0.8)],
            [("spurious", "", "0-2 A"), ("wrong boundaries", "0-4 A", "2-3 A")],
        ),
        # ... and that which is right takes it before any
        (
            [(0, 4, "A")],
            [(0, 4, "A", 0.3), (2, 3, "A", 0.8)],
            [("correct", "0-4 A", "0-4 A"), ("spurious", "", "2-3 A")],
        ),
        # the gold span that it overlaps most
        (
            [(0, 3, "A"), (3, 8, "A")],
            [(2, 6, "A", 0.5)],
            [("missed", "0-3 A", ""), ("wrong boundaries", "3-8 A", "2-6 A")],
        ),
        # the same boundaries go before the same label
        (
            [(0, 2, "B"), (0, 3, "A")],
            [(0, 2, "A", 0.5)],
            [("missed", "0-3 A", ""), ("wrong label", "0-2 B", "0-2 A")],
        ),
        ([(0, 1, "A"), (0, 1, "A")], [(0, 1, "A", 0.5)] * 2, [("correct", "0-1 A", "0-1 A")]),
    ],
)
def test_an_error_is_of_one_of_four_kinds(gold, predicted, expected):
    assert kinds(gold, predicted) == sorted(expected)


unit_spans = st.tuples(st.integers(0, 4), st.integers(5, 8), st.sampled_from(LABELS))
scored_spans = st.tuples(st.integers(0, 4), st.integers(5, 8), st.sampled_from(LABELS), st.floats(0, 1))
single_words = st.lists(st.sampled_from((None, *LABELS)), min_size=8, max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.frozensets(unit_spans), st.lists(scored_spans)), min_size=1, max_size=3))
def test_spans_are_counted_once_and_as_the_scorer_counts_them(rows):
    gold = [gold_doc("spans:k", spans) for spans, _ in rows]
    docs = [annotated_doc("spans:k", spans) for _, spans in rows]
    matches = match_spans(gold, docs, Layer.parse("spans:k"), "k")
    places = [(v.document, v.gold) for v in matches if v.gold]
    assert len(set(places)) == len(places) == sum(len(spans) for spans, _ in rows)
    guesses = [(v.document, v.predicted) for v in matches if v.predicted]
    assert len(set(guesses)) == len(guesses) == sum(len({span[:3] for span in spans}) for _, spans in rows)
    for match in matches:
        assert (match.score is None) == (match.kind == "missed")
        assert match.is_correct == (match.kind == "correct")
        assert match.predicted is None or match.holds == match.is_correct
    scores = score_layer([Example(*pair) for pair in zip(docs, gold, strict=True)], Layer.parse("spans:k"))
    _check_precision_and_recall(matches, scores, "spans_k")


def _check_precision_and_recall(matches, scores, prefix):
    right = sum(match.is_correct for match in matches)
    if not matches:
        assert scores[f"{prefix}_f"] is None
        return
    assert scores[f"{prefix}_p"] == pytest.approx(
        right / max(1, sum(v.predicted is not None for v in matches))
    )
    assert scores[f"{prefix}_r"] == pytest.approx(right / max(1, sum(v.gold is not None for v in matches)))


@settings(max_examples=60, deadline=None)
@given(single_words, single_words, st.sets(st.integers(0, 7)))
def test_entities_where_the_gold_says_nothing_are_no_errors(guess, truth, silent):
    gold = Doc(NLP.vocab, words=WORDS)
    spans = [Span(gold, i, i + 1, label) for i, label in enumerate(truth) if label and i not in silent]
    gold.set_ents(spans, missing=[gold[i : i + 1] for i in silent], default="outside")
    doc = annotated_doc("ents", [(i, i + 1, label, 0.5) for i, label in enumerate(guess) if label])
    matches = match_spans([gold], [doc], ENTS, "k")
    _check_precision_and_recall(matches, score_layer([Example(doc, gold)], ENTS), "ents")
    assert match_spans([Doc(NLP.vocab, words=WORDS)], [doc], ENTS, "k") == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(("", *LABELS))), min_size=1, max_size=12))
def test_tags_are_judged_where_the_gold_has_one_and_white_space_never(pairs):
    words = [f"w{i}" for i in range(len(pairs))]
    text = [words[0], "\n", *words[1:]]
    gold = Doc(NLP.vocab, words=text, tags=[pairs[0][1], "_SP", *(truth for _, truth in pairs[1:])])
    doc = Doc(NLP.vocab, words=text)
    ids = [LABELS.index(tag) for tag, _ in pairs]
    scores = [i / len(pairs) for i in range(len(pairs))]
    tags = TokenTags(np.asarray([ids[0], 0, *ids[1:]]), np.asarray([scores[0], 0.99, *scores[1:]]))
    write_tags(doc, "k", TAG, tags, LABELS)
    matches = match_spans([gold], [doc], TAG, "k")
    expected = [(tag, truth, score) for (tag, truth), score in zip(pairs, scores, strict=True) if truth]
    found = [(match.predicted.label, match.gold.label, match.score) for match in matches]
    assert sorted(found) == sorted(expected)
    assert {match.kind for match in matches} <= {"correct", "wrong label"}
    table = confusion(matches)
    counted = Counter((truth, tag) for tag, truth, _ in expected)
    assert table.labels == tuple(sorted({label for pair in counted for label in pair}))
    for row, truth in enumerate(table.labels):
        assert table.counts[row].tolist() == [counted[truth, tag] for tag in table.labels]


LETTERS = "abcdefg"
cut_letters = st.tuples(
    st.sets(st.integers(1, len(LETTERS) - 1)), st.lists(st.sampled_from(LABELS), min_size=7, max_size=7)
)


@settings(max_examples=60, deadline=None)
@given(cut_letters, cut_letters)
def test_words_cut_differently_are_judged_by_the_conll_18_rule(gold_cuts, guess_cuts):
    docs = []
    for cuts, tags in (gold_cuts, guess_cuts):
        bounds = [0, *sorted(cuts), len(LETTERS)]
        words = [LETTERS[start:end] for start, end in pairwise(bounds)]
        docs.append(Doc(NLP.vocab, words=words, spaces=[False] * len(words), tags=tags[: len(words)]))
    gold, doc = docs
    ids = np.asarray([LABELS.index(token.tag_) for token in doc])
    write_tags(doc, "k", TAG, TokenTags(ids, np.full(len(doc), 0.5)), LABELS)
    matches = match_spans([gold], [doc], TAG, "k")
    _check_precision_and_recall(matches, retokenized_scores([gold], [doc], TAG), "tag")


def classified(guess, truth):
    gold, doc = Doc(NLP.vocab, words=["x"]), Doc(NLP.vocab, words=["x"])
    gold.cats, doc.cats = truth, guess
    return gold, doc


def test_one_category_a_document_is_the_likeliest():
    pairs = [
        classified({"A": 0.7, "B": 0.3}, {"A": 1.0, "B": 0.0}),
        classified({"A": 0.6, "B": 0.4}, {"B": 1.0}),
        classified({"A": 0.8, "B": 0.2}, {"unheard": 1.0}),
        classified({"A": 0.9, "B": 0.1}, {}),
        classified({"A": 0.9, "B": 0.1}, {"A": 0.0, "B": 0.0}),
    ]
    matches = match_categories(*zip(*pairs, strict=True), LABELS[:2], exclusive=True)
    found = [(v.document, v.gold.label, v.predicted.label, v.score, v.kind) for v in matches]
    assert found == [
        (0, "A", "A", 0.7, "correct"),
        (1, "B", "A", 0.6, "wrong label"),
        (2, "unheard", "A", 0.8, "wrong label"),
    ]
    assert confusion(matches).labels == ("A", "B", "unheard")
    examples = [Example(doc, gold) for gold, doc in pairs]
    assert score_layer(examples, CATS, labels=LABELS[:2])["cats_acc"] == pytest.approx(1 / 3)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.floats(0, 1), min_size=3, max_size=3),
            st.lists(st.sampled_from((None, 0.0, 1.0)), min_size=3, max_size=3),
        )
    ),
    st.sampled_from(({}, dict.fromkeys(LABELS, 0.2), dict.fromkeys(LABELS, 0.8))),
)
def test_of_several_categories_each_is_judged(rows, thresholds):
    pairs = [
        classified(
            dict(zip(LABELS, guess, strict=True)),
            {label: value for label, value in zip(LABELS, truth, strict=True) if value is not None},
        )
        for guess, truth in rows
    ]
    gold, docs = [gold for gold, _ in pairs], [doc for _, doc in pairs]
    matches = match_categories(gold, docs, LABELS, exclusive=False, thresholds=thresholds)
    scores, truth = scores_and_truth(matches)
    known = [
        (score, value == 1.0)
        for guess, values in rows
        for score, value in zip(guess, values, strict=True)
        if value is not None
    ]
    assert list(zip(scores.tolist(), truth.tolist(), strict=True)) == known
    least = thresholds.get(LABELS[0], 0.5)
    decided = [(score >= least, so) for score, so in known]
    counted = Counter(match.kind for match in matches)
    assert counted["correct"] == sum(yes == so for yes, so in decided)
    assert counted["spurious"] == sum(yes and not so for yes, so in decided)
    assert counted["missed"] == sum(so and not yes for yes, so in decided)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1) | st.sampled_from((0.05, 0.85, 0.95, 1.0)), st.booleans())))
def test_bins_may_have_any_edges(pairs):
    scores, correct = [score for score, _ in pairs], [right for _, right in pairs]
    rows = reliability(scores, correct, CENTRED_BINS)
    bounds = set(pairwise(CENTRED_BINS))
    for low, high, number, mean_score, accuracy in rows:
        assert (low, high) in bounds
        held = [pair for pair in pairs if low <= pair[0] < high or pair[0] == high == 1.0]
        assert number == len(held) > 0
        assert mean_score == pytest.approx(sum(score for score, _ in held) / number)
        assert accuracy == pytest.approx(sum(right for _, right in held) / number)
    assert sum(row.number for row in rows) == len(pairs)
    assert expected_calibration_error(scores, correct, CENTRED_BINS) == calibration_error(rows)


def test_nine_tenths_are_in_the_middle_of_a_bin():
    assert [(row.low, row.high) for row in reliability([0.9], [True], CENTRED_BINS)] == [(0.85, 0.95)]
    for low, high in pairwise(CENTRED_BINS[1:-1]):
        assert (low + high) / 2 == pytest.approx(round((low + high) / 2, 1))
