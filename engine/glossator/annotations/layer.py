"""The layers of annotation that a head can write: `ents`, `spans:KEY`, `tag`, `pos` and `cats`.

A `Layer` knows everything that differs from layer to layer: its name, where a Doc holds its annotations and
their scores, and whether a Doc is annotated. To add a layer, begin here; `write` writes the
predictions of each kind, and `evaluation.scores` scores them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from glossator.errors import ConfigError

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span, SpanGroup, Token

LayerKind = Literal["ents", "spans", "tag", "pos", "cats"]

_SPANS_PREFIX = "spans:"


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of annotation.

    Example:
        layer = Layer.parse("spans:drugs")
        assert (layer.kind, layer.key, str(layer)) == ("spans", "drugs", "spans:drugs")
        names = [span.text for span in layer.spans(doc)]

    Attributes:
        kind: "ents" (`doc.ents`), "spans" (`doc.spans[key]`), "tag" (`token.tag_`), "pos"
            (`token.pos_`) or "cats" (`doc.cats`).
        key: The key in `doc.spans` if the kind is "spans"; else "".
    """

    kind: LayerKind
    key: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(LayerKind) or (self.kind == "spans") != bool(self.key):
            raise ConfigError(f"there is no layer {self.kind!r} with the key {self.key!r}")

    @classmethod
    def parse(cls, text: str) -> Layer:
        """Return the layer with this name: "ents", "spans:KEY", "tag", "pos" or "cats".

        Example:
            Layer.parse("spans:drugs").key  # "drugs"

        Raises:
            ConfigError: No layer has this name.
        """
        key = text.removeprefix(_SPANS_PREFIX)
        if key != text and key:
            return cls("spans", key)
        for kind in get_args(LayerKind):
            if text == kind != "spans":
                return cls(kind)
        raise ConfigError(f"there is no layer {text!r}: use 'ents', 'spans:KEY', 'tag', 'pos' or 'cats'")

    @classmethod
    def for_tagger(cls, write: str) -> Layer:
        """Return the layer that a tagger's setting `write` names.

        Example:
            Layer.for_tagger("tag")  # Layer("tag"); "cats" raises ConfigError

        Raises:
            ConfigError: A tagger cannot write this layer.
        """
        try:
            layer = cls.parse(write)
        except ConfigError:
            layer = CATS  # which no tagger writes: an unknown name gets the same message
        if layer.is_categories:
            raise ConfigError(f"write = {write!r}: a tagger writes 'ents', 'spans:KEY', 'tag' or 'pos'")
        return layer

    def __str__(self) -> str:
        return f"{_SPANS_PREFIX}{self.key}" if self.kind == "spans" else self.kind

    @property
    def is_spans(self) -> bool:
        """Whether it holds labelled spans (`ents`, `spans:KEY`)."""
        return self.kind in ("ents", "spans")

    @property
    def is_tags(self) -> bool:
        """Whether it holds one label per token (`tag`, `pos`)."""
        return self.kind in ("tag", "pos")

    @property
    def is_categories(self) -> bool:
        """Whether it holds categories of the whole document (`cats`)."""
        return self.kind == "cats"

    @property
    def may_overlap(self) -> bool:
        """Whether its spans may overlap; `ents` may not."""
        return self.kind == "spans"

    @property
    def score_prefix(self) -> str:
        """The prefix of its score names, the same as spaCy's: "ents", "spans_KEY", "tag", ..."""
        return f"spans_{self.key}" if self.kind == "spans" else self.kind

    def scores_key(self, head: str) -> str:
        """Return the key in `doc.spans` of the group that holds the scores of a head's spans or tags."""
        # Several heads may write entities or tags of one Doc, so those scores go under the head's name.
        return self.key if self.kind == "spans" else head

    def scored_spans(self, doc: Doc, head: str) -> list[tuple[Span, float]]:
        """Return the spans that a head wrote, with their scores."""
        group = doc.spans[self.scores_key(head)]
        return list(zip(group, group.attrs["scores"], strict=True))

    def tag_scores(self, doc: Doc, head: str) -> Sequence[float]:
        """Return the score of each token's tag, as a head predicted it."""
        scores: Sequence[float] = doc.spans[self.scores_key(head)].attrs["scores"]
        return scores

    def spans(self, doc: Doc) -> Sequence[Span]:
        """Return the spans of a Doc, of `ents` or `spans:KEY`; empty if it has no such group."""
        if self.kind == "ents":
            return doc.ents
        return list(doc.spans[self.key]) if self.key in doc.spans else []

    def label_of(self, token: Token) -> str:
        """Return a token's label, of `tag` or `pos`; "" if it has none."""
        return token.tag_ if self.kind == "tag" else token.pos_

    def is_annotated(self, doc: Doc) -> bool:
        """Whether a gold Doc is annotated with the layer."""
        if self.kind == "ents":
            return doc.has_annotation("ENT_IOB")
        if self.kind == "cats":
            return bool(doc.cats)
        if self.kind == "spans":
            return self.key in doc.spans
        return doc.has_annotation(self.kind.upper())

    def is_missing(self, token: Token) -> bool:
        """Whether the gold leaves a token unannotated; only entities and tags can be missing."""
        if self.kind == "ents":
            return token.ent_iob == 0
        return self.is_tags and not self.label_of(token)

    def exclusive_targets(self, head: str) -> frozenset[str]:
        """Return the parts of a Doc that only one head may write; entities and categories are shared."""
        if self.is_categories:
            return frozenset()
        scores = f"doc.spans[{self.scores_key(head)!r}]"
        return frozenset({f"token.{self.kind}_", scores} if self.is_tags else {scores})


ENTS, TAG, POS, CATS = Layer("ents"), Layer("tag"), Layer("pos"), Layer("cats")


def layer_of_scores(group: SpanGroup) -> Layer | None:
    """Return the layer whose scores a span group holds; None if the group is an annotation itself.

    Example:
        layer_of_scores(doc.spans["ner"])  # Layer("ents") for a head called "ner"
    """
    try:
        layer = Layer.parse(str(group.attrs.get("layer")))
    except ConfigError:  # another library's group, with an attribute of this name
        return None
    return None if layer.kind == "spans" else layer
