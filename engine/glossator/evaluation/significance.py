"""Tests whether one system is better than another, or only lucky with this test set: the paired bootstrap.

Koehn 2004, "Statistical significance tests for machine translation evaluation"; the intervals are
Efron's percentiles (Efron and Tibshirani 1993). Documents are drawn repeatedly from the test set, with
replacement, and both systems are scored on the same sample. A score is computed from sums of counts, one row
of counts per document: so 10,000 samples are a product of two matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glossator.evaluation.matching import Match

    Floats = NDArray[np.float64]
    Counts = NDArray[Any]
    Statistic = Callable[[Floats], Floats]

CONFIDENCE = 0.95
_DRAWN_AT_ONCE = 2_000_000  # documents in memory, over several resamples
_DIGITS = 12  # of a difference: means that are equal as fractions may differ in their last bit


@dataclass(frozen=True, slots=True)
class Significance:
    """The comparison of two systems on the same test set.

    Example:
        result = paired_bootstrap([counts_a], [counts_b], f1)
        print(f"{result.difference:.3f} [{result.low:.3f}, {result.high:.3f}] p={result.p_value:.4f}")

    Attributes:
        first: The score of the first system.
        second: The score of the second system.
        low: Lower bound of the 95% interval of `difference`.
        high: Upper bound of this interval.
        p_value: The share of resamples in which the first is not better than the second.
    """

    first: float
    second: float
    low: float
    high: float
    p_value: float

    @property
    def difference(self) -> float:
        """The score of the first system minus that of the second."""
        return self.first - self.second

    @property
    def is_significant(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def paired_bootstrap(
    first: Sequence[Counts],
    second: Sequence[Counts],
    statistic: Statistic,
    *,
    resamples: int = 10_000,
    seed: int = 0,
) -> Significance:
    """Compare two systems on resamples of the documents of a test set.

    The score of a system that was trained with several seeds is the mean of its runs. The
    interval reflects the choice of test documents, not the choice of seeds.

    Example:
        counts = [f1_counts(match_spans(gold, docs, layer, "ner"), len(gold)) for docs in (docs_a, docs_b)]
        result = paired_bootstrap(counts[:1], counts[1:], f1)

    Args:
        first: For each run of the first system, (documents, ...) counts.
        second: The same for each run of the second system, for the same documents.
        statistic: Computes scores, (resamples,), from summed counts, (resamples, ...): `f1`, `accuracy`,
            `macro_f1`.
        resamples: Number of resamples.
        seed: The seed of the random draws.

    Raises:
        DataError: There are no documents, or not the same number everywhere.
    """
    documents = _documents([*first, *second])
    generator = np.random.default_rng(seed)
    weights = _resampled(documents, resamples, generator)
    differences = np.concatenate(
        [_mean_score(first, statistic, some) - _mean_score(second, statistic, some) for some in weights]
    )
    differences = np.round(differences, _DIGITS)

    whole = np.ones((1, documents))
    low, high = np.quantile(differences, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Significance(
        first=float(_mean_score(first, statistic, whole)[0]),
        second=float(_mean_score(second, statistic, whole)[0]),
        low=float(low),
        high=float(high),
        p_value=float(np.mean(differences <= 0)),
    )


def f1(counts: Floats) -> Floats:
    """Return the F1 of (..., 3) correct, spurious and missed; 0 if all are 0.

    Example:
        f1(np.array([8.0, 2.0, 2.0]))  # 0.8
    """
    correct, spurious, missed = np.moveaxis(counts, -1, 0)
    return _ratio(2 * correct, 2 * correct + spurious + missed)


def accuracy(counts: Floats) -> Floats:
    """Return the accuracy of (..., 2) correct and all; 0 if there are none.

    Example:
        accuracy(np.array([9.0, 10.0]))  # 0.9
    """
    return _ratio(counts[..., 0], counts[..., 1])


def macro_f1(counts: Floats) -> Floats:
    """Return the mean F1 of the labels, from (..., labels, 3) correct, spurious and missed.

    Example:
        macro_f1(label_counts(matches, documents, labels).sum(axis=0))
    """
    return np.asarray(f1(counts).mean(axis=-1))


def label_counts(matches: Sequence[Match], documents: int, labels: Sequence[str]) -> Counts:
    """Return (documents, labels, 3): the numbers of correct, spurious and missed annotations of each label.

    A wrong label or wrong boundaries count as spurious and as missed.

    Example:
        label_counts(evaluation.matches, evaluation.documents, head.stage.labels)

    Args:
        matches: The matches of one head.
        documents: Number of scored documents.
        labels: The labels to count; others are left out.
    """
    index = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((documents, len(labels), 3), dtype=np.int64)
    for match in matches:
        for label, column in _counted(match):
            if label in index:
                counts[match.document, index[label], column] += 1
    return counts


def f1_counts(matches: Sequence[Match], documents: int) -> Counts:
    """Return (documents, 3): the numbers of correct, spurious and missed annotations of all labels.

    Example:
        f1_counts(evaluation.matches, evaluation.documents)
    """
    labels = {side.label for one in matches for side in (one.gold, one.predicted) if side}
    return np.asarray(label_counts(matches, documents, sorted(labels)).sum(axis=1))


def accuracy_counts(matches: Sequence[Match], documents: int) -> Counts:
    """Return (documents, 2): the number of correct matches, and of all matches.

    Example:
        accuracy_counts(evaluation.matches, evaluation.documents)
    """
    counts = np.zeros((documents, 2), dtype=np.int64)
    for match in matches:
        counts[match.document] += (match.is_correct, 1)
    return counts


def _counted(match: Match) -> Iterator[tuple[str, int]]:
    """Yield the labels of a match, each as correct (0), spurious (1) or missed (2)."""
    if match.predicted:
        yield match.predicted.label, 0 if match.is_correct else 1
    if match.gold and not match.is_correct:
        yield match.gold.label, 2


def _documents(counts: Sequence[Counts]) -> int:
    sizes = sorted({len(each) for each in counts})
    if len(sizes) != 1:
        raise DataError(
            f"systems scored on {' and '.join(map(str, sizes)) or 'no'} documents cannot be compared: "
            "score them on the same ones"
        )
    if sizes == [0]:
        raise DataError("there are no documents to compare systems on")
    return sizes[0]


def _resampled(documents: int, resamples: int, generator: np.random.Generator) -> Iterator[Floats]:
    """Yield, for some resamples at a time, (resamples, documents): how often each document was drawn."""
    piece = max(1, _DRAWN_AT_ONCE // documents)
    for start in range(0, resamples, piece):
        rows = min(piece, resamples - start)
        drawn = generator.integers(documents, size=(rows, documents))
        # Row r counts documents from r * documents, so that one call of `bincount` counts all rows.
        drawn += documents * np.arange(rows)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=rows * documents)
        yield weights.reshape(rows, documents).astype(np.float64)


def _mean_score(runs: Sequence[Counts], statistic: Statistic, weights: Floats) -> Floats:
    """Return (resamples,) scores, averaged over the runs."""
    scores = [statistic(np.tensordot(weights, counts.astype(np.float64), axes=1)) for counts in runs]
    return np.asarray(np.mean(scores, axis=0))


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part, dtype=np.float64), where=whole > 0)
