"""Trains a linear-chain CRF over sparse features: to convergence where data is small, else in steps.

Small data is fitted by L-BFGS with an L1 and an L2 penalty, which keeps few features (Andrew & Gao 2007,
as in CRFsuite). Large data is fitted by AdaGrad (Duchi et al. 2011), whose weights are averaged over the
later epochs (Polyak & Juditsky 1992): ten passes do about what a hundred of L-BFGS do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.ml.batching import bucket_by_length
from glossator.ml.chain_gradient import UNLABELLED, ChainGradient, chain_gradient
from glossator.ml.crf_weights import CRFWeights
from glossator.ml.lbfgs import minimize
from glossator.ml.linear_chain import viterbi
from glossator.ml.sparse import sums_by_row
from glossator.ml.token_features import vectors_around
from glossator.ml.word_sequences import WordSequences

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glossator.ml.crf_weights import Floats

    Constraints = Sequence[NDArray[np.float64]]

SMALL = 2_500  # words; below, L-BFGS finds more

MOST_ITERATIONS, TOLERANCE = 100, 1e-3
EPOCHS = 10
# Regularization of strength 1: of L-BFGS as most users of CRFsuite set it, and of each batch of AdaGrad.
_L1, _L2, _DECAY = 0.1, 0.05, 1e-4
_FIRST_SQUARES = 1e-8
_BATCHES = 200  # in an epoch, but for batches of more than `_LARGEST_BATCH` sentences
_LARGEST_BATCH = 16
_STEPS = 8_000  # for which the learning rate is meant
_UPDATE_RATE = 0.1  # of single steps, where none is given
_RATES = (0.025, 0.05, 0.1)  # tried on a part of the data
# Neighbouring sentences are often of one text: they stay together.
_BLOCK, _HELD_OUT = 20, 5  # sentences in a block, at most; every fifth block is held out
_MOST_TRIED = 3_000  # sentences
# The gradient of a word that the model is this sure of is left out: most words, after the first epoch.
_NEGLIGIBLE = 1e-3
_CHUNK = 4_096  # words decoded at a time


@dataclass(frozen=True, slots=True)
class LabelledWords:
    """Sentences with the features and the gold labels of their words.

    Example:
        data = LabelledWords(tokens.rows(table), vectors, gold, tokens.words.lengths)

    Attributes:
        rows: (words, slots) numbers of sparse features.
        vectors: (words, width) vectors of the words.
        gold: (words,) labels; `UNLABELLED` where there is none.
        lengths: (sentences,) words of each.
        outside: The label of words outside of any span; -1 if the labels are no spans.
    """

    rows: NDArray[np.int32]
    vectors: Floats
    gold: NDArray[np.int64]
    lengths: NDArray[np.int32]
    outside: int = -1

    @property
    def dense(self) -> Floats:
        """(words, 3 * width) dense features: the vectors of each word and its neighbours.

        They are made anew each time: of all training data at once they could need gigabytes.
        """
        return vectors_around(self.vectors, self.lengths)

    def sentences(self, some: NDArray[np.intp]) -> LabelledWords:
        """Return some of the sentences."""
        starts = np.cumsum(self.lengths) - self.lengths
        lengths = self.lengths[some]
        offsets = np.cumsum(lengths) - lengths
        words = np.repeat(starts[some] - offsets, lengths) + np.arange(int(lengths.sum()))
        return LabelledWords(self.rows[words], self.vectors[words], self.gold[words], lengths, self.outside)


@dataclass(frozen=True, slots=True, kw_only=True)
class CRFSettings:
    """How a CRF is trained.

    Example:
        fit_crf(data, zeros, constraints, CRFSettings(strength=3.0))

    Attributes:
        strength: The strength of the regularization, more than 0.
        learn_rate: The rate of AdaGrad's steps, where data is large: of 8,000 steps; fewer are longer. By
            default it is chosen inside the training data.
    """

    strength: float = 1.0
    learn_rate: float | None = None


DEFAULTS = CRFSettings()


def fit_crf(
    data: LabelledWords, zeros: CRFWeights, constraints: Constraints, settings: CRFSettings = DEFAULTS
) -> CRFWeights:
    """Return the weights that fit the data; nothing depends on chance.

    Example:
        zeros = CRFWeights.zeros(features=len(table), width=0, labels=7)
        fit_crf(data, zeros, scheme.constraints(), CRFSettings())

    Args:
        data: The training data.
        zeros: Where to start.
        constraints: (transitions, start, end): -inf for what is forbidden, else 0.
        settings: How to train.
    """
    if len(data.gold) < SMALL:
        return _fit_at_once(data, zeros, constraints, settings)
    return _fit_in_steps(data, zeros, constraints, with_learn_rate(data, zeros, constraints, settings))


def with_learn_rate(
    data: LabelledWords, zeros: CRFWeights, constraints: Constraints, settings: CRFSettings = DEFAULTS
) -> CRFSettings:
    """Return settings with a learning rate: the one that is best on a held-out part of the training data.

    Example:
        settings = with_learn_rate(data, zeros, constraints)  # once, for several fits of the same data

    Args:
        data: The training data, in its order; of large data a part is tried.
        zeros: Where to start.
        constraints: As in `fit_crf`.
        settings: Returned as they are if they have a rate, or if there is too little data to choose one.
    """
    if settings.learn_rate is not None or len(data.gold) < SMALL:
        return settings
    count = len(data.lengths)
    blocks = np.arange(count) // int(np.clip(count // (2 * _HELD_OUT), 1, _BLOCK))
    tried = blocks % -(-count // _MOST_TRIED) == 0
    numbers = np.cumsum(np.diff(blocks[tried], prepend=0) > 0)  # of the blocks that are tried, from 0
    held_out = numbers % _HELD_OUT == 0
    if held_out.all():
        return settings
    known, unseen = (data.sentences(np.flatnonzero(tried)[part]) for part in (~held_out, held_out))

    def score(rate: float) -> float:
        weights = _fit_in_steps(known, zeros, constraints, replace(settings, learn_rate=rate))
        return _f1(weights, unseen, constraints)

    return replace(settings, learn_rate=max(_RATES, key=score))


class AdaGrad:
    """Steps down the gradient, each weight at its own rate.

    Example:
        optimizer = AdaGrad(CRFWeights.zeros(features=1000, width=0, labels=7), CRFSettings())
        loss = optimizer.step(weights, data, constraints)

    Attributes:
        squares: The sum of the squared gradients of each weight so far.
    """

    def __init__(self, squares: CRFWeights, settings: CRFSettings) -> None:
        self.squares = squares
        self._decay = np.float32(_DECAY * settings.strength)
        self._learn_rate = _UPDATE_RATE if settings.learn_rate is None else settings.learn_rate

    def step(self, weights: CRFWeights, data: LabelledWords, constraints: Constraints) -> float:
        """Change the weights by one step on a batch; return its mean loss per word, in nats."""
        gradient = _gradient(weights, data, constraints)
        for name in ("transitions", "start", "end"):
            self._move(weights, name, slice(None), getattr(gradient, name))
        if self.squares.dense.size:
            slopes = data.dense.T @ gradient.emissions.astype(np.float32)
            self._move(weights, "dense", slice(None), slopes)

        uncertain = np.flatnonzero(np.abs(gradient.emissions).max(axis=1) > _NEGLIGIBLE)
        features, slopes = _sparse_gradient(data.rows[uncertain], gradient.emissions[uncertain])
        known = features < len(weights.sparse) - 1
        features, slopes = features[known], slopes[known]
        self._move(weights, "sparse", features, slopes + self._decay * weights.sparse[features])
        return gradient.loss / max(len(data.gold), 1)

    def _move(self, weights: CRFWeights, name: str, where: Any, slopes: NDArray[Any]) -> None:
        sums, values = getattr(self.squares, name), getattr(weights, name)
        sums[where] += slopes**2
        values[where] -= self._learn_rate * slopes / np.sqrt(_FIRST_SQUARES + sums[where])


def _fit_in_steps(
    data: LabelledWords, zeros: CRFWeights, constraints: Constraints, settings: CRFSettings
) -> CRFWeights:
    count = len(data.lengths)
    size = int(np.clip(count // _BATCHES, 1, _LARGEST_BATCH))
    # AdaGrad moves weights about as far as its rate times the root of the number of steps.
    rate = (settings.learn_rate or _UPDATE_RATE) * np.sqrt(_STEPS * size / (EPOCHS * count))

    weights = zeros.combined(zeros, lambda array, _: array.copy())
    squares = zeros.combined(zeros, lambda array, _: array.copy())
    optimizer = AdaGrad(squares, replace(settings, learn_rate=float(rate)))
    generator = np.random.default_rng(0)  # a fixed order is as good as any
    total = zeros
    for epoch in range(EPOCHS):
        order = generator.permutation(count)
        for start in range(0, count, size):
            optimizer.step(weights, data.sentences(order[start : start + size]), constraints)
        if epoch >= EPOCHS // 2:
            total = total.combined(weights, np.add)
    averaged = np.float32(EPOCHS - EPOCHS // 2)
    return total.combined(total, lambda array, _: array / averaged)


def _fit_at_once(
    data: LabelledWords, zeros: CRFWeights, constraints: Constraints, settings: CRFSettings
) -> CRFWeights:
    l1, l2 = _L1 * settings.strength, _L2 * settings.strength

    def function(vector: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        weights = _unpacked(vector, zeros)
        gradient = _gradient(weights, data, constraints)
        slots = data.rows.shape[1]
        sparse = sums_by_row(
            data.rows.reshape(-1), np.repeat(gradient.emissions, slots, axis=0), len(zeros.sparse)
        )
        sparse[-1] = 0
        dense = data.dense.T @ gradient.emissions
        slopes = (sparse, dense, gradient.transitions, gradient.start, gradient.end)
        penalty = l2 * float(vector @ vector)
        return gradient.loss + penalty, _packed(slopes) + 2 * l2 * vector

    start = _packed(zeros.arrays().values())
    best = minimize(function, start, l1=l1, max_iterations=MOST_ITERATIONS, tolerance=TOLERANCE)
    return _unpacked(best, zeros)


def _f1(weights: CRFWeights, data: LabelledWords, constraints: Constraints) -> float:
    """Return the F1 of the words inside of spans, or the accuracy of tags."""
    emissions, chain = weights.emissions(data.rows, data.dense), weights.chain(constraints)
    starts = np.cumsum(data.lengths) - data.lengths
    labels = np.zeros(len(data.gold), dtype=np.int64)
    for batch in bucket_by_length(data.lengths, _CHUNK):
        sentences = WordSequences.between(starts[batch], starts[batch] + data.lengths[batch])
        best = viterbi(emissions[sentences.positions], sentences.lengths, *chain)
        labels[sentences.positions[sentences.mask]] = best[sentences.mask]
    gold = data.gold[data.gold != UNLABELLED]
    labels = labels[data.gold != UNLABELLED]
    inside = (gold != data.outside, labels != data.outside)
    correct = int(((gold == labels) & inside[0]).sum())
    return 2 * correct / max(int(inside[0].sum()) + int(inside[1].sum()), 1)


def _gradient(weights: CRFWeights, data: LabelledWords, constraints: Constraints) -> ChainGradient:
    emissions = weights.emissions(data.rows, data.dense)
    return chain_gradient(emissions, data.lengths, data.gold, *weights.chain(constraints))


def _sparse_gradient(
    rows: NDArray[np.int32], slopes: NDArray[np.float64]
) -> tuple[NDArray[np.int32], Floats]:
    """Return the features of some words, rising, and the (features, labels) sums of the words' slopes."""
    features, places = np.unique(rows, return_inverse=True)
    repeated = np.repeat(slopes.astype(np.float32), rows.shape[1], axis=0)
    return features, sums_by_row(places.reshape(-1), repeated, len(features))


def _packed(arrays: Iterable[NDArray[Any]]) -> NDArray[np.float64]:
    return np.concatenate([array.reshape(-1) for array in arrays]).astype(np.float64)


def _unpacked(vector: NDArray[Any], like: CRFWeights) -> CRFWeights:
    shapes = [array.shape for array in like.arrays().values()]
    cuts = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    parts = np.split(vector, cuts)
    arrays = [part.reshape(shape).astype(np.float32) for part, shape in zip(parts, shapes, strict=True)]
    return CRFWeights(*arrays)
