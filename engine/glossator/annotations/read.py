"""Reading the annotations of a Doc, layer by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from glossator.annotations.layer import layer_of_scores

if TYPE_CHECKING:
    from spacy.tokens import Doc, SpanGroup

PROVENANCE = "glossator"


def is_universal(pos: str) -> bool:
    """Whether this is a universal part of speech that spaCy has.

    Example:
        is_universal("NOUN")  # True; is_universal("NN") is False
    """
    from spacy.parts_of_speech import IDS

    # IDS also has an entry for "", which stands for no part of speech.
    return bool(pos) and pos in IDS


def has_entities(doc: Doc) -> bool:
    """Whether a Doc is annotated with entities, even if it has none; an empty Doc is not.

    Example:
        has_entities(spacy.blank("en")("Mara"))  # False: nobody has looked for entities
    """
    return len(doc) > 0 and doc.has_annotation("ENT_IOB")


def span_groups(doc: Doc) -> dict[str, SpanGroup]:
    """Return the span groups that are annotations, without those that hold the scores of a layer.

    Example:
        span_groups(doc)["drugs"]  # what a head with write = "spans:drugs" predicted
    """
    return {key: group for key, group in doc.spans.items() if layer_of_scores(group) is None}


def count_annotations(doc: Doc) -> Counter[str]:
    """Return the number of entities, spans, tagged tokens and categories of a Doc, by layer.

    Example:
        count_annotations(doc)["ents"]
    """
    return Counter(
        ents=len(doc.ents) if has_entities(doc) else 0,
        spans=sum(len(group) for group in span_groups(doc).values()),
        tag=sum(1 for token in doc if token.tag),
        pos=sum(1 for token in doc if token.pos),
        cats=len(doc.cats),
    )


def categories_of(doc: Doc) -> Mapping[str, Sequence[str]]:
    """Return the categories that hold, for each classifier that annotated the Doc.

    Example:
        categories_of(pipeline("A great film."))  # {"sentiment": ["positive"]}
    """
    provenance = doc.user_data.get(PROVENANCE)
    # Anybody may write to `user_data`, and a Doc may come from a file.
    labels: Mapping[str, Sequence[str]] = (
        provenance.get("labels", {}) if isinstance(provenance, Mapping) else {}
    )
    return labels
