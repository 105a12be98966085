"""Reading what stands on a Doc, layer by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from glossator.annotations.layer import layer_of_scores

if TYPE_CHECKING:
    from spacy.tokens import Doc, SpanGroup

PROVENANCE = "glossator"


def is_universal(pos: str) -> bool:
    """Whether spaCy knows this universal part of speech."""
    from spacy.parts_of_speech import IDS

    return bool(pos) and pos in IDS


def has_entities(doc: Doc) -> bool:
    """Whether a Doc says something of entities, be it that there are none; an empty Doc does not."""
    return len(doc) > 0 and doc.has_annotation("ENT_IOB")


def span_groups(doc: Doc) -> dict[str, SpanGroup]:
    """Return the span groups that are annotations of their own, and not the scores of another layer."""
    return {key: group for key, group in doc.spans.items() if layer_of_scores(group) is None}


def count_annotations(doc: Doc) -> Counter[str]:
    """Return how many entities, spans, tagged tokens and categories a Doc has, by their layer."""
    return Counter(
        ents=len(doc.ents) if has_entities(doc) else 0,
        spans=sum(len(group) for group in span_groups(doc).values()),
        tag=sum(1 for token in doc if token.tag),
        pos=sum(1 for token in doc if token.pos),
        cats=len(doc.cats),
    )


def categories_of(doc: Doc) -> Mapping[str, Sequence[str]]:
    """Return which categories hold, for each classifier that annotated the Doc."""
    said = doc.user_data.get(PROVENANCE)
    labels: Mapping[str, Sequence[str]] = said.get("labels", {}) if isinstance(said, Mapping) else {}
    return labels
