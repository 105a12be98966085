from __future__ import annotations

from itertools import pairwise

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.scorer import Scorer
from spacy.tokens import Doc, Span
from spacy.training import Example

from glossator.annotations.layer import CATS, ENTS, POS, TAG, Layer
from glossator.errors import ConfigError, DataError
from glossator.evaluation.scores import main_score, retokenized_scores, score_layer

NLP = spacy.blank("en")
LABELS = ("A", "B", "C")


def make(words, ents=None, spans=None, **attributes) -> Doc:
    doc = Doc(NLP.vocab, words=words, **attributes)
    if ents is not None:
        doc.ents = [Span(doc, *ent) for ent in ents]
    for key, group in (spans or {}).items():
        doc.spans[key] = [Span(doc, *span) for span in group]
    return doc


def prf(found: set, gold: set) -> tuple[float, float, float]:
    """Precision, recall and F1, counted one by one."""
    right = sum(1 for unit in found if unit in gold)
    precision = right / len(found) if found else 0.0
    recall = right / len(gold) if gold else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if right else 0.0


def of(scores, prefix):
    return tuple(scores[f"{prefix}_{part}"] for part in "prf")


# Docs of eight tokens with entities that do not overlap: each cell is one token or part of the one before.
entity_rows = st.lists(st.sampled_from((None, *LABELS)), min_size=8, max_size=8)
span_sets = st.frozensets(st.tuples(st.integers(0, 3), st.integers(4, 8), st.sampled_from(LABELS)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(entity_rows, entity_rows), min_size=1, max_size=4))
def test_entities_score_as_counted_by_hand(rows):
    words = [f"w{i}" for i in range(8)]
    found, gold, examples = set(), set(), []
    for number, pair in enumerate(rows):
        guess, truth = ([(i, i + 1, label) for i, label in enumerate(row) if label] for row in pair)
        examples.append(Example(make(words, guess), make(words, truth)))
        found |= {(number, *ent) for ent in guess}
        gold |= {(number, *ent) for ent in truth}
    scores = score_layer(examples, ENTS)
    if not found | gold:
        assert of(scores, "ents") == (None, None, None)
        return
    assert of(scores, "ents") == pytest.approx(prf(found, gold))
    for label in {unit[-1] for unit in found | gold}:
        some = [{unit for unit in units if unit[-1] == label} for units in (found, gold)]
        per_type = scores["ents_per_type"][label]
        assert (per_type["p"], per_type["r"], per_type["f"]) == pytest.approx(prf(*some))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(span_sets, span_sets), min_size=1, max_size=4))
def test_overlapping_spans_score_as_counted_by_hand(rows):
    words = [f"w{i}" for i in range(8)]
    examples = [Example(make(words, spans={"k": a}), make(words, spans={"k": b})) for a, b in rows]
    found = {(number, *span) for number, (guess, _) in enumerate(rows) for span in guess}
    gold = {(number, *span) for number, (_, truth) in enumerate(rows) for span in truth}
    scores = score_layer(examples, Layer.parse("spans:k"))
    expected = prf(found, gold) if found | gold else (None, None, None)
    assert of(scores, "spans_k") == pytest.approx(expected)


def test_documents_without_gold_are_no_failures():
    words = ["a", "b"]
    annotated = Example(make(words, [(0, 1, "A")], {"k": [(0, 1, "A")]}), make(words, [(0, 1, "A")]))
    annotated.reference.spans["k"] = [Span(annotated.reference, 0, 1, "A")]
    silent = Example(make(words, [(0, 2, "B")], {"k": [(0, 2, "B")]}), make(words))
    for layer, prefix in (("ents", "ents"), ("spans:k", "spans_k")):
        assert of(score_layer([annotated, silent], Layer.parse(layer)), prefix) == pytest.approx(
            (1.0, 1.0, 1.0)
        )
        assert of(score_layer([silent], Layer.parse(layer)), prefix) == (None, None, None)
    assert score_layer([silent], TAG)["tag_acc"] is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(("", *LABELS))), min_size=1, max_size=12))
def test_tags_score_where_the_gold_has_one_and_skip_white_space(pairs):
    words = [f"w{i}" for i in range(len(pairs))]
    gold = make(words, tags=[truth for _, truth in pairs])
    guess = make([*words[:1], "\n", *words[1:]], tags=[pairs[0][0], "_SP", *(tag for tag, _ in pairs[1:])])
    judged = [(tag, truth) for tag, truth in pairs if truth]
    expected = sum(tag == truth for tag, truth in judged) / len(judged) if judged else None
    assert score_layer([Example(guess, gold)], TAG)["tag_acc"] == pytest.approx(expected)


def test_pos_is_scored_too():
    words = ["a", "b", "c", "d"]
    guess = make(words, pos=["NOUN", "VERB", "X", "NOUN"])
    gold = make(words, pos=["NOUN", "VERB", "NOUN", "ADJ"])
    assert score_layer([Example(guess, gold)], POS)["pos_acc"] == pytest.approx(2 / 4)


def classified(guesses, truths):
    examples = [Example(make(["x"]), make(["x"])) for _ in guesses]
    for example, guess, truth in zip(examples, guesses, truths, strict=True):
        example.predicted.cats = guess
        example.reference.cats = truth
    return examples


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.permutations((0.1, 0.3, 0.6)), st.sampled_from((None, *LABELS))), min_size=1))
def test_exclusive_classes_score_as_counted_by_hand(pairs):
    guesses = [dict(zip(LABELS, values, strict=True)) for values, _ in pairs]
    truths = [{label: float(label == gold) for label in LABELS} if gold else {} for _, gold in pairs]
    scores = score_layer(classified(guesses, truths), CATS, labels=LABELS, exclusive=True)
    judged = [
        (max(guess, key=guess.get), gold) for guess, (_, gold) in zip(guesses, pairs, strict=True) if gold
    ]
    if not judged:
        assert scores["cats_acc"] is None
        return
    assert scores["cats_acc"] == pytest.approx(sum(a == b for a, b in judged) / len(judged))
    if len(judged) == len(pairs):
        by_label = [
            prf(
                {i for i, (guess, _) in enumerate(judged) if guess == label},
                {i for i, (_, gold) in enumerate(judged) if gold == label},
            )[2]
            for label in LABELS
        ]
        assert scores["cats_macro_f"] == pytest.approx(sum(by_label) / len(LABELS))
        assert scores["cats_score"] == scores["cats_macro_f"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.frozensets(st.sampled_from(LABELS))),
        min_size=1,
    ),
    st.sampled_from(({}, {"A": 0.2, "C": 0.8})),
)
def test_other_classes_score_from_their_thresholds_on(pairs, thresholds):
    guesses = [dict(zip(LABELS, values, strict=True)) for values, _ in pairs]
    truths = [{label: float(label in gold) for label in LABELS} for _, gold in pairs]
    scores = score_layer(
        classified(guesses, truths), CATS, labels=LABELS, exclusive=False, thresholds=thresholds
    )
    from_on = {label: thresholds.get(label, 0.5) for label in LABELS}
    found = {(i, k) for i, guess in enumerate(guesses) for k, value in guess.items() if value >= from_on[k]}
    gold = {(i, k) for i, (_, held) in enumerate(pairs) for k in held}
    expected = prf(found, gold)
    assert of(scores, "cats_micro") == pytest.approx(expected)
    wholly = [
        {label for label, value in guess.items() if value >= from_on[label]} == held
        for guess, (_, held) in zip(guesses, pairs, strict=True)
    ]
    assert scores["cats_acc"] == pytest.approx(sum(wholly) / len(wholly))
    assert scores["cats_score"] == scores["cats_macro_auc"]
    parts = [prf({i for i, k in found if k == label}, {i for i, k in gold if k == label}) for label in LABELS]
    assert of(scores, "cats_macro") == pytest.approx(
        [sum(part) / len(LABELS) for part in zip(*parts, strict=True)]
    )
    if not thresholds:
        theirs = Scorer.score_cats(classified(guesses, truths), "cats", labels=LABELS, multi_label=True)
        for name in ("cats_micro_f", "cats_macro_f", "cats_macro_p", "cats_macro_r"):
            assert scores[name] == pytest.approx(theirs[name])
        for label in LABELS:
            assert scores["cats_f_per_type"][label] == pytest.approx(theirs["cats_f_per_type"][label])


def test_what_is_out_of_scope_is_scored_by_itself():
    surest = [("A", 0.9), ("A", 0.6), ("B", 0.7), ("A", 0.55), ("B", 0.9)]
    guesses = [dict.fromkeys("AB", 1 - score) | {best: score} for best, score in surest]
    truths = [{"A": 1.0}, {"A": 1.0}, {"A": 1.0}, {"other": 1.0}, {"other": 1.0}]
    examples = classified(guesses, truths)
    scores = score_layer(examples, CATS, labels=("A", "B"), thresholds={"A": 0.65, "B": 0.65})
    # Right are the first, and the fourth, which is rejected; the second is rejected, too.
    assert scores["cats_acc"] == pytest.approx(2 / 5)
    assert scores["cats_in_scope_acc"] == pytest.approx(2 / 3)
    assert of(scores, "oos") == pytest.approx((1 / 2, 1 / 2, 1 / 2))
    # Of the six pairs, in four the one in scope is surer, and in one both are as sure.
    assert scores["oos_auc"] == pytest.approx(3.5 / 6)
    assert "oos_f" not in score_layer(examples, CATS, labels=("A", "B"))


def test_what_does_not_hold_is_never_taken_for_right():
    guesses = [{"A": 0.9, "B": 0.1}] * 2
    spelt_out = classified(guesses, [{"A": 1.0, "B": 0.0}, {"A": 0.0, "B": 0.0, "other": 1.0}])
    left_out = classified(guesses, [{"A": 1.0}, {"other": 1.0}])
    scores = [score_layer(examples, CATS, labels=("A", "B")) for examples in (spelt_out, left_out)]
    assert scores[0]["cats_f_per_type"] == scores[1]["cats_f_per_type"]
    assert scores[0]["cats_micro_p"] == pytest.approx(1 / 2)


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_document_that_got_no_category_counts_as_missed(exclusive):
    """As one without words does: its categories all have a probability of 0."""
    rows = [({"a": 1.0, "b": 0.0}, {"a": 0.9, "b": 0.1}), ({"a": 1.0, "b": 0.0}, {"a": 0.0, "b": 0.0})]
    made = []
    for gold, predicted in rows:
        reference, doc = NLP.make_doc("x"), NLP.make_doc("x")
        reference.cats, doc.cats = gold, predicted
        made.append(Example(doc, reference))
    scores = score_layer(made, CATS, labels=["a", "b"], exclusive=exclusive)
    assert scores["cats_acc"] == 0.5
    assert scores["cats_f_per_type"]["a"] == {"p": 1.0, "r": 0.5, "f": pytest.approx(2 / 3)}
    assert scores["cats_macro_f"] == pytest.approx(1 / 3)
    assert scores["cats_micro_r"] == 0.5


def test_a_document_that_was_not_classified_is_named():
    examples = classified([{"A": 1.0}, {}], [{"A": 1.0}, {"B": 1.0}])
    with pytest.raises(DataError, match="document 2 of 2"):
        score_layer(examples, CATS, labels=("A", "B"))


def test_main_scores_are_among_the_scores():
    words = ["a"]
    doc = make(words, [(0, 1, "A")], {"k": [(0, 1, "A")]}, tags=["T"], pos=["X"])
    doc.cats = {"A": 1.0, "B": 0.0}
    other = doc.copy()
    for layer in ("ents", "spans:k", "tag", "pos", "cats"):
        for exclusive in (True, False):
            scores = score_layer(
                [Example(doc, other)], Layer.parse(layer), labels=("A", "B"), exclusive=exclusive
            )
            assert main_score(Layer.parse(layer), exclusive=exclusive) in scores


def test_layers_that_do_not_exist_are_refused():
    with pytest.raises(ConfigError):
        score_layer([], Layer.parse("lemma"))
    with pytest.raises(ConfigError):
        retokenized_scores([], [], CATS)


@st.composite
def tokenized(draw, spaces_too):
    """A Doc over always the same letters, with the (first letter, letter after, tag) of its words."""
    letters = "abcdefg"
    cuts = sorted({0, len(letters), *draw(st.sets(st.integers(1, len(letters) - 1)))})
    words, units = [], []
    for start, end in pairwise(cuts):
        if spaces_too and draw(st.booleans()):
            words.append(("\n", "_SP"))
        tag = draw(st.sampled_from(LABELS))
        words.append((letters[start:end], tag))
        units.append((start, end, tag))
    doc = make([w for w, _ in words], tags=[t for _, t in words], spaces=[draw(st.booleans()) for _ in words])
    return doc, units


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(tokenized(False), tokenized(True)), min_size=1, max_size=3))
def test_words_align_where_they_cover_the_same_characters(pairs):
    gold = {(i, *unit) for i, ((_, units), _) in enumerate(pairs) for unit in units}
    found = {(i, *unit) for i, (_, (_, units)) in enumerate(pairs) for unit in units}
    scores = retokenized_scores([doc for (doc, _), _ in pairs], [doc for _, (doc, _) in pairs], TAG)
    assert of(scores, "tag") == pytest.approx(prf(found, gold))
    words = [{unit[:3] for unit in units} for units in (found, gold)]
    assert of(scores, "token") == pytest.approx(prf(*words))
    assert set(scores) == {f"{name}_{part}" for name in ("token", "tag") for part in "prf"}


@settings(max_examples=40, deadline=None)
@given(entity_rows, entity_rows)
def test_on_one_tokenization_it_agrees_with_the_scorer(first, second):
    words = [f"w{i}" for i in range(8)]
    guess, gold = (
        make(
            words,
            [(i, i + 1, label) for i, label in enumerate(row) if label],
            tags=[x or "N" for x in row],
            spaces=[True] * 8,
        )
        for row in (first, second)
    )
    example = Example(guess, gold)
    scores = retokenized_scores([gold], [guess], ENTS)
    assert of(scores, "ents") == pytest.approx(of(score_layer([example], ENTS), "ents"))
    assert scores["token_f"] == pytest.approx(Scorer.score_tokenization([example])["token_f"])
    tags = retokenized_scores([gold], [guess], TAG)
    assert tags["tag_f"] == pytest.approx(score_layer([example], TAG)["tag_acc"])


def test_entities_of_other_tokens_are_the_same_over_the_same_characters():
    gold = make(["New", "York", "-", "based", "Acme"], [(0, 2, "GPE"), (4, 5, "ORG")])
    guess = make(["NewYork", "\n", "-based", "Ac", "me"], [(0, 2, "GPE"), (3, 4, "ORG")])
    gold.spans["k"], guess.spans["k"] = gold.ents, guess.ents
    found, truth = {(0, 7, "GPE"), (13, 15, "ORG")}, {(0, 7, "GPE"), (13, 17, "ORG")}
    for layer, prefix in (("ents", "ents"), ("spans:k", "spans_k")):
        scores = retokenized_scores([gold], [guess], Layer.parse(layer))
        assert of(scores, prefix) == pytest.approx(prf(found, truth))
        assert scores["token_r"] == 0.0  # no word is the same


def test_what_the_gold_does_not_say_is_not_scored_between_tokenizations():
    gold = make(["ab", "cd", "ef"], tags=["A", "", "C"])
    guess = make(["ab", "c", "d", "ef"], tags=["A", "B", "B", "B"])
    assert of(retokenized_scores([gold], [guess], TAG), "tag") == pytest.approx((1 / 2, 1 / 2, 1 / 2))
    gold.set_ents([Span(gold, 0, 1, "X")], missing=[gold[1:2]], default="outside")
    guess.ents = [Span(guess, 0, 1, "X"), Span(guess, 1, 3, "X")]
    assert of(retokenized_scores([gold], [guess], ENTS), "ents") == pytest.approx((1.0, 1.0, 1.0))
    guess.spans["k"] = list(guess.ents)
    silent = make(["abcdef"])
    for layer, prefix in (("ents", "ents"), ("spans:k", "spans_k"), ("tag", "tag")):
        assert of(retokenized_scores([silent], [guess], Layer.parse(layer)), prefix) == (None, None, None)


def test_texts_that_differ_are_refused():
    same = make(["one"]), make(["one"])
    with pytest.raises(DataError, match=r"document 2.*'x'.*'yz'"):
        retokenized_scores([same[0], make(["a", "x"])], [same[1], make(["ayz"])], TAG)
    with pytest.raises(DataError, match="1 gold documents cannot be compared with 2"):
        retokenized_scores([same[0]], list(same), TAG)
