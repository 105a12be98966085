"""The sparse CRF inside a tagger: the emissions of the words of Docs, and where the chain starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from glossator.errors import StageError
from glossator.ml.crf_emissions import CRFEmissions
from glossator.ml.crf_training import LabelledWords, fit_crf, with_learn_rate
from glossator.ml.crf_weights import CRFWeights
from glossator.ml.feature_table import FeatureTable
from glossator.ml.token_features import TokenFeatures
from glossator.util.arrays import read_arrays, write_arrays
from glossator.util.threads import on_one_thread
from glossator_keras.arrays import Array, Arrays, Floats
from glossator_keras.saved_files import reading
from glossator_keras.wide.folds import FOLDS, Folds, answers_of_folds, in_blocks, text_hashes

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray
    from spacy.tokens import Doc

WIDE = "wide.npz"

_PREFIX = "wide."


class WideCRF:
    """A linear-chain CRF over sparse features, which adds its emissions to the logits of a network.

    It is fitted before the network learns, and stays as it is. For each fold of the training data there is
    a further model that was fitted without it: from its emissions the network learns.

    Example:
        wide = WideCRF()
        wide.fit(docs, gold, scheme.constraints())
        wide.unseen_emissions(docs)  # (words, labels), as if the Docs had never been seen
    """

    def __init__(self) -> None:
        self._model: _SparseModel | None = None
        self._folds: Folds | None = None
        self._unseen: _SparseModel | None = None  # the models of all folds, label after label

    @on_one_thread
    def fit(
        self, docs: Sequence[Doc], gold: NDArray[np.int64], constraints: tuple[Array, Array, Array]
    ) -> None:
        """Fit the model and those of the folds; nothing depends on chance.

        Args:
            docs: The training data.
            gold: (words,) labels of all words, `UNLABELLED` where there is none.
            constraints: (transitions, start, end): -inf for what is forbidden, else 0.
        """
        tokens = TokenFeatures.of(docs)
        table = FeatureTable.of(tokens.named())
        data = LabelledWords(
            rows=tokens.rows(table),
            vectors=np.zeros((len(gold), 0), dtype=np.float32),
            gold=gold,
            lengths=tokens.words.lengths,
            outside=-1 if np.isfinite(constraints[1]).all() else 0,
        )
        zeros = CRFWeights.zeros(features=len(table), width=0, labels=len(constraints[1]))
        settings = with_learn_rate(data, zeros, constraints)
        whole = fit_crf(data, zeros, constraints, settings)
        self._model = _SparseModel.pruned(table, whole)

        hashes = text_hashes(tokens.words.features[:, 0], tokens.words.sentence_starts)
        folds = Folds.of(hashes, in_blocks(len(hashes)))
        parts = [
            fit_crf(data.sentences(others), zeros, constraints, settings) if len(others) else zeros
            for others in (np.flatnonzero(folds.find(hashes) != fold) for fold in range(FOLDS))
        ]
        stacked = np.concatenate([part.sparse for part in parts], axis=1)
        self._folds = folds
        emitting = replace(CRFWeights.zeros(features=0, width=0, labels=stacked.shape[1]), sparse=stacked)
        self._unseen = _SparseModel.pruned(table, emitting)

    @on_one_thread
    def emissions(self, docs: Sequence[Doc]) -> Floats:
        """Return the (words, labels) emissions of all words of Docs."""
        return self._whole.emissions.of(docs)[1]

    @on_one_thread
    def unseen_emissions(self, docs: Sequence[Doc]) -> Floats:
        """Return the (words, labels) emissions of models that did not see the words' sentences.

        Those of the model itself are returned for sentences that it did not see, and after loading.
        """
        emissions = self.emissions(docs)
        if self._folds is None or self._unseen is None:
            return emissions
        words, stacked = self._unseen.emissions.of(docs)
        hashes = text_hashes(words.features[:, 0], words.sentence_starts)
        folds = np.repeat(self._folds.find(hashes), words.lengths)
        seen = folds < FOLDS
        emissions[seen] = answers_of_folds(stacked[seen], folds[seen])
        return emissions

    def load_weights(self, network: keras.Model) -> None:
        """Let the chain of a network that ends in a CRF start from that of the model."""
        from glossator_keras.crf import CRF

        last, weights = network.layers[-1], self._whole.weights
        if isinstance(last, CRF):
            last.set_weights([weights.transitions, weights.start, weights.end])

    def state(self) -> dict[str, Array]:
        """Return the folds and their models, which only training needs."""
        if self._folds is None or self._unseen is None:
            return {}
        arrays = {**self._folds.to_arrays(), **self._unseen.to_arrays()}
        return {_PREFIX + name: array for name, array in arrays.items()}

    def restore(self, state: Arrays) -> None:
        """Put back what `state` returned."""
        arrays = {
            name.removeprefix(_PREFIX): array for name, array in state.items() if name.startswith(_PREFIX)
        }
        self._folds = Folds.from_arrays(arrays) if arrays else None
        self._unseen = _SparseModel.from_arrays(arrays) if arrays else None

    def to_disk(self, path: Path) -> None:
        """Write the features and their weights."""
        write_arrays(path / WIDE, self._whole.to_arrays())

    def from_disk(self, path: Path, labels: int) -> None:
        """Read what `to_disk` wrote; raise `PipelineError` where it is missing or damaged."""
        with reading(path / WIDE):
            self._model = _SparseModel.from_arrays(read_arrays(path / WIDE))
            if len(self._model.weights.start) != labels:
                raise ValueError(f"it has {len(self._model.weights.start)} labels, the network {labels}")
        self.restore({})

    @property
    def _whole(self) -> _SparseModel:
        if self._model is None:
            raise StageError("it is not trained yet")
        return self._model


@dataclass(frozen=True, slots=True)
class _SparseModel:
    """Features, their weights, and the emissions that they make.

    Attributes:
        table: The features.
        weights: Their weights, rounded to half precision.
        emissions: Computes emissions from both.
    """

    table: FeatureTable
    weights: CRFWeights
    emissions: CRFEmissions

    @classmethod
    def pruned(cls, table: FeatureTable, weights: CRFWeights) -> _SparseModel:
        """Leave out features that add next to nothing, and round the weights to half precision."""
        kept = weights.influential()
        return cls._of(table.some(kept), weights.some(kept).rounded())

    @classmethod
    def _of(cls, table: FeatureTable, weights: CRFWeights) -> _SparseModel:
        return cls(table, weights, CRFEmissions(table, weights))

    def to_arrays(self) -> dict[str, Array]:
        """Return all as arrays, the weights in half precision."""
        weights = {name: array.astype(np.float16) for name, array in self.weights.arrays().items()}
        return {**self.table.to_arrays(), **weights}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> _SparseModel:
        """Return what `to_arrays` returned.

        Raises:
            KeyError: An array is missing.
            ValueError: The arrays do not fit each other.
        """
        table, weights = FeatureTable.from_arrays(arrays), CRFWeights.from_arrays(arrays)
        if len(weights.sparse) != len(table) + 1:
            raise ValueError("the weights do not fit the features")
        return cls._of(table, weights)
