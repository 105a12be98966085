"""Golden texts: the predictions of a pipeline when it was saved, so that a later change is noticed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from glossator.pipeline.head import answer_of

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from glossator.pipeline.head import Head

TOLERANCE = 1e-3  # of scores: processors and versions of libraries round differently

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
    """Return annotated texts and the heads' predictions, one JSON object per line.

    Example:
        content = record(pipeline.pipe(TEXTS), pipeline.heads.values())
    """
    lines = [json.dumps(answer_of(doc, heads), ensure_ascii=False) for doc in docs]
    return "".join(f"{line}\n" for line in lines)


def recorded_texts(recorded: str) -> list[str]:
    """Return the texts that `record` recorded.

    Example:
        docs = pipeline.pipe(recorded_texts(content))
    """
    return [answer["text"] for answer in map(json.loads, recorded.splitlines())]


def differences(recorded: str, docs: Iterable[Doc], heads: Collection[Head]) -> list[str]:
    """Return the predictions that have changed, one sentence each; labels must be equal, scores close.

    Example:
        changes = differences(content, pipeline.pipe(recorded_texts(content)), pipeline.heads.values())

    Args:
        recorded: The result of `record`.
        docs: Its texts, annotated again.
        heads: The heads to compare; the predictions of others are ignored.
    """
    expected = [json.loads(line) for line in recorded.splitlines()]
    actual = [answer_of(doc, heads) for doc in docs]
    return [
        f"{before['text']!r}: {name}: {before[name]} is now {after.get(name)}"
        for before, after in zip(expected, actual, strict=True)
        for name in before
        if name in after and not _close(before[name], after[name])
    ]


def _close(before: Any, after: Any) -> bool:
    if isinstance(before, float) and isinstance(after, int | float):
        return abs(before - after) <= TOLERANCE
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return before.keys() == after.keys() and all(_close(before[key], after[key]) for key in before)
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        return len(before) == len(after) and all(map(_close, before, after))
    return bool(before == after)
