"""One document as it was read from a file, before it becomes a Doc."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from spacy.tokens import Doc


class CharSpan(NamedTuple):
    """A labelled span of characters [start, end).

    Example:
        CharSpan(0, 4, "PERSON")  # "Mara" in "Mara lives in Oslo."
    """

    start: int
    end: int
    label: str


@dataclass(slots=True)
class GoldTokens:
    """The tokens of a file.

    Example:
        GoldTokens(["Mara", "left", "."], [True, False, False], pos=["PROPN", "VERB", "PUNCT"])

    Attributes:
        words: The texts of the tokens.
        spaces: Whether each token is followed by one space; `"".join` of both is the record's text.
        tags: Fine-grained tags (`token.tag_`), or None if the file has none.
        pos: Universal tags (`token.pos_`), or None.
        sent_starts: Indices of tokens that begin a sentence, or None if sentences are unannotated.
    """

    words: list[str]
    spaces: list[bool]
    tags: list[str] | None = None
    pos: list[str] | None = None
    sent_starts: list[int] | None = None


@dataclass(slots=True)
class Record:
    """One document as it was read from a file.

    Example:
        Record("Mara lives in Oslo.", spans=[CharSpan(0, 4, "PERSON"), CharSpan(14, 18, "CITY")])

    Attributes:
        text: The raw text.
        tokens: The file's own tokens; None if it has raw text only.
        spans: Gold spans in characters of `text`; None if unannotated, [] if there are none.
        cats: Gold categories and their values (1.0 holds, 0.0 does not); None if unannotated.
        fields: All other fields of the document, kept for output (JSON values).
        file: The file, as the user named it.
        line: 1-based line where the document starts.
        raw: Whether `text` is the original text (True) or was joined from tokens (False).
        doc: The Doc itself if the format stores Docs (DocBin); it is annotated in place.
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
