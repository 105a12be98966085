"""What became of each prediction: right, or wrong in one of four ways.

Scores, calibration, confusion and the list of errors are all counted from these. Predictions and gold
meet on the characters of the text, so that the two may be tokenized differently.
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
    """Characters [start, end) of a text and their label; a category covers the whole text."""

    start: int
    end: int
    label: str


class Match(NamedTuple):
    """A prediction and the gold it stands against, either of which may be missing.

    Attributes:
        document: Which document, counted from 0.
        gold: What the gold says; None where it says that nothing is there.
        predicted: What was predicted; None where nothing was.
        score: The probability of `predicted` or, for one of several categories that was not
            predicted, of that category; None where there is none: a span that was missed, a document
            that was taken to be out of scope.
    """

    document: int
    gold: Labelled | None
    predicted: Labelled | None
    score: float | None

    @property
    def is_correct(self) -> bool:
        """Whether gold and prediction say the same."""
        return self.gold == self.predicted

    @property
    def kind(self) -> Kind:
        """What it is, in one word or two."""
        if self.gold == self.predicted:
            return "correct"
        if self.predicted is None:
            return "missed"
        if self.gold is None:
            return "spurious"
        return "wrong label" if self.gold[:2] == self.predicted[:2] else "wrong boundaries"

    @property
    def holds(self) -> bool:
        """Whether that is so which `score` is the probability of."""
        return self.gold is not None if self.predicted is None else self.is_correct


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often which label was taken for which.

    Attributes:
        labels: Gold and predicted ones, sorted.
        counts: (labels, labels), a row a gold label and a column a predicted one.
    """

    labels: tuple[str, ...]
    counts: NDArray[np.intp]


def match_spans(gold: Sequence[Doc], predicted: Sequence[Doc], layer: Layer, head: str) -> list[Match]:
    """Judge spans or tags; what the gold says nothing of is left out, and so is white space.

    A prediction is right where label and boundaries are. Of the others, the surest first, each is set
    against a gold one nothing else was set against: one of the same boundaries ("wrong label"), else
    the one of its label that it overlaps most ("wrong boundaries"). What remains is "spurious" or "missed".

    Args:
        gold: The gold Docs.
        predicted: Docs of the same texts, annotated by the engine.
        layer: `ents`, `spans:KEY`, `tag` or `pos`.
        head: The name of the head that annotated them.
    """
    matches: list[Match] = []
    for number, (reference, guess) in enumerate(zip(gold, predicted, strict=True)):
        if layer.is_annotated(reference):
            silent = _silent(reference, layer)
            found = {
                place: score
                for place, score in _predictions(guess, layer, head)
                if not silent[place.start : place.end].any()
            }
            matches += _judged(number, _gold_of(reference, layer), found)
    return matches


def match_categories(
    gold: Sequence[Doc],
    predicted: Sequence[Doc],
    labels: Sequence[str],
    *,
    exclusive: bool,
    thresholds: Thresholds = NO_THRESHOLDS,
) -> list[Match]:
    """Judge categories: where they exclude each other one match a document, else one a label.

    Documents, and labels of a document, of which the gold says nothing are left out. Where a classifier
    can say that a document is out of scope, since it has thresholds, that is right for gold of other labels.

    Args:
        gold: The gold Docs.
        predicted: Docs of the same texts, with a probability for each label.
        labels: The classifier's labels. Where they exclude each other, the gold may have others.
        exclusive: Whether a document has at most one label: the likeliest.
        thresholds: From which probability a label holds; see `thresholds.labels_that_hold`.
    """
    matches: list[Match] = []
    for number, (reference, guess) in enumerate(zip(gold, predicted, strict=True)):
        found = {label: guess.cats[label] for label in labels if label in guess.cats}
        if not exclusive:
            matches += _one_a_label(number, reference, found, thresholds)
        elif any(value > 0 for value in reference.cats.values()):
            matches.append(_one_a_document(number, reference, found, thresholds))
    return matches


def scores_and_truth(matches: Iterable[Match]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return all probabilities and whether what they are given to is so: what `reliability` takes."""
    pairs = [(match.score, match.holds) for match in matches if match.score is not None]
    scores, truth = zip(*pairs, strict=True) if pairs else ((), ())
    return np.asarray(scores, dtype=float), np.asarray(truth, dtype=bool)


def confusion(matches: Iterable[Match]) -> Confusion:
    """Count which label was predicted for which, where both have the same boundaries."""
    pairs = [
        (match.gold.label, match.predicted.label)
        for match in matches
        if match.gold and match.predicted and match.gold[:2] == match.predicted[:2]
    ]
    labels = tuple(sorted({label for pair in pairs for label in pair}))
    place = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=np.intp)
    for gold, predicted in pairs:
        counts[place[gold], place[predicted]] += 1
    return Confusion(labels, counts)


def _judged(number: int, gold: Iterable[Labelled], predicted: Mapping[Labelled, float]) -> list[Match]:
    remaining = dict.fromkeys(gold)  # in order, without duplicates
    matches, wrong = [], []
    for guess, score in predicted.items():
        if guess in remaining:
            del remaining[guess]
            matches.append(Match(number, guess, guess, score))
        else:
            wrong.append((guess, score))
    wrong.sort(key=lambda pair: -round(pair[1], RANKING_DIGITS))
    partners = _partners([guess for guess, _ in wrong], remaining)
    matches += [Match(number, partners.get(guess), guess, score) for guess, score in wrong]
    taken = set(partners.values())
    return matches + [Match(number, missed, None, None) for missed in remaining if missed not in taken]


def _partners(guesses: Sequence[Labelled], gold: Iterable[Labelled]) -> dict[Labelled, Labelled]:
    """Return the gold that each wrong prediction, the first ones first, was probably meant for."""
    free = dict.fromkeys(gold)
    partners: dict[Labelled, Labelled] = {}
    for rule in (_with_other_label, _with_other_boundaries):
        for guess in guesses:
            found = None if guess in partners else rule(guess, free)
            if found is not None:
                partners[guess] = found
                del free[found]
    return partners


def _with_other_label(guess: Labelled, gold: Iterable[Labelled]) -> Labelled | None:
    return next((one for one in gold if one[:2] == guess[:2]), None)


def _with_other_boundaries(guess: Labelled, gold: Iterable[Labelled]) -> Labelled | None:
    near = [one for one in gold if one.label == guess.label and _shared(one, guess) > 0]
    return max(near, key=lambda one: _shared(one, guess), default=None)


def _shared(one: Labelled, other: Labelled) -> int:
    return min(one.end, other.end) - max(one.start, other.start)


def _gold_of(doc: Doc, layer: Layer) -> list[Labelled]:
    if layer.is_spans:
        return [_place(span) for span in layer.spans(doc)]
    return [_word(token, layer) for token in doc if not token.is_space and layer.label_of(token)]


def _predictions(doc: Doc, layer: Layer, head: str) -> Iterator[tuple[Labelled, float]]:
    if layer.is_spans:
        for span, score in layer.scored_spans(doc, head):
            yield _place(span), score
    else:
        for token, score in zip(doc, layer.tag_scores(doc, head), strict=True):
            if not token.is_space:
                yield _word(token, layer), score


def _silent(doc: Doc, layer: Layer) -> NDArray[np.bool_]:
    """Return, for each character, whether it is of a token that the gold says nothing of."""
    silent = np.zeros(len(doc.text), dtype=bool)
    for token in doc:
        if layer.is_missing(token):
            silent[token.idx : token.idx + len(token)] = True
    return silent


def _one_a_document(number: int, gold: Doc, found: Mapping[str, float], thresholds: Thresholds) -> Match:
    # Gold may name another classifier's categories beside this one's.
    right = max(gold.cats, key=lambda label: (gold.cats[label] > 0 and label in found, gold.cats[label]))
    in_scope = not thresholds or right in found
    chosen = next(iter(labels_that_hold(found, thresholds, exclusive=True)), None)
    return Match(
        number,
        _whole(gold, right) if in_scope else None,
        None if chosen is None else _whole(gold, chosen),
        None if chosen is None else found[chosen],
    )


def _one_a_label(
    number: int, gold: Doc, found: Mapping[str, float], thresholds: Thresholds
) -> Iterator[Match]:
    chosen = labels_that_hold(found, thresholds, exclusive=False)
    for label, score in found.items():
        if label in gold.cats:
            whole = _whole(gold, label)
            yield Match(
                number, whole if gold.cats[label] > 0 else None, whole if label in chosen else None, score
            )


def _place(span: Span) -> Labelled:
    return Labelled(span.start_char, span.end_char, span.label_)


def _word(token: Token, layer: Layer) -> Labelled:
    return Labelled(token.idx, token.idx + len(token), layer.label_of(token))


def _whole(doc: Doc, label: str) -> Labelled:
    return Labelled(0, len(doc.text), label)
