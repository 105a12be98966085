from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from spacy.lang.lex_attrs import LEX_ATTRS
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc, Span, SpanGroup
from spacy.vocab import Vocab

from glossator.annotations.gold import gold_spans, gold_tags
from glossator.annotations.layer import ENTS, POS, TAG, Layer
from glossator.data.alignment import LISTED, AlignmentReport
from glossator.data.examples import gold_doc, gold_example, record_doc, rehome
from glossator.formats.record import CharSpan, GoldTokens, Record

TOKENIZER = Tokenizer(Vocab(lex_attr_getters=LEX_ATTRS))
# The machine may be busy.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

LETTERS = st.text(alphabet="abcé𝒳🙂-", min_size=1, max_size=4)


@st.composite
def gold_tokens(draw: st.DrawFn) -> GoldTokens:
    words = draw(
        st.lists(st.one_of(LETTERS, LETTERS, st.sampled_from(["\n", " ", "\xa0\n"])), min_size=1, max_size=12)
    )
    spaces = draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    return GoldTokens(words, spaces)


def annotated(doc: Doc, layer: str) -> bool:
    return Layer.parse(layer).is_annotated(doc)


def text_of(tokens: GoldTokens) -> str:
    return "".join(word + " " * space for word, space in zip(tokens.words, tokens.spaces, strict=True))


def record_of(tokens: GoldTokens, spans: list[CharSpan] | None) -> Record:
    return Record(text_of(tokens), tokens=tokens, spans=spans, file="f", line=3)


def example_of(text: str, layer: str, *spans: tuple[int, int, str]):
    report = AlignmentReport()
    record = Record(text, spans=[CharSpan(*span) for span in spans], file="f", line=3)
    return gold_example(record, Layer.parse(layer), TOKENIZER, report), report


@unhurried
@given(gold_tokens(), st.data())
def test_spans_of_whole_words_are_exact_and_come_back(tokens, data):
    doc = record_doc(record_of(tokens, None), TOKENIZER)
    places = [token.i for token in doc if not token.is_space]
    assume(places)
    pairs = st.tuples(st.sampled_from(places), st.sampled_from(places)).map(sorted)
    chosen = data.draw(st.lists(st.tuples(pairs, st.sampled_from("AB")), max_size=5))
    spans = [(first, last + 1, label) for (first, last), label in chosen]
    gold = [
        CharSpan(doc[start:end].start_char, doc[start:end].end_char, label) for start, end, label in spans
    ]
    report = AlignmentReport()
    example = gold_example(record_of(tokens, gold), Layer.parse("spans:k"), TOKENIZER, report)
    assert gold_spans(example, Layer.parse("spans:k")) == spans
    assert (report.exact, report.repaired, report.impossible) == (len(gold), 0, 0)


@unhurried
@given(gold_tokens(), st.data())
def test_any_span_is_counted_once_and_put_on_the_fewest_tokens_that_hold_it(tokens, data):
    text = text_of(tokens)
    offsets = st.integers(-2, len(text) + 2)
    span = CharSpan(data.draw(offsets), data.draw(offsets), "X")
    report = AlignmentReport()
    example = gold_example(record_of(tokens, [span]), ENTS, TOKENIZER, report)
    valid = 0 <= span.start < span.end <= len(text)
    wanted = {place for place in range(span.start, span.end) if valid and not text[place].isspace()}
    doc = example.reference
    # By brute force: the tokens between the first and the last that share a character with the span.
    touched = [token.i for token in doc if wanted & set(range(token.idx, token.idx + len(token)))]
    if not touched:
        assert (report.exact, report.repaired, report.impossible) == (0, 0, 1)
        assert doc.ents == ()
        return
    (entity,) = doc.ents
    assert (entity.start, entity.end) == (touched[0], touched[-1] + 1)
    is_exact = (entity.start_char, entity.end_char) == (span.start, span.end)
    assert (report.exact, report.repaired, report.impossible) == (is_exact, not is_exact, 0)


@unhurried
@given(gold_tokens(), st.data())
def test_every_span_of_many_is_counted_once(tokens, data):
    offsets = st.integers(-1, len(text_of(tokens)) + 1)
    gold = [CharSpan(*pair, "X") for pair in data.draw(st.lists(st.tuples(offsets, offsets), max_size=8))]
    report = AlignmentReport()
    example = gold_example(record_of(tokens, gold), ENTS, TOKENIZER, report)
    assert report.exact + report.repaired + report.impossible == len(gold)
    assert len(example.reference.ents) == report.exact + report.repaired


def test_what_was_repaired_is_told():
    example, report = example_of("In New-York today", "ents", (2, 8, "LOC"))
    assert [(entity.text, entity.label_) for entity in example.reference.ents] == [("New-York", "LOC")]
    assert str(report.repaired_cases[0]) == "f:3: ' New-Y' (LOC): became 'New-York'"


def test_of_overlapping_entities_the_longer_stays():
    spans = [(0, 3, "A"), (0, 9, "B"), (10, 13, "C"), (10, 13, "D"), (4, 9, "E")]
    example, report = example_of("Ada wrote Ann", "ents", *spans)
    assert [(entity.text, entity.label_) for entity in example.reference.ents] == [
        ("Ada wrote", "B"),
        ("Ann", "C"),
    ]
    assert (report.exact, report.impossible) == (2, 3)
    assert [str(case) for case in report.impossible_cases] == [
        "f:3: 'Ada' (A): left out, overlaps 'Ada wrote' (B)",
        "f:3: 'Ann' (D): left out, overlaps 'Ann' (C)",
        "f:3: 'wrote' (E): left out, overlaps 'Ada wrote' (B)",
    ]


def test_overlapping_spans_of_a_key_all_stay():
    example, report = example_of("Ada wrote Ann", "spans:k", (0, 9, "B"), (0, 3, "A"), (0, 3, "A"))
    assert gold_spans(example, Layer.parse("spans:k")) == [(0, 2, "B"), (0, 1, "A"), (0, 1, "A")]
    assert report.exact == 3


def test_report_lists_some_counts_all_and_merges():
    whole, part = AlignmentReport(), AlignmentReport(exact=1)
    record = Record("Ada ran", spans=[CharSpan(0, 2, "A"), CharSpan(5, 5, "B")], file="f", line=3)
    for report, times in ((whole, LISTED - 1), (part, 3)):
        for _ in range(times):
            gold_example(record, ENTS, TOKENIZER, report)
    whole.merge(part)
    assert (whole.exact, whole.repaired, whole.impossible) == (1, LISTED + 2, LISTED + 2)
    assert len(whole.repaired_cases) == len(whole.impossible_cases) == LISTED
    lines = whole.summary().splitlines()
    assert lines[0] == f"{2 * LISTED + 5} gold spans: 1 exact, {LISTED + 2} repaired, {LISTED + 2} impossible"
    assert len(lines) == 1 + 2 * LISTED + 2
    assert lines[-1] == "  ... and 2 more impossible"
    assert "empty or outside the text: 5:5" in lines[-2]


def test_tokens_of_a_file_stand_as_they_are():
    tokens = GoldTokens(["Don't", "go", ".", "Stay"], [True, False, True, False])
    doc = record_doc(record_of(tokens, None), TOKENIZER)
    assert [token.text for token in doc] == tokens.words
    assert doc.text == "Don't go. Stay"
    assert doc.vocab is TOKENIZER.vocab
    assert [token.is_sent_start for token in doc] == [True, False, False, False]
    tokens.sent_starts = [0, 3]
    assert [sentence.text for sentence in record_doc(record_of(tokens, None), TOKENIZER).sents] == [
        "Don't go.",
        "Stay",
    ]


def test_predicted_side_says_nothing_and_has_the_same_tokens():
    tokens = GoldTokens(["Ada", "ran"], [True, False], tags=["NNP", ""], pos=["PROPN", "VERB"])
    record = record_of(tokens, [CharSpan(0, 3, "PER")])
    record.cats = {"c": 1.0}
    for layer in ("ents", "spans:k", "tag", "pos", "cats"):
        example = gold_example(record, Layer.parse(layer), TOKENIZER, AlignmentReport())
        others = {"ents", "spans:k", "tag", "pos", "cats"} - {layer}
        assert annotated(example.reference, layer)
        assert not any(annotated(example.reference, other) for other in others)
        assert not any(annotated(example.predicted, each) for each in (layer, *others))
        assert example.predicted.text == example.reference.text == "Ada ran"
        assert [token.is_sent_start for token in example.predicted] == [True, False]
    assert gold_tags(gold_example(record, TAG, TOKENIZER, AlignmentReport()), TAG) == ["NNP", None]
    assert gold_tags(gold_example(record, POS, TOKENIZER, AlignmentReport()), POS) == ["PROPN", "VERB"]


@pytest.mark.parametrize("layer", ["ents", "spans:k", "tag", "pos", "cats"])
def test_a_layer_the_record_lacks_stays_missing(layer):
    for record in (Record("Ada ran"), Record("", doc=Doc(Vocab(), words=["Ada"]))):
        example = gold_example(record, Layer.parse(layer), TOKENIZER, AlignmentReport())
        assert len(example.reference)
        assert not annotated(example.reference, layer)


def test_no_entities_is_not_missing_entities():
    example, _ = example_of("Ada ran", "ents")
    assert annotated(example.reference, "ents")
    assert example.reference.ents == ()


def stored_doc() -> Doc:
    doc = Doc(Vocab(), words=["Ada", "ran", "on"], tags=["NNP", "VBD", "RP"], pos=["PROPN", "VERB", "ADP"])
    doc.set_ents([Span(doc, 0, 1, "PER")])
    doc[1].is_sent_start = True
    doc[2].is_sent_start = False
    doc.cats = {"c": 1.0}
    group = SpanGroup(
        doc, name="k", attrs={"scores": [0.5]}, spans=[Span(doc, 1, 3, "VP", kb_id="Q1", span_id="S1")]
    )
    doc.spans["k"] = group
    doc.user_data[("a", ("b", 1))] = object()
    return doc


def test_a_doc_moves_to_another_vocab_with_everything():
    doc, vocab = stored_doc(), Vocab()
    moved = rehome(doc, vocab)
    assert moved.vocab is vocab
    assert moved.to_json() == doc.to_json()
    assert moved.spans["k"].attrs == doc.spans["k"].attrs
    assert (moved.spans["k"][0].kb_id_, moved.spans["k"][0].id_) == ("Q1", "S1")
    assert moved.user_data == doc.user_data
    assert rehome(moved, vocab) is moved


def test_a_stored_doc_is_its_own_gold():
    doc = stored_doc()
    record = Record(doc.text, doc=doc, spans=[CharSpan(0, 3, "PER")], cats=dict(doc.cats))
    report = AlignmentReport()
    examples = {
        layer: gold_example(record, Layer.parse(layer), TOKENIZER, report)
        for layer in ("ents", "spans:k", "tag", "pos", "cats")
    }
    assert gold_spans(examples["ents"], ENTS) == [(0, 1, "PER")]
    assert gold_spans(examples["spans:k"], Layer.parse("spans:k")) == [(1, 3, "VP")]
    assert gold_tags(examples["tag"], TAG) == ["NNP", "VBD", "RP"]
    assert gold_tags(examples["pos"], POS) == ["PROPN", "VERB", "ADP"]
    assert examples["cats"].reference.cats == {"c": 1.0}
    assert report.exact == 2
    for layer, example in examples.items():
        assert not annotated(example.predicted, layer)
        assert example.predicted.user_data == {}
        assert [token.is_sent_start for token in example.predicted] == [token.is_sent_start for token in doc]
    assert not annotated(
        gold_example(record, Layer.parse("spans:other"), TOKENIZER, report).reference, "spans:other"
    )


def test_what_a_stored_doc_does_not_say_of_entities_stays_missing():
    doc = Doc(Vocab(), words=["Ada", "saw", "Bob", "."])
    doc.set_ents([Span(doc, 0, 1, "PER")], missing=[doc[2:4]], default="outside")
    record = Record(doc.text, doc=doc, spans=[CharSpan(0, 3, "PER")])
    reference = gold_example(record, ENTS, TOKENIZER, AlignmentReport()).reference
    assert [token.ent_iob for token in reference] == [3, 2, 0, 0]


def test_a_gold_doc_has_all_the_record_says():
    tokens = GoldTokens(["Ada", "ran"], [True, False], tags=["NNP", "VBD"], pos=["PROPN", "VERB"])
    record = record_of(tokens, [CharSpan(0, 2, "PER")])
    record.cats = {"c": 1.0}
    report = AlignmentReport()
    doc = gold_doc(record, TOKENIZER, report)
    assert [(token.tag_, token.pos_, token.ent_type_) for token in doc] == [
        ("NNP", "PROPN", "PER"),
        ("VBD", "VERB", ""),
    ]
    assert (doc.cats, report.repaired) == ({"c": 1.0}, 1)


def test_the_spans_of_a_stored_doc_are_counted_without_scores_of_another_layer():
    doc = TOKENIZER("Mara saw Oslo")
    doc.set_ents([Span(doc, 0, 1, label="PER")])
    doc.spans["places"] = [Span(doc, 2, 3, label="LOC")]
    doc.spans["scores"] = SpanGroup(doc, spans=list(doc.ents), attrs={"layer": "ents"})
    report = AlignmentReport()
    gold_doc(Record(doc.text, doc=doc), TOKENIZER, report)
    assert (report.exact, report.repaired, report.impossible) == (2, 0, 0)


def test_the_gold_doc_of_a_stored_doc_is_that_doc():
    doc, report = stored_doc(), AlignmentReport()
    moved = gold_doc(Record(doc.text, doc=doc, spans=[CharSpan(0, 3, "PER")]), TOKENIZER, report)
    assert moved.vocab is TOKENIZER.vocab
    assert moved.to_json() == doc.to_json()
    assert report == AlignmentReport(exact=len(doc.ents) + sum(map(len, doc.spans.values())))
