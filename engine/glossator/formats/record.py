"""One document as a file gave it, before it becomes a Doc."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from spacy.tokens import Doc


class CharSpan(NamedTuple):
    """A labelled span of characters [start, end)."""

    start: int
    end: int
    label: str


@dataclass(slots=True)
class GoldTokens:
    """Tokens as the file had them.

    Attributes:
        words: The tokens' texts.
        spaces: Whether each is followed by one space; `"".join` of both is the record's text.
        tags: Fine-grained tags (`token.tag_`), or None where the file has none.
        pos: Universal tags (`token.pos_`), or None.
        sent_starts: Indices of tokens that begin a sentence, or None where the file does not say.
    """

    words: list[str]
    spaces: list[bool]
    tags: list[str] | None = None
    pos: list[str] | None = None
    sent_starts: list[int] | None = None


@dataclass(slots=True)
class Record:
    """One document as a file gave it.

    Attributes:
        text: The raw text.
        tokens: The file's own tokens; None where it has raw text only.
        spans: Gold spans in characters of `text`; None where not annotated, [] where there are none.
        cats: Gold categories and their values (1.0 holds, 0.0 does not); None where not annotated.
        fields: Everything else the file said of this document, kept for output (JSON values).
        file: The file, as the user named it.
        line: 1-based line where the document starts.
        raw: Whether `text` is raw text as it was found (True) or was joined from tokens (False).
        doc: The Doc itself where the format stores Docs (DocBin): it is annotated as it stands.
    """

    text: str
    tokens: GoldTokens | None = None
    spans: list[CharSpan] | None = None
    cats: dict[str, float] | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    file: str = ""
    line: int | None = None
    raw: bool = True
    doc: Doc | None = None
