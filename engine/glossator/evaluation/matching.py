"""Match predictions with gold annotations: correct, or one of four kinds of error.

Scores, calibration, confusion and the list of errors are all computed from these matches. Predictions and
gold are compared by characters, so that the two may be tokenized differently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from glossator.annotations.layer import Layer
from glossator.ml.thresholds import Thresholds, labels_that_hold
from glossator.util.ranking import RANKING_DIGITS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc, Span, Token

Kind = Literal["correct", "missed", "spurious", "wrong label", "wrong boundaries"]
ERROR_KINDS: tuple[Kind, ...] = ("missed", "spurious", "wrong label", "wrong boundaries")

NO_THRESHOLDS: Mapping[str, float] = MappingProxyType({})


class Labelled(NamedTuple):
    """Characters [start, end) of a text and their label; a category covers the whole text.

    Example:
        Labelled(0, 4, "PERSON")
    """

    start: int
    end: int
    label: str


class Match(NamedTuple):
    """A prediction and the gold annotation it is matched with, either of which may be missing.

    Example:
        match = Match(0, gold=Labelled(0, 4, "PERSON"), predicted=Labelled(0, 4, "ORG"), score=0.8)
        match.kind  # "wrong label"

    Attributes:
        document: Index of the document, counted from 0.
        gold: The gold annotation; None if there is none.
        predicted: The prediction; None if there is none.
        score: The probability of `predicted` or, if categories are not exclusive and this one was not
            predicted, of this category; None for a missed span and for a document that got no category:
            because it is out of scope, or has no words.
    """

    document: int
    gold: Labelled | None
    predicted: Labelled | None
    score: float | None

    @property
    def is_correct(self) -> bool:
        """Whether gold and prediction are equal."""
        return self.gold == self.predicted

    @property
    def kind(self) -> Kind:
        """The kind of match: "correct", or a kind of error."""
        if self.gold == self.predicted:
            return "correct"
        if self.predicted is None:
            return "missed"
        if self.gold is None:
            return "spurious"
        return "wrong label" if self.gold[:2] == self.predicted[:2] else "wrong boundaries"

    @property
    def holds(self) -> bool:
        """Whether the event with the probability `score` is true."""
        return self.gold is not None if self.predicted is None else self.is_correct


@dataclass(frozen=True, slots=True)
class Confusion:
    """A confusion matrix: how often each label was predicted for each gold label.

    Example:
        table = confusion(evaluation.matches)
        table.counts[table.labels.index("NOUN"), table.labels.index("VERB")]  # nouns tagged as verbs

    Attributes:
        labels: Gold and predicted labels, sorted.
        counts: (labels, labels), one row per gold label and one column per predicted label.
    """

    labels: tuple[str, ...]
    counts: NDArray[np.intp]


def match_spans(gold: Sequence[Doc], predicted: Sequence[Doc], layer: Layer, head: str) -> list[Match]:
    """Match predicted spans or tags with gold ones; unannotated tokens and white space are left out.

    A prediction is correct if label and boundaries are. Each wrong one, in descending order of score, is
    matched with a gold annotation that is still free: one with the same boundaries ("wrong label"), else
    the one with its label that it overlaps most ("wrong boundaries"). The rest is "spurious" or "missed".

    Example:
        matches = match_spans(gold_docs, list(pipeline.pipe(texts)), Layer.parse("ents"), "ner")
        missed = [match for match in matches if match.kind == "missed"]

    Args:
        gold: The gold Docs.
        predicted: Docs of the same texts, annotated by the engine.
        layer: `ents`, `spans:KEY`, `tag` or `pos`.
        head: The name of the head that annotated them.
    """
    matches: list[Match] = []
    for number, (reference, doc) in enumerate(zip(gold, predicted, strict=True)):
        if layer.is_annotated(reference):
            unannotated = _unannotated_characters(reference, layer)
            predictions = {
                prediction: score
                for prediction, score in _predictions(doc, layer, head)
                if not unannotated[prediction.start : prediction.end].any()
            }
            matches += _matched(number, _gold_of(reference, layer), predictions)
    return matches


def match_categories(
    gold: Sequence[Doc],
    predicted: Sequence[Doc],
    labels: Sequence[str],
    *,
    exclusive: bool,
    thresholds: Thresholds = NO_THRESHOLDS,
) -> list[Match]:
    """Match predicted categories with gold ones: one match per document if exclusive, else one per label.

    Unannotated documents, and unannotated labels of a document, are left out. A classifier with thresholds
    can predict that a document is out of scope: that is correct if the gold label is not one of its own.

    Example:
        matches = match_categories(gold_docs, docs, head.stage.labels, exclusive=head.exclusive)

    Args:
        gold: The gold Docs.
        predicted: Docs of the same texts, with a probability for each label.
        labels: The classifier's labels. If they are exclusive, the gold may have others.
        exclusive: Whether a document has at most one label: the most probable one.
        thresholds: The lowest probability at which each label holds; see `thresholds.labels_that_hold`.
    """
    matches: list[Match] = []
    for number, (reference, doc) in enumerate(zip(gold, predicted, strict=True)):
        scores = {label: doc.cats[label] for label in labels if label in doc.cats}
        if not exclusive:
            matches += _match_per_label(number, reference, scores, thresholds)
        elif any(value > 0 for value in reference.cats.values()):
            matches.append(_match_per_document(number, reference, scores, thresholds))
    return matches


def scores_and_truth(matches: Iterable[Match]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return all probabilities, and whether each predicted event is true: the arguments of `reliability`.

    Example:
        rows = reliability(*scores_and_truth(matches))
    """
    pairs = [(match.score, match.holds) for match in matches if match.score is not None]
    scores, truth = zip(*pairs, strict=True) if pairs else ((), ())
    return np.asarray(scores, dtype=float), np.asarray(truth, dtype=bool)


def confusion(matches: Iterable[Match]) -> Confusion:
    """Count gold and predicted labels of matches with equal boundaries.

    Example:
        confusion(match_spans(gold_docs, docs, Layer.parse("pos"), "pos")).counts
    """
    pairs = [
        (match.gold.label, match.predicted.label)
        for match in matches
        if match.gold and match.predicted and match.gold[:2] == match.predicted[:2]
    ]
    labels = tuple(sorted({label for pair in pairs for label in pair}))
    index = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=np.intp)
    for gold, predicted in pairs:
        counts[index[gold], index[predicted]] += 1
    return Confusion(labels, counts)


def _matched(number: int, gold: Iterable[Labelled], predicted: Mapping[Labelled, float]) -> list[Match]:
    remaining = dict.fromkeys(gold)  # in order, without duplicates
    matches, wrong = [], []
    for prediction, score in predicted.items():
        if prediction in remaining:
            del remaining[prediction]
            matches.append(Match(number, prediction, prediction, score))
        else:
            wrong.append((prediction, score))

    # Rounded, so that scores which differ in their last bits rank equally on all processors.
    wrong.sort(key=lambda pair: -round(pair[1], RANKING_DIGITS))
    partners = _partners([prediction for prediction, _ in wrong], remaining)
    matches += [Match(number, partners.get(prediction), prediction, score) for prediction, score in wrong]
    taken = set(partners.values())
    return matches + [Match(number, missed, None, None) for missed in remaining if missed not in taken]


def _partners(predictions: Sequence[Labelled], gold: Iterable[Labelled]) -> dict[Labelled, Labelled]:
    """Return the gold annotation that each wrong prediction is matched with; earlier ones choose first."""
    free = dict.fromkeys(gold)
    partners: dict[Labelled, Labelled] = {}
    # All wrong labels before all wrong boundaries: equal boundaries are the closer match.
    for rule in (_with_other_label, _with_other_boundaries):
        for prediction in predictions:
            partner = None if prediction in partners else rule(prediction, free)
            if partner is not None:
                partners[prediction] = partner
                del free[partner]
    return partners


def _with_other_label(prediction: Labelled, gold: Iterable[Labelled]) -> Labelled | None:
    return next((one for one in gold if one[:2] == prediction[:2]), None)


def _with_other_boundaries(prediction: Labelled, gold: Iterable[Labelled]) -> Labelled | None:
    near = [one for one in gold if one.label == prediction.label and _shared(one, prediction) > 0]
    return max(near, key=lambda one: _shared(one, prediction), default=None)


def _shared(one: Labelled, other: Labelled) -> int:
    return min(one.end, other.end) - max(one.start, other.start)


def _gold_of(doc: Doc, layer: Layer) -> list[Labelled]:
    if layer.is_spans:
        return [_labelled(span) for span in layer.spans(doc)]
    return [_word(token, layer) for token in doc if not token.is_space and layer.label_of(token)]


def _predictions(doc: Doc, layer: Layer, head: str) -> Iterator[tuple[Labelled, float]]:
    if layer.is_spans:
        for span, score in layer.scored_spans(doc, head):
            yield _labelled(span), score
    else:
        for token, score in zip(doc, layer.tag_scores(doc, head), strict=True):
            if not token.is_space:
                yield _word(token, layer), score


def _unannotated_characters(doc: Doc, layer: Layer) -> NDArray[np.bool_]:
    """Return a mask of the characters of tokens that the gold leaves unannotated."""
    mask = np.zeros(len(doc.text), dtype=bool)
    for token in doc:
        if layer.is_missing(token):
            mask[token.idx : token.idx + len(token)] = True
    return mask


def _match_per_document(number: int, gold: Doc, scores: Mapping[str, float], thresholds: Thresholds) -> Match:
    # Gold may hold another classifier's categories beside this one's.
    correct = max(gold.cats, key=lambda label: (gold.cats[label] > 0 and label in scores, gold.cats[label]))
    in_scope = not thresholds or correct in scores
    chosen = next(iter(labels_that_hold(scores, thresholds, exclusive=True)), None)
    return Match(
        number,
        _whole(gold, correct) if in_scope else None,
        None if chosen is None else _whole(gold, chosen),
        None if chosen is None else scores[chosen],
    )


def _match_per_label(
    number: int, gold: Doc, scores: Mapping[str, float], thresholds: Thresholds
) -> Iterator[Match]:
    chosen = labels_that_hold(scores, thresholds, exclusive=False)
    for label, score in scores.items():
        if label in gold.cats:
            whole = _whole(gold, label)
            yield Match(
                number, whole if gold.cats[label] > 0 else None, whole if label in chosen else None, score
            )


def _labelled(span: Span) -> Labelled:
    return Labelled(span.start_char, span.end_char, span.label_)


def _word(token: Token, layer: Layer) -> Labelled:
    return Labelled(token.idx, token.idx + len(token), layer.label_of(token))


def _whole(doc: Doc, label: str) -> Labelled:
    return Labelled(0, len(doc.text), label)
