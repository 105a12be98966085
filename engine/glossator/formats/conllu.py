"""CoNLL-U: the words of Universal Dependencies with their tags, ten columns per row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from glossator.annotations.read import is_universal
from glossator.errors import DataError
from glossator.formats import Writer
from glossator.formats.record import GoldTokens, Record
from glossator.formats.shared.blocks import Line, parse_comments, read_records
from glossator.formats.shared.token_rows import (
    NO_TAG,
    Row,
    Sentence,
    SentenceWriter,
    comments_of,
    joined,
    sentence_record,
    spaces_in,
    with_stated_text,
)

_WIDTH = 10
_FORM, _UPOS, _XPOS, _MISC = 1, 3, 4, 9
_NO_SPACE = "SpaceAfter=No"
_ID = re.compile(r"(?P<first>[0-9]{1,9})(?:-(?P<last>[0-9]{1,9})|(?P<empty>\.[0-9]+))?")


class NumberedRow(NamedTuple):
    """A row of words `first` to `last`: one word if they are equal, else the surface form of several.

    Example:
        NumberedRow(line=7, first=3, last=4, cells=["3-4", "du", ...])  # de + le
    """

    line: int
    first: int
    last: int
    cells: list[str]

    @property
    def is_word(self) -> bool:
        """Whether the row is a word, not the surface form of several words."""
        return self.first == self.last


class ConllU:
    """Reads and writes CoNLL-U: words, UPOS as `pos`, XPOS as `tag`.

    Rows of several words (`n-m`) are only used for the spaces; empty nodes (`n.m`) are left out.

    Example:
        records = ConllU().read(Path("en_ewt-ud-dev.conllu"), name="dev", encoding="utf-8")
    """

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
        """Yield one record per sentence."""
        return read_records(path, name, encoding, _sentence)

    def writer(self, path: Path, *, append: bool = False) -> Writer:
        """Open a CoNLL-U file; it has no place for entities, spans and categories."""
        return SentenceWriter(path, append, _lines, ("tag", "pos"))


def split_block(block: list[Line], name: str, width: int) -> tuple[list[str], list[NumberedRow]]:
    """Return the comment lines and the rows of a block, without empty nodes.

    Raises:
        DataError: If a row has fewer than `width` cells, no number or no word, or the numbers do not rise.
    """
    comments = [line.text for line in block if line.text.startswith("#")]
    numbered = (_numbered(line, name, width) for line in block if not line.text.startswith("#"))
    rows = [row for row in numbered if row is not None]
    words = [row for row in rows if row.is_word]
    for before, row in pairwise(words):
        if row.first <= before.first:
            message = f"word {row.first} comes after word {before.first}: is an empty line missing above it?"
            raise DataError(message, file=name, line=row.line)
    return comments, rows


def _numbered(line: Line, name: str, width: int) -> NumberedRow | None:
    cells = [cell.strip() for cell in line.text.split("\t")]
    if len(cells) < width:
        message = f"{len(cells)} tab-separated columns, not {width}"
        raise DataError(message, file=name, line=line.number)
    number = _ID.fullmatch(cells[0])
    if number is None:
        raise DataError(f"{cells[0]!r} is not a word number", file=name, line=line.number)
    if not cells[_FORM]:
        raise DataError("the row has no word", file=name, line=line.number)
    if number["empty"]:
        return None
    return NumberedRow(line.number, int(number["first"]), int(number["last"] or number["first"]), cells)


def _sentence(block: list[Line], name: str) -> Record | None:
    comments, rows = split_block(block, name, _WIDTH)
    words = [row for row in rows if row.is_word]
    if not words:
        return None
    _check_parts_of_speech(words, name)
    forms = [row.cells[_FORM] for row in words]
    fields = parse_comments(comments)
    spaces, faithful = _spaces(rows)
    if "text" in fields:
        spaces = spaces_in(forms, fields["text"]) or spaces
        fields, faithful = with_stated_text(fields, joined(forms, spaces))
    tokens = GoldTokens(forms, spaces, _column(words, _XPOS), _column(words, _UPOS), [0])
    return sentence_record(tokens, None, raw=faithful, fields=fields, file=name, line=block[0].number)


def _spaces(rows: list[NumberedRow]) -> tuple[list[bool], bool]:
    """Return the space after each word according to MISC, and whether the raw text can be restored."""
    words = {row.first: row for row in rows if row.is_word}
    space = {number: _has_space(row) for number, row in words.items()}
    # A space after every word means that the file does not annotate spaces at all.
    faithful = not all(_has_space(row) for row in rows)
    for surface in (row for row in rows if not row.is_word):
        inside = [number for number in words if surface.first <= number <= surface.last]
        adjacent = "".join(words[number].cells[_FORM] for number in inside) == surface.cells[_FORM]
        space.update(dict.fromkeys(inside[:-1], not adjacent))
        space.update(dict.fromkeys(inside[-1:], _has_space(surface)))
        faithful = faithful and adjacent
    return [*list(space.values())[:-1], False], faithful


def _has_space(row: NumberedRow) -> bool:
    return _NO_SPACE not in row.cells[_MISC].split("|")


def _check_parts_of_speech(words: list[NumberedRow], name: str) -> None:
    for row in words:
        pos = row.cells[_UPOS]
        if pos != NO_TAG and not is_universal(pos):
            raise DataError(f"{pos!r} is not a universal part of speech", file=name, line=row.line)


def _column(words: list[NumberedRow], column: int) -> list[str] | None:
    tags = [row.cells[column] for row in words]
    return ["" if tag == NO_TAG else tag for tag in tags] if any(tag != NO_TAG for tag in tags) else None


def _lines(sentence: Sentence) -> list[str]:
    return [
        *comments_of(sentence),
        *(_line(number, row) for number, row in enumerate(sentence.rows, start=1)),
    ]


def _line(number: int, row: Row) -> str:
    misc = "_" if row.space else _NO_SPACE
    cells = [str(number), row.word, "_", row.pos or NO_TAG, row.tag or NO_TAG, "_", "_", "_", "_", misc]
    return "\t".join(cells)
