"""Sentences of token rows: shared by the formats with columns."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from glossator.annotations.read import has_entities
from glossator.formats.record import CharSpan, GoldTokens, Record
from glossator.formats.shared.blocks import comment_lines
from glossator.formats.shared.iob_tags import spans_of, tags_of
from glossator.formats.shared.text_streams import open_output

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span

# The content of a column if a token has no tag.
NO_TAG = "_"

_LINE_BREAKING = re.compile(r"[\t\r\n]+")
_SPACE_RUN = re.compile(r"[ \t]+")


class Row(NamedTuple):
    """A word to write: its text, its tags ("" if it has none) and whether white space follows it.

    Example:
        Row("Oslo", ner="B-LOC", tag="NNP", pos="PROPN", space=False)
    """

    word: str
    ner: str
    tag: str
    pos: str
    space: bool


class Sentence(NamedTuple):
    """A sentence to write: its rows, and the fields that become comments above them.

    Example:
        def lines(sentence: Sentence) -> list[str]:
            return [f"{row.word} {row.ner}" for row in sentence.rows]
    """

    rows: list[Row]
    fields: dict[str, Any]


def joined(words: Sequence[str], spaces: Sequence[bool]) -> str:
    """Return the text of words, each with the space after it."""
    return "".join(f"{word} " if space else word for word, space in zip(words, spaces, strict=True))


def spaces_in(words: Sequence[str], text: str) -> list[bool] | None:
    """Return whether white space follows each word in `text`, or None if the words do not spell the text."""
    text = _SPACE_RUN.sub(" ", text).strip(" ")
    spaces, position = [], 0
    for word in words:
        if not text.startswith(word, position):
            return None
        position += len(word)
        spaces.append(text.startswith(" ", position))
        position += spaces[-1]
    return spaces if position == len(text) else None


def all_but_last(words: Sequence[str]) -> list[bool]:
    """Return spaces after all words except the last."""
    return [position < len(words) for position in range(1, len(words) + 1)]


def sentence_record(
    tokens: GoldTokens, ner: Sequence[str] | None, *, raw: bool, fields: dict[str, Any], file: str, line: int
) -> Record:
    """Return the Record of one sentence.

    Args:
        tokens: Its words.
        ner: One valid entity tag per word; None if entities are unannotated.
        raw: As in `Record`.
        fields: As in `Record`.
        file: As in `Record`.
        line: As in `Record`.
    """
    starts = [
        0,
        *accumulate(len(word) + space for word, space in zip(tokens.words, tokens.spaces, strict=True)),
    ]
    spans = None
    if ner is not None:
        spans = [
            CharSpan(starts[first], starts[end - 1] + len(tokens.words[end - 1]), label)
            for first, end, label in spans_of(ner)
        ]
    text = joined(tokens.words, tokens.spaces)
    return Record(text, tokens=tokens, spans=spans, fields=fields, file=file, line=line, raw=raw)


def with_stated_text(fields: dict[str, Any], text: str) -> tuple[dict[str, Any], bool]:
    """Return fields without "text" and True if that field equals `text`; else the same fields and False."""
    if fields.get("text") == text:
        return {key: value for key, value in fields.items() if key != "text"}, True
    return fields, False


class SentenceWriter:
    """Writes the sentences of Docs as blocks of rows.

    Example:
        writer = SentenceWriter(Path("out.tsv"), append=False, lines=lines, layers=["ents"])

    Args:
        path: The file; `Path("-")` is standard output.
        append: Whether to keep the content of the file and write after it.
        lines: Returns the lines of one sentence.
        layers: The layers among "ents", "tag" and "pos" that those lines hold.
    """

    def __init__(
        self, path: Path, append: bool, lines: Callable[[Sentence], list[str]], layers: Collection[str]
    ) -> None:
        self.layers = frozenset(layers)
        self._file = open_output(path, append, ending="\n\n")
        self._lines = lines

    def write(self, doc: Doc, record: Record) -> None:
        """Write one block per sentence."""
        blocks = ["\n".join(self._lines(sentence)) + "\n\n" for sentence in sentences(doc, record)]
        self._file.write("".join(blocks))

    def flush(self) -> None:
        """Pass all blocks to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def sentences(doc: Doc, record: Record) -> Iterator[Sentence]:
    """Yield the sentences of a Doc that have words; a Doc without sentence boundaries is one sentence.

    White-space tokens have no row. The record's fields go above the first sentence; if the text
    is raw, each sentence has its own text as the field "text".
    """
    ner = _ner_of_words(doc, record)
    fields = dict(record.fields)
    for span in doc.sents if doc.has_annotation("SENT_START") else [doc[:]]:
        positions = _words(span)
        if not positions:
            continue
        rows = [_row(doc, position, ner[position]) for position in positions]
        # An entity that crosses a sentence boundary is continued by a row that must begin it anew.
        rows[0] = rows[0]._replace(ner=re.sub("^I-", "B-", rows[0].ner))
        if record.raw:
            fields["text"] = joined([row.word for row in rows], [row.space for row in rows]).rstrip(" ")
        yield Sentence(rows, fields)
        fields = {}


def comments_of(sentence: Sentence) -> list[str]:
    """Return the comment lines above a sentence."""
    return comment_lines(sentence.fields)


def entities(doc: Doc, record: Record) -> list[Span]:
    """Return a Doc's entities; if they are unannotated, the record's spans, without overlaps."""
    from spacy.util import filter_spans

    if has_entities(doc) or record.spans is None:
        return list(doc.ents)
    spans = [doc.char_span(*span, alignment_mode="expand") for span in record.spans]
    return filter_spans([span for span in spans if span is not None])


def _words(span: Span) -> list[int]:
    # Not `is_space`, which is always false in a vocab without a language.
    return [token.i for token in span if not token.text.isspace()]


def _ner_of_words(doc: Doc, record: Record) -> dict[int, str]:
    """Return the BIO tag of each token other than white space."""
    words = _words(doc[:])
    spans = []
    for entity in entities(doc, record):
        first, end = bisect_left(words, entity.start), bisect_left(words, entity.end)
        if first < end:
            spans.append((first, end, entity.label_))
    return dict(zip(words, tags_of(spans, len(words)), strict=True))


def _row(doc: Doc, position: int, ner: str) -> Row:
    token = doc[position]
    followed = position + 1 == len(doc) or bool(token.whitespace_) or doc[position + 1].text.isspace()
    # spaCy's tokens may contain a tab or a line end, which would end the cell or the row.
    word, ner, tag = (_LINE_BREAKING.sub(" ", cell) for cell in (token.text, ner, token.tag_))
    return Row(word, ner, tag, token.pos_, followed)
