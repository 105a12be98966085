"""CoNLL-style columns: one token per line, a blank line after each sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple, TypeVar

from glossator.annotations.read import is_universal
from glossator.errors import DataError, UsageError
from glossator.formats import Writer
from glossator.formats.record import GoldTokens, Record
from glossator.formats.shared.blocks import Line, parse_comments, read_records
from glossator.formats.shared.iob_tags import OUTSIDE, is_tag
from glossator.formats.shared.token_rows import (
    NO_TAG,
    Row,
    Sentence,
    SentenceWriter,
    all_but_last,
    sentence_record,
)

IGNORED = "_"
NAMES = ("token", "ner", "tag", "pos", IGNORED)
WRITTEN = ("token", "ner")
_LAYERS = {"ner": "ents", "tag": "tag", "pos": "pos"}
_DELIMITERS = {"auto": "\t", "tab": "\t", "space": " "}


class _Cut(NamedTuple):
    """A line cut into cells."""

    number: int
    text: str
    cells: list[str]


AnyLine = TypeVar("AnyLine", Line, _Cut)


class Columns:
    """Reads and writes columns.

    Lines that begin with "#" at the start of a sentence are comments unless they look like a row;
    `-DOCSTART-` rows and rows with a blank token are left out.

    Example:
        reader = Columns(columns="token,tag,_,ner")
        records = reader.read(Path("eng.train"), name="eng.train", encoding="utf-8")

    Args:
        delimiter: "tab", "space" (any number of them), another string, or "auto": tabs in a sentence
            that has them, else spaces. "auto" writes tabs.
        columns: The content of each column, as a list or joined by commas: "token", "ner" (tags as in
            `shared.iob_tags`), "tag", "pos" or "_" (not read). By default the first column is the
            token and the last of several is ner; "token,ner" is written.

    Raises:
        UsageError: If the columns cannot be those of a file.
    """

    def __init__(self, delimiter: str = "auto", columns: str | Sequence[str] | None = None) -> None:
        if not delimiter:
            raise UsageError('delimiter = "": set a delimiter, or omit the option')
        self.delimiter = delimiter
        self.columns = _checked(columns.split(",") if isinstance(columns, str) else columns)

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
        """Yield one record per sentence."""
        return read_records(path, name, encoding, self._sentence)

    def writer(self, path: Path, *, append: bool = False) -> Writer:
        """Open a file of columns; record fields are not written."""
        layers = {_LAYERS[name] for name in self.columns or WRITTEN if name in _LAYERS}
        return SentenceWriter(path, append, self._lines, layers)

    def _sentence(self, block: list[Line], name: str) -> Record | None:
        lines = _cut(block, self.delimiter)
        names = self.columns or _default_columns(_width(lines))
        comments = list(takewhile(lambda line: self._is_comment(line, names), lines))
        rows = lines[len(comments) :]
        if not rows:
            return None

        tokens = [dict(zip(names, row.cells, strict=True)) for row in rows if _holds_token(row, names, name)]
        words = [token["token"] for token in tokens]
        starts = [0] if words else []
        gold = GoldTokens(words, all_but_last(words), _tags(tokens, "tag"), _tags(tokens, "pos"), starts)
        ner = [token["ner"] for token in tokens] if "ner" in names else None
        fields = parse_comments([comment.text for comment in comments])
        return sentence_record(gold, ner, raw=False, fields=fields, file=name, line=rows[0].number)

    def _is_comment(self, line: _Cut, names: Sequence[str]) -> bool:
        """Whether a line is a comment: "#" is also a word, and what tweets' words begin with."""
        if not line.text.startswith("#"):
            return False
        if len(line.cells) == len(names) and (len(names) > 1 or self.columns or line.text == "#"):
            is_row = "ner" not in names or is_tag(line.cells[names.index("ner")])
            return not is_row and line.text.startswith("# ")
        return line.text.startswith("# ") or len(line.cells) == 1

    def _lines(self, sentence: Sentence) -> list[str]:
        names = self.columns or WRITTEN
        delimiter = _DELIMITERS.get(self.delimiter, self.delimiter)
        # A word that contains the delimiter would be read back as two columns.
        cells = ([_written(row, name).replace(delimiter, "_") for name in names] for row in sentence.rows)
        return [delimiter.join(row) for row in cells]


def _checked(columns: Sequence[str] | None) -> tuple[str, ...] | None:
    if columns is None:
        return None
    names = [name.strip() for name in columns]
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise UsageError(f"columns: {unknown[0]!r} is not a column; valid columns: {', '.join(NAMES)}")
    named = [name for name in names if name != IGNORED]
    if "token" not in named or len(set(named)) < len(named):
        raise UsageError(f"columns = {','.join(names)!r}: name 'token' once, and the others at most once")
    return tuple(names)


def _default_columns(width: int) -> tuple[str, ...]:
    return ("token",) if width == 1 else ("token", *[IGNORED] * (width - 2), "ner")


def _cut(block: list[Line], delimiter: str) -> list[_Cut]:
    """Return the lines of a block cut into cells, without `-DOCSTART-` rows."""
    lines = [line for line in block if not line.text.startswith("-DOCSTART-")]
    if delimiter == "auto":
        has_tabs = any("\t" in line.text for line in _sure_rows(lines))
        delimiter = "tab" if has_tabs else "space"
    return [_Cut(*line, _cells(line.text, _DELIMITERS.get(delimiter, delimiter))) for line in lines]


def _cells(text: str, delimiter: str) -> list[str]:
    parts = re.split(" +", text.strip(" ")) if delimiter == " " else text.split(delimiter)
    return [part.strip() for part in parts]


def _width(lines: list[_Cut]) -> int:
    return len(_sure_rows(lines)[0].cells) if lines else 1


def _sure_rows(lines: list[AnyLine]) -> list[AnyLine]:
    """Return the lines that cannot be comments, or the last line if all begin with "#"."""
    return [line for line in lines if not line.text.startswith("#")] or lines[-1:]


def _holds_token(line: _Cut, names: Sequence[str], file: str) -> bool:
    """Whether a row holds a token; raise `DataError` for an invalid row."""
    if len(line.cells) != len(names):
        message = f"{len(line.cells)} columns, not {len(names)}: name them with columns=token,..."
        raise DataError(message, file=file, line=line.number)
    row = dict(zip(names, line.cells, strict=True))
    ner, pos = row.get("ner", OUTSIDE), row.get("pos", NO_TAG)
    if not is_tag(ner):
        message = f"{ner!r} is not an entity tag such as O or B-PER: name the columns with columns=token,..."
        raise DataError(message, file=file, line=line.number)
    if pos != NO_TAG and not is_universal(pos):
        raise DataError(f"{pos!r} is not a universal part of speech", file=file, line=line.number)
    if not row["token"] and ner != OUTSIDE:
        raise DataError(f"the tag {ner} has no token", file=file, line=line.number)
    return bool(row["token"])


def _tags(rows: list[dict[str, str]], name: str) -> list[str] | None:
    tags = [row.get(name, NO_TAG) for row in rows]
    return ["" if tag == NO_TAG else tag for tag in tags] if any(tag != NO_TAG for tag in tags) else None


def _written(row: Row, name: str) -> str:
    values = {"token": row.word, "ner": row.ner, "tag": row.tag or NO_TAG, "pos": row.pos or NO_TAG}
    return values.get(name, IGNORED)
