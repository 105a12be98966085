"""Spans without overlaps: entities and one-label-per-token models allow one span per token."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar


class HasBounds(Protocol):
    """Anything that covers the tokens [start, end): a `GoldSpan`, a `ScoredSpan`, spaCy's `Span`.

    Example:
        class Mention(NamedTuple):
            start: int
            end: int
    """

    @property
    def start(self) -> int:
        """The first token."""

    @property
    def end(self) -> int:
        """The token after the last."""


AnySpan = TypeVar("AnySpan", bound=HasBounds)


def longest_first(span: HasBounds) -> tuple[int, int]:
    """Order spans by length, longest first, then by position.

    Example:
        sorted(spans, key=longest_first)
    """
    return (span.start - span.end, span.start)


def without_overlaps(
    spans: Iterable[AnySpan],
    key: Callable[[AnySpan], Any] = longest_first,
    *,
    taken: Iterable[HasBounds] = (),
    on_rejected: Callable[[AnySpan, Any], object] | None = None,
) -> list[AnySpan]:
    """Return the spans, sorted, without those that touch a token of a preferred one.

    Spans are tried in order of preference and kept if all their tokens are free. This is greedy: a long
    span keeps out two short ones, even where the two would cover more tokens.

    Example:
        without_overlaps([GoldSpan(0, 1, "A"), GoldSpan(0, 3, "B")])  # [GoldSpan(0, 3, "B")]

    Args:
        spans: Spans of one Doc, which can be compared with each other.
        key: The order of preference: lowest first, ties in the order given.
        taken: Spans whose tokens are occupied from the start.
        on_rejected: Called with each span that is left out and the kept span that owns the first token
            they share.
    """
    owners: dict[int, Any] = {token: span for span in taken for token in range(span.start, span.end)}

    kept = []
    for span in sorted(spans, key=key):
        tokens = range(span.start, span.end)
        rival = next((owners[token] for token in tokens if token in owners), None)
        if rival is None:
            kept.append(span)
            owners.update(dict.fromkeys(tokens, span))
        elif on_rejected is not None:
            on_rejected(span, rival)

    # GoldSpans and ScoredSpans are tuples that begin with `start`: this is the order in the text.
    return sorted(kept)  # type: ignore[type-var]
