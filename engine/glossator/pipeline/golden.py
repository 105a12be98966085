"""Golden texts: what a pipeline said when it was saved, so that a change of its answers is noticed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from glossator.pipeline.head import answer_of

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from glossator.pipeline.head import Head

TOLERANCE = 1e-3

TEXTS = (
    "Miriam Okafor flew from Lisbon to Toronto on Monday to meet the board of Halden Shipping.",
    "We loved the soup, but the waiter was rude and the room far too loud.",
    "Is the ferry to Skye still running? Call +44 1599 555 0123 before 9:30.",
    "O comboio para o Porto parte às oito, disse a Joana Teixeira.",
    "林小姐上星期在上海买了一本旧书。",
    "lol @kestrel_77 the new #Brightwater album is soooo good 😍 http://example.com/a?b=1",
    "  A line with\tblanks.\n\nAnd another one, by J. R. Hartley-Smith of the University of Bergen.  ",
    "",
)


def record(docs: Iterable[Doc], heads: Collection[Head]) -> str:
    """Return annotated texts and the heads' answers, one JSON object per line."""
    lines = [json.dumps(answer_of(doc, heads), ensure_ascii=False) for doc in docs]
    return "".join(f"{line}\n" for line in lines)


def recorded_texts(recorded: str) -> list[str]:
    """Return the texts that `record` recorded."""
    return [answer["text"] for answer in map(json.loads, recorded.splitlines())]


def differences(recorded: str, docs: Iterable[Doc], heads: Collection[Head]) -> list[str]:
    """Return what is now answered differently, one sentence each; labels must be equal, scores close.

    Args:
        recorded: What `record` returned.
        docs: Its texts, annotated anew.
        heads: The heads to compare; the answers of others are passed over.
    """
    expected = [json.loads(line) for line in recorded.splitlines()]
    found = [answer_of(doc, heads) for doc in docs]
    return [
        f"{want['text']!r}: {name}: {want[name]} is now {got.get(name)}"
        for want, got in zip(expected, found, strict=True)
        for name in want
        if name in got and not _alike(want[name], got[name])
    ]


def _alike(want: Any, got: Any) -> bool:
    if isinstance(want, float) and isinstance(got, int | float):
        return abs(want - got) <= TOLERANCE
    if isinstance(want, Mapping) and isinstance(got, Mapping):
        return want.keys() == got.keys() and all(_alike(want[key], got[key]) for key in want)
    if isinstance(want, list | tuple) and isinstance(got, list | tuple):
        return len(want) == len(got) and all(map(_alike, want, got))
    return bool(want == got)
