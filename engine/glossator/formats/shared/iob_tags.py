"""Tags that encode spans token by token: IOB1, BIO (IOB2), BIOES and BILOU."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

Scheme = Literal["bio", "bioes", "bilou"]

OUTSIDE = "O"
_TAG = re.compile(r"([BIESLU])-(.+)")


class _Prefixes(NamedTuple):
    first: str
    inside: str
    last: str
    single: str


_PREFIXES: dict[Scheme, _Prefixes] = {
    "bio": _Prefixes("B", "I", "I", "B"),
    "bioes": _Prefixes("B", "I", "E", "S"),
    "bilou": _Prefixes("B", "I", "L", "U"),
}


def is_tag(text: str) -> bool:
    """Whether the text is a tag of one of the schemes."""
    return text == OUTSIDE or _TAG.fullmatch(text) is not None


def spans_of(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return the (start, end, label) of the spans that the tags encode, in any of the schemes or mixed.

    A tag that continues a span begins one if there is no span of its label to continue, as in IOB1.

    Example:
        spans_of(["B-PER", "I-PER", "O", "B-LOC"])  # [(0, 2, "PER"), (3, 4, "LOC")]

    Raises:
        ValueError: If one of them is not a tag.
    """
    spans: list[tuple[int, int, str]] = []
    start, label = 0, ""  # the open span; no label, no span
    for position, tag in enumerate([*tags, OUTSIDE]):
        prefix, tag_label = _parse(tag)
        if label and (prefix in "BSU" or tag_label != label):
            spans.append((start, position, label))
            label = ""
        if tag_label and not label:
            start, label = position, tag_label
        if label and prefix in "ESLU":
            spans.append((start, position + 1, label))
            label = ""
    return spans


def tags_of(spans: Iterable[tuple[int, int, str]], length: int, scheme: Scheme = "bio") -> list[str]:
    """Return the tags of `length` tokens that encode spans (start, end, label).

    Example:
        tags_of([(0, 2, "PER")], 3, "bioes")  # ["B-PER", "E-PER", "O"]

    Raises:
        ValueError: If two spans overlap, or one is empty or outside.
    """
    prefixes = _PREFIXES[scheme]
    tags = [OUTSIDE] * length
    for start, end, label in spans:
        if not 0 <= start < end <= length:
            raise ValueError(f"the span {start}:{end} is empty or outside 0:{length}")
        if any(tag != OUTSIDE for tag in tags[start:end]):
            raise ValueError(f"the span {start}:{end} overlaps another, which tags cannot express")
        tags[start:end] = [f"{prefix}-{label}" for prefix in _spelling(end - start, prefixes)]
    return tags


def _parse(tag: str) -> tuple[str, str]:
    """Return the tag's prefix and label: "O" and "" for a token outside spans."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    match = _TAG.fullmatch(tag)
    if match is None:
        raise ValueError(f"{tag!r} is not a tag: expected O or one like B-PER (prefixes B I E S L U)")
    return match[1], match[2]


def _spelling(length: int, prefixes: _Prefixes) -> list[str]:
    if length == 1:
        return [prefixes.single]
    return [prefixes.first, *[prefixes.inside] * (length - 2), prefixes.last]
