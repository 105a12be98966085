"""Which features of the `linear` classifier occur in which documents, and what they count there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from glossator.ml.linear_features import Bags, Features, pair_units, word_units
from glossator.ml.log_odds import log_odds_scales
from glossator.ml.logistic_regression import Design
from glossator.ml.sparse import SparseMatrix, inverse_roots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glossator.ml.logistic_regression import Floats, Gold

# The share of what a feature counts that depends on labels: with more of it, rare features lose too much.
_SHARE_OF_LABELS = 0.3


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Which features occur in which documents, factored as in a `Design`; all values are 1.

    Example:
        design = occurrences_of(bags, features, texts).design(features.factors, dense)

    Attributes:
        documents: (docs, units) the units of each document.
        units: (units, features) the features of each unit.
        is_ngrams: (units,) whether a unit's features are character n-grams.
    """

    documents: SparseMatrix
    units: SparseMatrix
    is_ngrams: NDArray[np.bool_]

    def design(self, factors: Floats, dense: Floats) -> Design:
        """Return what features count, each of the two groups (words and pairs; n-grams) of length 1.

        Args:
            factors: (features,) what each counts.
            dense: (docs, width) further features.
        """
        units = replace(self.units, values=factors[self.units.columns])
        # Units count as orthogonal, so that lengths are sums over units.
        squares = units.row_sums_of_squares()[self.documents.columns]
        is_ngrams = self.is_ngrams[self.documents.columns]
        values = np.empty(len(squares), dtype=np.float32)
        for group in (is_ngrams, ~is_ngrams):
            rows = self.documents.rows[group]
            values[group] = inverse_roots(np.bincount(rows, squares[group], self.documents.shape[0]))[rows]
        return Design(replace(self.documents, values=values), units, dense)

    def label_factors(self, gold: Gold) -> Floats:
        """Return (features,) factors: the more a feature tells of the labels, the more it counts.

        Args:
            gold: (docs, labels) values from 0 to 1, NaN where unknown.
        """
        positives, known = np.nan_to_num(gold), ~np.isnan(gold)
        scales = log_odds_scales(
            self._counts(positives), self._counts(known), positives.sum(axis=0), known.sum(axis=0)
        )
        return np.asarray(1 + np.float32(_SHARE_OF_LABELS) * (scales - 1), dtype=np.float32)

    def _counts(self, values: NDArray[np.generic]) -> Floats:
        """Return (features, width) sums over documents, of an n-gram over the distinct words that have it."""
        return self.units.transposed_times(self.documents.transposed_times(values.astype(np.float32)))


def occurrences_of(bags: Bags, features: Features, texts: Sequence[str]) -> Occurrences:
    """Return which features occur in which documents.

    Example:
        occurrences = occurrences_of(bags, features, texts)

    Args:
        bags: The words and pairs of the documents.
        features: The features that the model knows.
        texts: The text of each of `bags.keys`.
    """
    hashes, pairs = np.unique(bags.pairs, return_inverse=True)
    # A pair that occurs twice in a document counts once, like a word.
    entries = np.unique(bags.pair_docs * max(len(hashes), 1) + pairs.reshape(-1))
    pair_docs, pairs = np.divmod(entries, max(len(hashes), 1))

    words = len(bags.keys)
    rows = np.concatenate([bags.word_docs, bags.word_docs, pair_docs]).astype(np.int32)
    columns = np.concatenate([bags.words, bags.words + words, pairs + 2 * words]).astype(np.int32)
    shape = (bags.count, 2 * words + len(hashes))
    documents = SparseMatrix(shape, rows, columns, np.ones(len(rows), dtype=np.float32))

    of_words, of_pairs = word_units(features, bags.keys, texts).matrix, pair_units(features, hashes).matrix
    numbers = np.arange(shape[1])
    return Occurrences(documents, _stacked(of_words, of_pairs), (numbers >= words) & (numbers < 2 * words))


def design_of(bags: Bags, features: Features, texts: Sequence[str], dense: Floats) -> Design:
    """Return the features of documents as a model with these factors sees them.

    Example:
        design = design_of(bags, features, texts, with_intercept(vectors))

    Args:
        bags: The words and pairs of the documents.
        features: The features that the model knows.
        texts: The text of each of `bags.keys`.
        dense: (docs, width) further features, the intercept last.
    """
    return occurrences_of(bags, features, texts).design(features.factors, dense)


def _stacked(first: SparseMatrix, second: SparseMatrix) -> SparseMatrix:
    rows = np.concatenate([first.rows, second.rows + np.int32(first.shape[0])])
    return SparseMatrix(
        (first.shape[0] + second.shape[0], first.shape[1]),
        rows=rows,
        columns=np.concatenate([first.columns, second.columns]),
        values=np.ones(len(rows), dtype=np.float32),
    )
