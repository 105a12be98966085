from __future__ import annotations

import zlib

import pytest
import spacy
import srsly
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.lang.lex_attrs import LEX_ATTRS
from spacy.tokens import Doc, DocBin, Span, SpanGroup
from spacy.vocab import Vocab

from glossator.formats.shared.docbin_packing import PackedDocs

VOCABS = [spacy.blank("en").vocab, Vocab()]
TEXT = st.text(min_size=1, max_size=6) | st.sampled_from(
    ["_", "NOUN", "🇮🇸", "e\u0301", "\u200b", "\x00", " \n"]
)
MORPHS = st.sampled_from(["", "_", "Case=Nom", "Number=Sing|Case=Nom", "A=1,2|B=3"])
SCORES = st.floats(0, 1) | st.integers(-(2**63), 2**64 - 1)
CATS = st.dictionaries(TEXT, st.floats(0, 1), max_size=3)
PLAIN = st.none() | st.booleans() | SCORES | st.text(max_size=5) | st.binary(max_size=5)
USER_DATA = st.dictionaries(
    TEXT | st.tuples(st.just("._."), TEXT, st.integers(0, 9), st.none()),
    st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)),
    max_size=3,
)


def labels(kind: str) -> st.SearchStrategy[str]:
    """Labels that nothing else in a Doc has, so that none is stored by accident."""
    return st.sampled_from(["", kind, f"{kind}-Ørsted", f"{kind}\u2028"])


def some(draw: st.DrawFn, values: st.SearchStrategy, length: int) -> list | None:
    """One value a word, or nothing at all."""
    return draw(st.none() | st.lists(values, min_size=length, max_size=length))


@st.composite
def spans(draw: st.DrawFn, doc: Doc) -> Span:
    start = draw(st.integers(0, len(doc)))
    end = draw(st.integers(start, len(doc)))
    return Span(
        doc, start, end, label=draw(labels("label")), kb_id=draw(labels("kb")), span_id=draw(labels("id"))
    )


@st.composite
def docs(draw: st.DrawFn) -> Doc:
    words = draw(st.lists(TEXT, max_size=6))
    count = len(words)
    doc = Doc(
        draw(st.sampled_from(VOCABS)),
        words=words,
        spaces=some(draw, st.booleans(), count),
        tags=some(draw, labels("tag"), count),
        pos=some(draw, st.sampled_from(["", "NOUN", "SPACE"]), count),
        morphs=some(draw, MORPHS, count),
        lemmas=some(draw, TEXT, count),
        sent_starts=some(draw, st.sampled_from([None, True, False]), count),
    )
    if count and draw(st.booleans()):
        for token in doc:
            token.norm_ = draw(TEXT)
            token.dep_ = draw(labels("dep"))
        token.head = doc[0]
    if draw(st.booleans()):
        found = draw(st.lists(spans(doc), max_size=3))
        doc.set_ents(
            [e for e in spacy.util.filter_spans(found) if len(e)],
            default=draw(st.sampled_from(["outside", "missing"])),
        )
    for key in draw(st.lists(TEXT, max_size=3)):
        found = draw(st.lists(spans(doc), max_size=3))
        attrs = {"layer": draw(labels("layer")), "scores": [draw(SCORES) for _ in found]}
        doc.spans[key] = SpanGroup(doc, name=draw(TEXT), attrs=attrs, spans=found)
        doc.spans[key + "2"] = doc.spans[key]
    doc.cats = draw(CATS)
    doc.user_data.update(draw(USER_DATA))
    return doc


def fresh_vocab() -> Vocab:
    return Vocab(lex_attr_getters=LEX_ATTRS)


@settings(deadline=None)
@given(st.lists(docs(), max_size=4))
def test_docs_are_packed_as_docbin_packs_them(made):
    packed, docbin = PackedDocs(), DocBin(store_user_data=True)
    for doc in made:
        packed.add(doc, doc.user_data)
        docbin.add(doc)
    assert len(packed) == len(docbin)
    ours, theirs = packed.to_bytes(), docbin.to_bytes()
    back = [
        [doc.to_bytes() for doc in DocBin().from_bytes(data).get_docs(fresh_vocab())]
        for data in (ours, theirs)
    ]
    assert back[0] == back[1]
    ours, theirs = (srsly.msgpack_loads(zlib.decompress(data)) for data in (ours, theirs))
    # That there is a morphology without features is stored as "_", which every vocab knows.
    strings = [set(message.pop("strings")) - {"_"} for message in (ours, theirs)]
    assert strings[0] == strings[1]
    assert ours == theirs


def misspelt(doc: Doc) -> None:
    doc[0].tag = 12_345_678_987_654_321


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda doc: doc.user_data.update(a=[object()]), "its user_data cannot be packed: .*object"),
        (lambda doc: doc.user_data.update(a=2**64), "its user_data cannot be packed: .*out of range"),
        (lambda doc: doc.cats.update(a=object()), "its cats cannot be packed"),
        (lambda doc: doc.spans["g"].attrs.update(a=object()), "its spans cannot be packed"),
        (misspelt, "its vocab lacks one of its strings"),
    ],
)
def test_of_a_doc_that_cannot_be_packed_nothing_is_kept(spoil, message):
    packed, good = PackedDocs(), DocBin(store_user_data=True)
    for words in (["fine"], ["bad", "unseen"], ["fine", "again"]):
        doc = Doc(VOCABS[0], words=words)
        doc.spans["g"] = [doc[:1]]
        if "bad" in words:
            spoil(doc)
            with pytest.raises(ValueError, match=message):
                packed.add(doc, doc.user_data)
        else:
            packed.add(doc, doc.user_data)
            good.add(doc)
    messages = [srsly.msgpack_loads(zlib.decompress(each.to_bytes())) for each in (packed, good)]
    assert messages[0] == messages[1]
