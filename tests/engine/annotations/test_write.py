from __future__ import annotations

import json

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab

from glossator.annotations.layer import ENTS, POS, TAG, Layer
from glossator.annotations.write import (
    check_labels,
    clear_ents,
    write_cats,
    write_provenance,
    write_spans,
    write_tags,
)
from glossator.errors import ConfigError
from glossator.stages import ScoredSpan, TokenTags

VOCAB = spacy.blank("en").vocab
WORDS = ["\n", "Mr.", "Lee", " ", "met", "Ana", "\n", "\t"]


def doc_of(words=WORDS, **annotations) -> Doc:
    return Doc(VOCAB, words=words, **annotations)


def ents(doc: Doc) -> list[tuple[int, int, str]]:
    return [(e.start, e.end, e.label_) for e in doc.ents]


def group(doc: Doc, key: str) -> list[tuple[int, int, str, float]]:
    spans = doc.spans[key]
    return [(s.start, s.end, s.label_, score) for s, score in zip(spans, spans.attrs["scores"], strict=True)]


def overlap(a, b) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def surer(a: ScoredSpan, b: ScoredSpan) -> bool:
    """Whether `a` goes before `b`: surer, else longer, else further left, else by label."""
    """Scores that are equal but for their rounding are equal."""
    ranks = [(-round(each.score, 5), each.start - each.end, each.start, each.label) for each in (a, b)]
    return ranks[0] < ranks[1]


@st.composite
def scored_spans(draw: st.DrawFn, tokens: int = 12) -> list[ScoredSpan]:
    spans = []
    for _ in range(draw(st.integers(0, 8))):
        start = draw(st.integers(0, tokens - 1))
        end = draw(st.integers(start + 1, tokens))
        spans.append(
            ScoredSpan(start, end, draw(st.sampled_from("AB")), draw(st.sampled_from([0.25, 0.5, 0.75])))
        )
    return spans


@settings(deadline=None)
@given(scored_spans(), st.sampled_from([(), ((2, 4),), ((0, 1), (7, 10))]))
def test_of_entities_that_overlap_the_surest_longest_leftmost_stay(spans, standing):
    doc = doc_of(["w"] * 12)
    doc.ents = [Span(doc, start, end, "OLD") for start, end in standing]
    write_spans(doc, "ner", ENTS, spans)
    kept = [ScoredSpan(*span) for span in group(doc, "ner")]
    places = [*standing, *kept]
    assert not any(overlap(a, b) for i, a in enumerate(places) for b in places[:i])
    assert set(kept) <= set(spans)
    for dropped in set(spans) - set(kept):
        rivals = [other for other in kept if overlap(dropped, other)]
        assert any(overlap(dropped, old) for old in standing) or any(
            surer(rival, dropped) for rival in rivals
        )
    assert ents(doc) == sorted([(*old, "OLD") for old in standing] + [span[:3] for span in kept])
    assert kept == sorted(kept)


@settings(deadline=None)
@given(scored_spans(len(WORDS)))
def test_span_groups_keep_all_with_white_space_cut_off_their_ends(spans):
    doc = doc_of()
    write_spans(doc, "head", Layer.parse("spans:key"), spans)
    wanted = []
    for span in spans:
        words = [i for i in range(span.start, span.end) if not doc[i].is_space]
        if words:
            wanted.append((words[0], words[-1] + 1, span.label, span.score))
    assert group(doc, "key") == wanted
    assert "head" not in doc.spans
    assert not doc.has_annotation("ENT_IOB")


def test_white_space_inside_a_span_stays():
    doc = doc_of()
    write_spans(doc, "ner", ENTS, [ScoredSpan(0, 4, "PER", 0.9), ScoredSpan(5, 8, "PER", 0.8)])
    assert ents(doc) == [(1, 3, "PER"), (5, 6, "PER")]
    write_spans(doc, "two", Layer.parse("spans:two"), [ScoredSpan(2, 5, "X", 0.5)])
    assert group(doc, "two") == [(2, 5, "X", 0.5)]


def test_without_entities_a_doc_says_so():
    doc = doc_of()
    clear_ents(doc)
    write_spans(doc, "ner", ENTS, [])
    assert doc.has_annotation("ENT_IOB")
    assert (ents(doc), group(doc, "ner")) == ([], [])
    doc.ents = [Span(doc, 1, 3, "OLD")]
    clear_ents(doc)
    assert ents(doc) == []


def test_entities_that_stand_keep_what_is_known_of_them():
    doc = doc_of()
    doc.ents = [Span(doc, 1, 3, "PER", kb_id="Q1", span_id="first")]
    write_spans(doc, "ner", ENTS, [ScoredSpan(5, 6, "PER", 0.5)])
    assert [(e.kb_id_, e.id_) for e in doc.ents] == [("Q1", "first"), ("", "")]


@pytest.mark.parametrize("through", ["bytes", "docbin"])
def test_spans_scores_and_tags_survive_storage_without_user_data(through):
    doc = doc_of()
    spans = [ScoredSpan(5, 6, "PER", 0.75), ScoredSpan(1, 3, "ORG", 0.5)]
    write_spans(doc, "ner", ENTS, spans)
    write_spans(doc, "more", Layer.parse("spans:key"), spans)
    ids = np.asarray([0, 1, 0, 0, 1, 0, 1, 0])
    probabilities = np.linspace(0.1, 0.8, 8)
    write_tags(doc, "tags", TAG, TokenTags(ids, probabilities), ["NN", "VB"])
    write_provenance(doc, "p", "1", {})
    if through == "bytes":
        moved = Doc(Vocab()).from_bytes(doc.to_bytes(exclude=["user_data"]))
    else:
        data = DocBin(store_user_data=False, docs=[doc]).to_bytes()
        [moved] = DocBin().from_bytes(data).get_docs(Vocab())
    assert group(moved, "ner") == [(1, 3, "ORG", 0.5), (5, 6, "PER", 0.75)]
    assert group(moved, "key") == [(5, 6, "PER", 0.75), (1, 3, "ORG", 0.5)]
    assert ents(moved) == [(1, 3, "ORG"), (5, 6, "PER")]
    assert [t.tag_ for t in moved] == ["_SP", "VB", "NN", "_SP", "VB", "NN", "_SP", "_SP"]
    assert moved.spans["tags"].attrs == {"layer": "tag", "scores": pytest.approx(probabilities.tolist())}
    assert moved.spans["ner"].attrs["layer"] == "ents"
    assert not moved.user_data


def test_tags_leave_everything_else_as_it_was():
    doc = doc_of(sent_starts=[True, False, False, False, True, False, False, False])
    doc.ents = [Span(doc, 1, 3, "PER")]
    tags = TokenTags(np.zeros(8, dtype=int), np.ones(8))
    write_tags(doc, "a", TAG, tags, ["NN"])
    write_tags(doc, "b", POS, tags, ["NOUN"])
    assert [t.tag_ for t in doc] == ["_SP" if t.is_space else "NN" for t in doc]
    assert [t.pos_ for t in doc] == ["SPACE" if t.is_space else "NOUN" for t in doc]
    assert [t.is_sent_start for t in doc] == [True, False, False, False, True, False, False, False]
    assert ents(doc) == [(1, 3, "PER")]
    assert not doc.has_annotation("LEMMA")
    assert not doc.has_annotation("DEP")


def test_an_empty_doc_takes_all_layers():
    doc = doc_of([])
    none = TokenTags(np.zeros(0, dtype=int), np.zeros(0))
    clear_ents(doc)
    write_spans(doc, "a", ENTS, [])
    write_tags(doc, "b", POS, none, ["NOUN"])
    write_cats(doc, ["x"], [0.5])
    assert (doc.spans["a"].attrs["scores"], doc.spans["b"].attrs["scores"], doc.cats) == ([], [], {"x": 0.5})


def test_labels_of_pos_are_universal_parts_of_speech():
    check_labels(POS, ["NOUN", "VERB", "X"])
    check_labels(TAG, ["anything"])
    with pytest.raises(ConfigError, match=r"not 'NN': use write = 'tag'"):
        check_labels(POS, ["NOUN", "NN"])
    with pytest.raises(ConfigError, match=r"not 'NN': use write = 'tag'"):
        write_tags(doc_of(), "h", POS, TokenTags(np.zeros(8, dtype=int), np.ones(8)), ["NN"])


def test_what_is_written_is_plain_json():
    doc = doc_of()
    write_cats(doc, ["x", "y"], np.asarray([0.25, 0.75], dtype=np.float32))
    write_spans(doc, "ner", ENTS, [ScoredSpan(1, 3, "PER", np.float32(0.5))])
    write_tags(doc, "tags", TAG, TokenTags(np.zeros(8, np.int64), np.ones(8, np.float32)), ["NN"])
    assert json.loads(json.dumps(doc.cats)) == {"x": 0.25, "y": 0.75}
    assert all(json.loads(json.dumps(g.attrs)) == g.attrs for g in doc.spans.values())
    assert {type(score) for g in doc.spans.values() for score in g.attrs["scores"]} == {float}
