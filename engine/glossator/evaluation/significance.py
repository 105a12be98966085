"""Whether one system is better than another, or was lucky with this test set: the paired bootstrap.

Koehn 2004, "Statistical significance tests for machine translation evaluation"; the intervals are
Efron's percentiles (Efron and Tibshirani 1993). Documents are drawn again and again from the test set, with
replacement, and both systems are scored on the same draw. What is drawn are counts, a row a document,
which add up to a score: so 10,000 draws are a product of two matrices.
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
_DRAWN_AT_ONCE = 2_000_000  # documents, over all resamples of a piece
_DIGITS = 12  # of a difference: means that are equal as fractions may differ in their last bit


@dataclass(frozen=True, slots=True)
class Significance:
    """Two systems on the same test set.

    Attributes:
        first: The score of the first.
        second: The score of the second.
        low: Where the 95% interval of `difference` begins.
        high: Where it ends.
        p_value: The share of resamples in which the first is not better than the second.
    """

    first: float
    second: float
    low: float
    high: float
    p_value: float

    @property
    def difference(self) -> float:
        """How much better the first is."""
        return self.first - self.second

    @property
    def is_significant(self) -> bool:
        """Whether the interval leaves no doubt which of the two is better."""
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

    A system that was trained several times, with one seed each, is as good as its runs are on average. The
    interval tells of the choice of test documents, not of the choice of seeds.

    Args:
        first: For each run of the first system, (documents, ...) counts.
        second: For each run of the second, the same for the same documents.
        statistic: Makes scores, (resamples,), of summed counts, (resamples, ...): `f1`, `accuracy`,
            `macro_f1`.
        resamples: How many are drawn.
        seed: Where their randomness starts.

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
    """F1 of (..., 3) right, spurious and missed; 0 where there are none."""
    right, spurious, missed = np.moveaxis(counts, -1, 0)
    return _ratio(2 * right, 2 * right + spurious + missed)


def accuracy(counts: Floats) -> Floats:
    """Accuracy of (..., 2) right and all; 0 where there are none."""
    return _ratio(counts[..., 0], counts[..., 1])


def macro_f1(counts: Floats) -> Floats:
    """Mean over the labels of the F1 of each, from (..., labels, 3) right, spurious and missed."""
    return np.asarray(f1(counts).mean(axis=-1))


def label_counts(matches: Sequence[Match], documents: int, labels: Sequence[str]) -> Counts:
    """Return (documents, labels, 3): how many of each label were right, spurious, and missed.

    A wrong label or wrong boundaries count as spurious and as missed.

    Args:
        matches: Of one head, counted over `documents`.
        documents: How many documents were scored.
        labels: The labels to count; others are left out.
    """
    place = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((documents, len(labels), 3), dtype=np.int64)
    for match in matches:
        for label, column in _counted(match):
            if label in place:
                counts[match.document, place[label], column] += 1
    return counts


def f1_counts(matches: Sequence[Match], documents: int) -> Counts:
    """Return (documents, 3): how much was right, spurious, and missed, whatever its label."""
    labels = {side.label for one in matches for side in (one.gold, one.predicted) if side}
    return np.asarray(label_counts(matches, documents, sorted(labels)).sum(axis=1))


def accuracy_counts(matches: Sequence[Match], documents: int) -> Counts:
    """Return (documents, 2): how many matches are right, and how many there are."""
    counts = np.zeros((documents, 2), dtype=np.int64)
    for match in matches:
        counts[match.document] += (match.is_correct, 1)
    return counts


def _counted(match: Match) -> Iterator[tuple[str, int]]:
    """Yield the labels a match counts for, each as right (0), spurious (1) or missed (2)."""
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
    """Yield (some of the resamples, documents): how often each document was drawn."""
    piece = max(1, _DRAWN_AT_ONCE // documents)
    for start in range(0, resamples, piece):
        rows = min(piece, resamples - start)
        drawn = generator.integers(documents, size=(rows, documents))
        drawn += documents * np.arange(rows)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=rows * documents)
        yield weights.reshape(rows, documents).astype(np.float64)


def _mean_score(runs: Sequence[Counts], statistic: Statistic, weights: Floats) -> Floats:
    """Return (resamples,) scores, averaged over the runs."""
    scores = [statistic(np.tensordot(weights, counts.astype(np.float64), axes=1)) for counts in runs]
    return np.asarray(np.mean(scores, axis=0))


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part, dtype=np.float64), where=whole > 0)
