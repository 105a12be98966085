"""The IOB2 files of Universal NER: number, token, BIO tag, `-`, annotator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from glossator.errors import DataError
from glossator.formats import Writer
from glossator.formats.conllu import NumberedRow, split_block
from glossator.formats.record import GoldTokens, Record
from glossator.formats.shared.blocks import Line, parse_comments, read_records
from glossator.formats.shared.iob_tags import is_tag
from glossator.formats.shared.token_rows import (
    Sentence,
    SentenceWriter,
    all_but_last,
    comments_of,
    joined,
    sentence_record,
    spaces_in,
    with_stated_text,
)

_TOKEN, _NER = 1, 2
_WIDTH = 3  # the columns after the tag, such as the annotator's name, are not read


class Iob2:
    """Reads and writes the files of Universal NER; `# text` is the raw text if the tokens spell it.

    Example:
        records = Iob2().read(Path("en_ewt-ud-dev.iob2"), name="dev", encoding="utf-8")
    """

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
        """Yield one record per sentence."""
        return read_records(path, name, encoding, _sentence)

    def writer(self, path: Path, *, append: bool = False) -> Writer:
        """Open an IOB2 file; a record's fields become comments."""
        return SentenceWriter(path, append, _lines, ("ents",))


def _sentence(block: list[Line], name: str) -> Record | None:
    comments, rows = split_block(block, name, _WIDTH)
    words = [row for row in rows if row.is_word]
    if not words:
        return None
    forms = [row.cells[_TOKEN] for row in words]
    fields = parse_comments(comments)
    spaces = spaces_in(forms, fields.get("text", "")) or all_but_last(forms)
    fields, raw = with_stated_text(fields, joined(forms, spaces))
    tokens = GoldTokens(forms, spaces, sent_starts=[0])
    ner = [_tag(row, name) for row in words]
    return sentence_record(tokens, ner, raw=raw, fields=fields, file=name, line=block[0].number)


def _tag(row: NumberedRow, name: str) -> str:
    tag = row.cells[_NER]
    if not is_tag(tag):
        raise DataError(f"{tag!r} is not an entity tag such as O or B-PER", file=name, line=row.line)
    return tag


def _lines(sentence: Sentence) -> list[str]:
    rows = (f"{number}\t{row.word}\t{row.ner}\t-\t-" for number, row in enumerate(sentence.rows, start=1))
    return [*comments_of(sentence), *rows]
