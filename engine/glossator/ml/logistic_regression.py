"""Logistic regression with L2 regularization on sparse features, and the choice of its strength.

Fan et al. 2008, "LIBLINEAR: a library for large linear classification", describes the objective.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from glossator.ml.activations import sigmoid, softmax
from glossator.ml.categories import log_likelihood
from glossator.ml.lbfgs import minimize
from glossator.ml.sparse import SparseMatrix
from glossator.ml.temperature import fit_temperature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Gold = NDArray[np.float64]

STRENGTHS = (1.0, 0.25, 0.06, 0.015, 0.004)  # tried in this order: each starts from the one before
USUAL_STRENGTH = 0.015  # where too few documents are labelled to choose one

_FOLDS = 5
_FEW_DOCUMENTS = 1000  # of fewer, each is held out once; of more, one fold says enough
_FEWEST_DOCUMENTS = 20  # of fewer, no choice is better than the usual strength


class _Effort(TypedDict):
    max_iterations: int
    tolerance: float


_SEARCH = _Effort(max_iterations=100, tolerance=1e-3)
_FIT = _Effort(max_iterations=300, tolerance=1e-4)


@dataclass(frozen=True, slots=True)
class Design:
    """The features of some documents, factored: documents consist of units, and units of features.

    A unit, such as a word, occurs in many documents. Its features, such as its character n-grams, count
    once per unit instead of once per document, which makes products many times faster.

    Example:
        logits = design.logits(weights, dense_weights)

    Attributes:
        documents: (docs, units) weights of the units of each document.
        units: (units, features) weights of the features of each unit.
        dense: (docs, width) further features that every document has.
    """

    documents: SparseMatrix
    units: SparseMatrix
    dense: Floats

    def logits(self, weights: Weights) -> Floats:
        """Return the (docs, labels) logits."""
        sparse = self.documents.times(self.units.times(weights.sparse))
        return np.asarray(sparse + self.dense @ weights.dense)

    def gradient(self, errors: Floats) -> Weights:
        """Return the gradient of the weights, given that of the (docs, labels) logits."""
        sparse = self.units.transposed_times(self.documents.transposed_times(errors))
        return Weights(sparse, self.dense.T @ errors)

    def some(self, docs: NDArray[np.intp]) -> Design:
        """Return the features of some of the documents."""
        position = np.full(self.documents.shape[0], -1, dtype=np.int32)
        position[docs] = np.arange(len(docs))
        rows = position[self.documents.rows]
        kept = rows >= 0
        documents = SparseMatrix(
            (len(docs), self.documents.shape[1]),
            rows=rows[kept],
            columns=self.documents.columns[kept],
            values=self.documents.values[kept],
        )
        return Design(documents, self.units, self.dense[docs])


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of a linear model.

    Example:
        weights = Weights(np.zeros((features, labels), "f"), np.zeros((width, labels), "f"))

    Attributes:
        sparse: (features, labels) weights of the features of units.
        dense: (width, labels) weights of the dense features.
    """

    sparse: Floats
    dense: Floats

    @classmethod
    def of_vector(cls, vector: Floats, features: int, labels: int) -> Weights:
        """Cut one vector of all weights."""
        rows = vector.reshape(-1, labels)
        return cls(rows[:features], rows[features:])

    def vector(self) -> Floats:
        """Return all weights as one vector."""
        return np.concatenate([self.sparse.ravel(), self.dense.ravel()])

    def combined(self, other: Weights, function: Callable[[Floats, Floats], Floats]) -> Weights:
        """Return a function of two models' weights, elementwise."""
        return Weights(function(self.sparse, other.sparse), function(self.dense, other.dense))


@dataclass(frozen=True, slots=True)
class Choice:
    """A strength of regularization, and what was seen when it was chosen.

    Example:
        choice = choose_strength(lambda known: design, gold, exclusive=True)
        fit(design, gold, strength=choice.strength, exclusive=True, start=choice.weights)

    Attributes:
        strength: The weight of the penalty.
        temperature: Calibrates the probabilities of documents that were held out.
        weights: Weights learned on a part of the documents, from which fitting to all is short; None if no
            choice was made.
    """

    strength: float
    temperature: float = 1.0
    weights: Weights | None = None


def fit(
    design: Design, gold: Gold, *, strength: float, exclusive: bool, start: Weights | None = None
) -> Weights:
    """Return the weights that minimize the cross-entropy plus `strength / 2` times the squared weights.

    Example:
        weights = fit(design, gold, strength=0.1, exclusive=True)

    Args:
        design: The features of the documents.
        gold: (docs, labels) values from 0 to 1, NaN where unknown, as `category_matrix` returns them.
        strength: The weight of the penalty.
        exclusive: Whether a document has exactly one label (multinomial), or any number of them (binary).
        start: Where to start; the result does not depend on it, the time does.
    """
    return _fit(design, gold, strength, exclusive, start, effort=_FIT)


def choose_strength(design_of: Callable[[Gold], Design], gold: Gold, *, exclusive: bool) -> Choice:
    """Return the strength with which held-out documents have the highest likelihood, once calibrated.

    Calibrated, because weak regularization makes probabilities extreme long before it makes them wrong, and
    a temperature is fitted afterwards.

    Example:
        choose_strength(lambda known: design, gold, exclusive=True).strength  # 0.06

    Args:
        design_of: Returns the features of all documents, given their gold, (docs, labels), which is NaN for
            those that are held out: what features count may depend on it.
        gold: (docs, labels) values from 0 to 1, NaN where unknown.
        exclusive: Whether a document has exactly one label, or any number of them.
    """
    if len(gold) < _FEWEST_DOCUMENTS:
        return Choice(USUAL_STRENGTH)

    folds = _folds(gold)
    held_out = range(_FOLDS if len(gold) < _FEW_DOCUMENTS else 1)
    paths = [_along_path(design_of, gold, folds == fold, exclusive) for fold in held_out]
    tested = gold[np.concatenate([np.flatnonzero(folds == fold) for fold in held_out])]

    best, best_score, misses = Choice(USUAL_STRENGTH), -np.inf, 0
    for strength, results in zip(STRENGTHS, zip(*paths, strict=True), strict=False):
        logits = np.concatenate([of_fold for _, of_fold in results])
        temperature, score = _calibrated(logits, tested, exclusive)
        if score > best_score:
            best, best_score, misses = Choice(strength, temperature, results[0][0]), score, 0
        else:
            misses += 1
        # The likelihood has one maximum along the path, but for noise.
        if misses == 2:
            break
    return best


def loss_and_errors(logits: Floats, gold: Gold, *, exclusive: bool) -> tuple[float, Floats]:
    """Return the cross-entropy summed over documents, and its gradient with respect to the logits.

    Example:
        loss, errors = loss_and_errors(design.logits(weights), gold, exclusive=True)
    """
    values = np.nan_to_num(gold).astype(np.float32)
    known = ~np.isnan(gold)
    if exclusive:
        shifted = logits - logits.max(axis=1, keepdims=True)
        exponentials = np.exp(shifted)
        totals = exponentials.sum(axis=1, keepdims=True)
        # Gold values of a document may sum to less than 1, or, where none is known, to 0.
        mass = values.sum(axis=1, keepdims=True)
        loss = -np.sum(values * (shifted - np.log(totals)), dtype=np.float64)
        return float(loss), np.asarray(exponentials / totals * mass - values)
    # log(1 + exp(logit)) without overflow
    softplus = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
    loss = np.sum((softplus - values * logits) * known, dtype=np.float64)
    return float(loss), np.asarray((sigmoid(logits) - values) * known, dtype=np.float32)


def _fit(
    design: Design,
    gold: Gold,
    strength: float,
    exclusive: bool,
    start: Weights | None,
    *,
    effort: _Effort,
) -> Weights:
    features, labels = design.units.shape[1], gold.shape[1]
    if start is None:
        start = Weights(
            np.zeros((features, labels), dtype=np.float32),
            np.zeros((design.dense.shape[1], labels), dtype=np.float32),
        )

    def function(vector: Floats) -> tuple[float, Floats]:
        weights = Weights.of_vector(vector, features, labels)
        loss, errors = loss_and_errors(design.logits(weights), gold, exclusive=exclusive)
        gradient = design.gradient(errors).vector()
        gradient += np.float32(strength) * vector
        return loss + strength / 2 * float(vector @ vector), gradient

    found = minimize(function, start.vector(), **effort)
    return Weights.of_vector(found, features, labels)


def _along_path(
    design_of: Callable[[Gold], Design], gold: Gold, held_out: NDArray[np.bool_], exclusive: bool
) -> Iterator[tuple[Weights, Floats]]:
    """Yield the weights learned at each strength, and the logits of the held-out documents."""
    design = design_of(np.where(held_out[:, None], np.nan, gold))
    learnt, test = design.some(np.flatnonzero(~held_out)), design.some(np.flatnonzero(held_out))
    weights: Weights | None = None
    for strength in STRENGTHS:
        weights = _fit(learnt, gold[~held_out], strength, exclusive, weights, effort=_SEARCH)
        yield weights, test.logits(weights)


def _calibrated(logits: Floats, gold: Gold, exclusive: bool) -> tuple[float, float]:
    """Return the temperature that fits best, and the log-likelihood at it."""

    def likelihood(temperature: float) -> float:
        scaled = logits / temperature
        probabilities = softmax(scaled) if exclusive else sigmoid(scaled)
        return log_likelihood(probabilities, gold, exclusive=exclusive)

    temperature = fit_temperature(likelihood)
    return temperature, likelihood(temperature)


def _folds(gold: Gold) -> NDArray[np.intp]:
    """Return the fold of each document: every label has its share in every fold."""
    generator = np.random.default_rng(0)
    first_label = np.nan_to_num(gold).argmax(axis=1)
    shuffled = generator.permutation(len(gold))
    # Sorted by label, dealt out like cards.
    order = shuffled[np.argsort(first_label[shuffled], kind="stable")]
    folds = np.empty(len(gold), dtype=np.intp)
    folds[order] = np.arange(len(gold)) % _FOLDS
    return folds
