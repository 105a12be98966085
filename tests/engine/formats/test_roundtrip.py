"""What a format writes, it reads as the same."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from spacy.lang.lex_attrs import LEX_ATTRS
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc
from spacy.vocab import Vocab

from glossator.data.examples import record_doc
from glossator.errors import DataError
from glossator.formats import FileFormat
from glossator.formats.conll import Columns
from glossator.formats.conllu import ConllU
from glossator.formats.docbin import DocBinFiles
from glossator.formats.iob2 import Iob2
from glossator.formats.jsonl import OWN_FIELDS, JsonLines
from glossator.formats.record import CharSpan, GoldTokens, Record

# The machine may be busy, and the first draw of any character reads all of Unicode.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

TOKENIZER = Tokenizer(Vocab(lex_attr_getters=LEX_ATTRS))
POS = ("NOUN", "VERB", "PUNCT", "X")

CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.text(CHARACTERS, max_size=30)
# A byte order mark at the start of a file is none of its text.
WORDS = st.one_of(
    st.text(CHARACTERS, min_size=1, max_size=6).filter(
        lambda word: not any(character.isspace() or character == "\ufeff" for character in word)
    ),
    st.sampled_from(["#", "##", "#tag", "_", "-", "O", "B-PER", "1", "=", "-DOCSTART", '"', "\\n"]),
)
LABELS = st.sampled_from(["PER", "LOC", "creative-work"])
COMMENT_TEXTS = TEXTS.filter(lambda text: text == text.strip() and not {"\n", "\r"} & set(text))
COMMENT_FIELDS = st.dictionaries(
    st.from_regex(r"[a-z_]{1,8}", fullmatch=True), COMMENT_TEXTS, max_size=3
).filter(lambda fields: not {"text", "comments"} & set(fields))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXTS, values, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(TEXTS.filter(lambda key: key not in OWN_FIELDS), JSON, max_size=4)


@st.composite
def sentences(draw: st.DrawFn, *, raw: bool, ner: bool, tags: bool) -> Record:
    """A record as a column format reads it: raw with any spaces, or words joined by spaces."""
    words = draw(st.lists(WORDS, min_size=1, max_size=10))
    inner = st.booleans() if raw else st.just(True)
    spaces = [*draw(st.lists(inner, min_size=len(words) - 1, max_size=len(words) - 1)), False]
    tokens = GoldTokens(words, spaces, sent_starts=[0])
    if tags:
        tokens.tags = draw(tag_lists(st.sampled_from(["NN", "VB", ""]), len(words)))
        tokens.pos = draw(tag_lists(st.sampled_from([*POS, ""]), len(words)))
    text = "".join(word + " " * space for word, space in zip(words, spaces, strict=True))
    record = Record(text, tokens=tokens, raw=raw)
    if ner:
        places = sorted(draw(st.sets(st.integers(0, len(words)), max_size=6)))
        doc = record_doc(record, TOKENIZER)
        pieces = [doc[start:end] for start, end in zip(places[::2], places[1::2], strict=False)]
        record.spans = [CharSpan(piece.start_char, piece.end_char, draw(LABELS)) for piece in pieces]
    return record


def tag_lists(tag: st.SearchStrategy[str], length: int) -> st.SearchStrategy[list[str] | None]:
    return st.lists(tag, min_size=length, max_size=length).map(lambda tags: tags if any(tags) else None)


@st.composite
def documents(draw: st.DrawFn) -> Record:
    """A record as JSON Lines reads it: any text, spans anywhere in it, any fields."""
    text = draw(TEXTS)
    offsets = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(sorted)
    spans = [CharSpan(*offset, draw(LABELS)) for offset in draw(st.lists(offsets, max_size=4))]
    cats = draw(st.dictionaries(TEXTS, st.floats(allow_nan=False, allow_infinity=False), max_size=3))
    return Record(
        text,
        spans=draw(st.sampled_from([None, spans])),
        cats=draw(st.sampled_from([None, cats])),
        fields=draw(FIELDS),
    )


def annotated_doc(record: Record) -> Doc:
    """The Doc of a record with its annotations, as a pipeline would have left it."""
    doc = record_doc(record, TOKENIZER)
    if record.spans is not None:
        doc.set_ents([doc.char_span(*span) for span in record.spans])
    if record.tokens is not None:
        blank = [""] * len(doc)
        for token, tag, pos in zip(doc, record.tokens.tags or blank, record.tokens.pos or blank, strict=True):
            token.tag_, token.pos_ = tag, pos
    return doc


def written_and_read(
    file_format: FileFormat, docs: list[Doc], records: list[Record], suffix: str = ""
) -> list[Record]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        half = len(docs) // 2 if not suffix else 0
        for append, part in ((False, slice(0, half)), (True, slice(half, None))):
            if append and suffix:
                path.unlink()
            writer = file_format.writer(path, append=append)
            for doc, record in zip(docs[part], records[part], strict=True):
                writer.write(doc, record)
            writer.close()
        read = list(file_format.read(path, name="", encoding="utf-8"))
    assert not [item for item in read if isinstance(item, DataError)]
    return [replace(record, line=None, doc=None) for record in read]


@unhurried
@given(
    st.lists(sentences(raw=False, ner=True, tags=False), max_size=4),
    st.sampled_from(["auto", "tab", "space", "|"]),
)
def test_columns(records, delimiter):
    if delimiter == "|" and any("|" in record.text for record in records):
        delimiter = "tab"
    docs = [annotated_doc(record) for record in records]
    assert written_and_read(Columns(delimiter), docs, records) == records


@unhurried
@given(st.lists(sentences(raw=False, ner=True, tags=True), max_size=4))
def test_columns_with_all_names(records):
    docs = [annotated_doc(record) for record in records]
    assert written_and_read(Columns(columns="pos,token,_,ner,tag"), docs, records) == records


@unhurried
@given(
    st.booleans().flatmap(lambda raw: st.lists(sentences(raw=raw, ner=True, tags=False), max_size=4)),
    st.data(),
)
def test_iob2(records, data):
    records = [replace(record, fields=data.draw(COMMENT_FIELDS)) for record in records]
    docs = [annotated_doc(record) for record in records]
    assert written_and_read(Iob2(), docs, records) == records


@unhurried
@given(
    st.booleans().flatmap(lambda raw: st.lists(sentences(raw=raw, ner=False, tags=True), max_size=4)),
    st.data(),
)
def test_conllu(records, data):
    records = [replace(record, fields=data.draw(COMMENT_FIELDS)) for record in records]
    docs = [annotated_doc(record) for record in records]
    assert written_and_read(ConllU(), docs, records) == records


@unhurried
@given(st.lists(documents(), max_size=4))
@example([Record("a\u2028b\x85c\r\nd", fields={"": "\u2029", "__": [1]})])
def test_jsonl_keeps_what_the_record_said(records):
    docs = [TOKENIZER(record.text) for record in records]
    assert written_and_read(JsonLines(), docs, records) == records


@unhurried
@given(st.lists(sentences(raw=True, ner=True, tags=True), max_size=4), st.data())
def test_jsonl_writes_what_the_doc_says(records, data):
    for record in records:
        record.tokens.sent_starts = None
        record.fields = data.draw(FIELDS)
    docs = [annotated_doc(record) for record in records]
    # Entities and tags come from the Doc alone; tokens without tags are the record's to say.
    silent = [replace(record, spans=None) for record in records]
    assert written_and_read(JsonLines(), docs, silent) == records


@unhurried
@given(st.lists(documents(), max_size=4), st.lists(sentences(raw=True, ner=True, tags=True), max_size=3))
def test_docbin(texts, tagged):
    texts = [replace(record, spans=None, cats=record.cats or None) for record in texts]
    docs = [TOKENIZER(record.text) for record in texts] + [annotated_doc(record) for record in tagged]
    for doc, record in zip(docs, [*texts, *tagged], strict=True):
        doc.cats = dict(record.cats or {})
    read = written_and_read(DocBinFiles(), docs, [*texts, *tagged], suffix=".spacy")
    assert read == [replace(record, tokens=None) for record in [*texts, *tagged]]


@unhurried
@given(st.lists(sentences(raw=True, ner=True, tags=True), min_size=1, max_size=4))
def test_a_doc_of_several_sentences_is_a_block_each(parts):
    words = [word for part in parts for word in part.tokens.words]
    starts = [place == 0 for part in parts for place in range(len(part.tokens.words))]
    doc = Doc(TOKENIZER.vocab, words=words, sent_starts=starts)
    doc.set_ents([])
    record = Record(doc.text, fields={"sent_id": "1"})
    for file_format in (Columns(), Iob2(), ConllU()):
        read = written_and_read(file_format, [doc], [record])
        assert [sentence.tokens.words for sentence in read] == [part.tokens.words for part in parts]
    assert read[0].fields == {"sent_id": "1"}
    assert all(sentence.raw and sentence.fields == {} for sentence in read[1:])


def test_white_space_tokens_have_no_row():
    words, spaces = ["\n", "Ada", "\n\n", "Ann", "  "], [False, False, False, True, False]
    for vocab in (TOKENIZER.vocab, Vocab()):
        doc = Doc(vocab, words=words, spaces=spaces, ents=["O", "B-PER", "I-PER", "I-PER", "O"])
        for file_format in (Columns(), Iob2()):
            (read,) = written_and_read(file_format, [doc], [Record(doc.text)])
            assert (read.text, read.spans) == ("Ada Ann", [CharSpan(0, 7, "PER")])
        (read,) = written_and_read(ConllU(), [doc], [Record(doc.text)])
        assert (read.text, read.raw) == ("Ada Ann", True)


def test_an_entity_over_a_sentence_end_begins_again_there():
    doc = Doc(TOKENIZER.vocab, words=["a", "b"], sent_starts=[True, True], ents=["B-PER", "I-PER"])
    with tempfile.TemporaryDirectory() as folder:
        writer = Columns().writer(Path(folder) / "file")
        writer.write(doc, Record(doc.text))
        writer.close()
        assert (Path(folder) / "file").read_bytes() == b"a\tB-PER\n\nb\tB-PER\n\n"


def test_spans_of_the_record_stand_in_for_a_doc_that_says_nothing():
    record = Record("Ada Lovelace ran", spans=[CharSpan(0, 3, "X"), CharSpan(0, 12, "PER")])
    doc = TOKENIZER(record.text)
    (read,) = written_and_read(Iob2(), [doc], [record])
    assert read.spans == [CharSpan(0, 12, "PER")]
    doc.set_ents([])
    (read,) = written_and_read(Iob2(), [doc], [record])
    assert read.spans == []
