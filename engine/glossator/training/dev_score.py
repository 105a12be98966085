"""The score on the dev set that training selects by, and the loss that decides between equal scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from glossator.evaluation.evaluate import annotate_layer, binarized
from glossator.evaluation.scores import main_score, score_layer
from glossator.ml.categories import category_matrix, log_likelihood
from glossator.pipeline.head import Head
from glossator.pipeline.pipeline import Pipeline
from glossator.util.ranking import RANKING_DIGITS

if TYPE_CHECKING:
    from spacy.training import Example

# Added to a probability before its logarithm: a 0 then costs much, but not everything.
_TINY = 1e-12


class DevScore(NamedTuple):
    """How good a head is on the dev set.

    Example:
        DevScore(score=0.87, loss=0.31).rank

    Attributes:
        score: The score that training selects by, 0 to 1.
        loss: The mean negative log-likelihood, in nats, of the gold categories of a document or the gold tag
            of a word; None for spans, as a tagger gives no probability for those that it did not find.
    """

    score: float
    loss: float | None = None

    @property
    def rank(self) -> tuple[float, float]:
        """A value that is higher for the better of two: of equal scores, the one with the lower loss."""
        return round(self.score, RANKING_DIGITS), -round(self.loss or 0.0, RANKING_DIGITS)


def dev_score(pipeline: Pipeline, head: Head, examples: Sequence[Example]) -> DevScore:
    """Annotate dev examples and score them.

    Example:
        dev_score(pipeline, pipeline.heads["ner"], dev_examples).score  # 0.87
    """
    annotate_layer(pipeline, head, [example.predicted for example in examples])
    return score_predictions(head, examples, head.stage.labels)


def score_predictions(head: Head, examples: Sequence[Example], labels: Sequence[str]) -> DevScore:
    """Score examples that are annotated already, with probabilities for all of these labels.

    Example:
        score_predictions(head, examples, head.stage.labels)
    """
    layer, examples = head.config.layer, binarized(head, examples)
    scores = score_layer(examples, layer, labels=labels, exclusive=head.exclusive, thresholds=head.thresholds)
    score = scores[main_score(layer, exclusive=head.exclusive)]
    if layer.is_categories:
        return DevScore(float(score or 0.0), _category_loss(head, examples, labels))
    return DevScore(float(score or 0.0), None if layer.is_spans else _tag_loss(head, examples, len(labels)))


def _category_loss(head: Head, examples: Sequence[Example], labels: Sequence[str]) -> float:
    gold = category_matrix([example.reference.cats for example in examples], labels, exclusive=head.exclusive)
    predicted = category_matrix([example.predicted.cats for example in examples], labels)
    return -log_likelihood(predicted, gold, exclusive=head.exclusive) / max(len(examples), 1)


def _tag_loss(head: Head, examples: Sequence[Example], labels: int) -> float:
    """Return the mean loss of the gold tags; what a wrong tag leaves is divided evenly among all others."""
    layer = head.config.layer
    others = max(labels - 1, 1)
    likelihoods = [
        score if layer.label_of(token) == gold else (1 - score) / others
        for example in examples
        for token, score, gold in zip(
            example.predicted,
            layer.tag_scores(example.predicted, head.name),
            map(layer.label_of, example.reference),
            strict=True,
        )
        if gold and not token.is_space
    ]
    return -float(np.log(np.asarray(likelihoods) + _TINY).mean()) if likelihoods else 0.0
