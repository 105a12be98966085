"""The only code that writes predictions to Docs.

Spans go to their layer, and their scores to a `SpanGroup`: `doc.spans[HEAD]` for a head that writes
`ents`, `doc.spans[KEY]` for `spans:KEY`. The group's `attrs` hold `scores`, one per span, and `layer`.
A head that writes `tag` or `pos` adds a group without spans, with one score per token. `DocBin` and
`Doc.to_bytes` keep SpanGroups. `doc.user_data["glossator"]` holds the pipeline's name and version and the
categories that hold; to store it, use `DocBin(store_user_data=True)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from spacy.attrs import IS_SPACE, POS, TAG
from spacy.parts_of_speech import IDS
from spacy.tokens import Span, SpanGroup

from glossator.annotations.layer import Layer
from glossator.annotations.overlaps import without_overlaps
from glossator.annotations.read import PROVENANCE
from glossator.errors import ConfigError
from glossator.stages import ScoredSpan, TokenTags
from glossator.util.ranking import RANKING_DIGITS

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.vocab import Vocab


def write_spans(doc: Doc, head: str, layer: Layer, spans: Sequence[ScoredSpan]) -> None:
    """Write predicted spans and their scores.

    `ents` cannot overlap: existing entities are kept, then predictions with higher scores win, then longer
    ones, then those further left. White-space tokens at both ends of a span are removed; a span of
    white space alone is dropped.

    Example:
        write_spans(doc, "ner", Layer.parse("ents"), [ScoredSpan(0, 2, "PERSON", 0.97)])
    """
    spans = _without_outer_space(doc, spans)
    if not layer.may_overlap:
        spans = without_overlaps(spans, _surest_first, taken=doc.ents)
    written = [Span(doc, span.start, span.end, label=span.label) for span in spans]
    if not layer.may_overlap:
        # `default` stays "outside": tokens without an entity are annotated as having none.
        doc.set_ents([*doc.ents, *written])
    key = layer.scores_key(head)
    scores = [float(span.score) for span in spans]
    doc.spans[key] = SpanGroup(doc, name=key, attrs={"layer": str(layer), "scores": scores}, spans=written)


def check_labels(layer: Layer, labels: Sequence[str]) -> None:
    """Raise `ConfigError` if the layer is `pos` and a label is not a universal part of speech."""
    unknown = [label for label in labels if layer.kind == "pos" and label not in IDS]
    if unknown:
        raise ConfigError(
            f"write = 'pos' takes universal parts of speech only, not {unknown[0]!r}: use write = 'tag'"
        )


def write_prediction(doc: Doc, head: str, layer: Layer, prediction: Any, labels: Sequence[str]) -> None:
    """Write a stage's prediction for a Doc: spans, tags or the probabilities of categories.

    Example:
        predictions = head.stage.predict(docs, vectors)
        write_prediction(docs[0], head.name, head.config.layer, predictions[0], head.labels)

    Args:
        doc: The Doc.
        head: The head's name.
        layer: The layer it writes.
        prediction: Its stage's prediction.
        labels: The head's labels, as they are written to the Doc.
    """
    if layer.is_categories:
        write_cats(doc, labels, prediction)
    elif layer.is_spans:
        write_spans(doc, head, layer, prediction)
    else:
        write_tags(doc, head, layer, prediction, labels)


def clear_ents(doc: Doc) -> None:
    """Annotate a Doc with no entities, as the start of a pass that writes `ents`."""
    doc.set_ents([])


def write_tags(doc: Doc, head: str, layer: Layer, tags: TokenTags, labels: Sequence[str]) -> None:
    """Write one tag per token; `tags.ids` are indices of `labels`. White space gets `_SP` or `SPACE`."""
    if not len(tags.ids) == len(tags.probabilities) == len(doc):
        raise ValueError(f"{len(tags.ids)} tags and {len(tags.probabilities)} scores for {len(doc)} tokens")
    if len(doc):
        values = _tag_values(doc.vocab, layer, labels)
        is_space = doc.to_array([IS_SPACE]).astype(bool)
        ids = np.where(is_space, len(values) - 1, np.asarray(tags.ids))
        doc.from_array([TAG if layer.kind == "tag" else POS], values[ids])
    scores = np.asarray(tags.probabilities, dtype=float).tolist()
    doc.spans[head] = SpanGroup(doc, name=head, attrs={"layer": str(layer), "scores": scores})


def write_cats(doc: Doc, labels: Sequence[str], probabilities: Sequence[float]) -> None:
    """Write the probability of each category; in a text without words each is 0."""
    values = np.asarray(probabilities, dtype=np.float64).tolist()
    doc.cats.update(zip(labels, values, strict=True))


def write_provenance(doc: Doc, name: str, version: str, labels: Mapping[str, Sequence[str]]) -> None:
    """Write which pipeline annotated the Doc and, for each classifier, which of its categories hold."""
    provenance: dict[str, Any] = {"pipeline": name, "version": version}
    doc.user_data[PROVENANCE] = {**provenance, "labels": dict(labels)} if labels else provenance


def _tag_values(vocab: Vocab, layer: Layer, labels: Sequence[str]) -> Any:
    """Return the number that spaCy stores for each label and, last, for white space."""
    if layer.kind == "tag":
        return np.asarray([vocab.strings.add(label) for label in [*labels, "_SP"]], dtype=np.uint64)
    check_labels(layer, labels)
    return np.asarray([IDS[label] for label in [*labels, "SPACE"]], dtype=np.uint64)


def _without_outer_space(doc: Doc, spans: Sequence[ScoredSpan]) -> list[ScoredSpan]:
    kept = []
    for span in spans:
        start, end = span.start, span.end
        while start < end and doc[start].is_space:
            start += 1
        while end > start and doc[end - 1].is_space:
            end -= 1
        if start < end:
            kept.append(span._replace(start=start, end=end))
    return kept


def _surest_first(span: ScoredSpan) -> tuple[float, int, int, str]:
    # The label decides last, so that the result does not depend on the order of the predictions.
    rank = -round(float(span.score), RANKING_DIGITS)
    return (rank, span.start - span.end, span.start, span.label)
