"""The linear model inside a classifier: the logits of whole documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from spacy.attrs import LOWER

from glossator.errors import StageError
from glossator.ml.linear_features import Features, bags_of, collect_features
from glossator.ml.linear_model import (
    MOST_WEIGHTS,
    LinearModel,
    as_bytes,
    rounded,
    telling_features,
    with_intercept,
)
from glossator.ml.linear_occurrences import occurrences_of
from glossator.ml.logistic_regression import Weights, choose_strength, fit
from glossator.ml.words import words_of
from glossator.util.arrays import read_arrays, write_arrays
from glossator.util.threads import on_one_thread
from glossator_keras.arrays import Array, Arrays, Floats
from glossator_keras.saved_files import reading
from glossator_keras.wide.folds import FOLDS, Folds, by_label, text_hashes

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray
    from spacy.tokens import Doc

    from glossator.ml.logistic_regression import Gold

WIDE = "wide.npz"

_PREFIX = "wide."


class WideLinear:
    """Logistic regression on words, n-grams and pairs, which adds its logits to those of a network.

    It is fitted before the network learns, and stays as it is. For each fold of the training data there is
    a further model that was fitted without it: from its logits the network learns.

    Example:
        wide = WideLinear()
        wide.fit(docs, gold, exclusive=True)
        wide.unseen_logits(docs)  # (docs, labels), as if the Docs had never been seen
    """

    def __init__(self) -> None:
        self._model: LinearModel | None = None
        self._folds: Folds | None = None
        self._unseen: list[LinearModel] = []  # the model of each fold

    @on_one_thread
    def fit(self, docs: Sequence[Doc], gold: NDArray[np.float64], *, exclusive: bool) -> None:
        """Fit the model and those of the folds; nothing depends on chance.

        Args:
            docs: The training data.
            gold: (docs, labels) values from 0 to 1, NaN where unknown.
            exclusive: Whether a document has exactly one label.
        """
        bags, strings = bags_of(docs), docs[0].vocab.strings
        texts = [strings[key] for key in bags.keys.tolist()]
        features = collect_features(bags, texts, most=MOST_WEIGHTS // gold.shape[1])
        occurrences, dense = occurrences_of(bags, features, texts), _intercept(docs)

        def factors(known: Gold) -> Floats:
            """Return what features count, by the labels that may be known."""
            return features.factors * occurrences.label_factors(known)

        choice = choose_strength(
            lambda known: occurrences.design(factors(known), dense), gold, exclusive=exclusive
        )
        whole = replace(features, factors=factors(gold))
        weights = fit(
            occurrences.design(whole.factors, dense),
            gold,
            strength=choice.strength,
            exclusive=exclusive,
            start=choice.weights,
        )
        self._model = _pruned(whole, weights, choice.temperature)

        hashes = _hashes(docs)
        self._folds = Folds.of(hashes, by_label(np.nan_to_num(gold).argmax(axis=1)))
        self._unseen = []
        for fold in range(FOLDS):
            others = np.flatnonzero(self._folds.find(hashes) != fold)
            known = np.full_like(gold, np.nan)
            known[others] = gold[others]
            of_others = replace(features, factors=factors(known))
            design = occurrences.design(of_others.factors, dense).some(others)
            part = fit(design, gold[others], strength=choice.strength, exclusive=exclusive)
            self._unseen.append(_pruned(of_others, part, choice.temperature))

    @on_one_thread
    def logits(self, docs: Sequence[Doc]) -> Floats:
        """Return (docs, labels) logits."""
        return _logits(self._whole, docs)

    @on_one_thread
    def unseen_logits(self, docs: Sequence[Doc]) -> Floats:
        """Return (docs, labels) logits of models that did not see the Docs.

        Those of the model itself are returned for Docs that it did not see, and after loading.
        """
        if self._folds is None:
            return self.logits(docs)
        folds = self._folds.find(_hashes(docs))
        logits = np.zeros((len(docs), len(self._whole.weights.dense.T)), dtype=np.float32)
        for fold, model in enumerate([*self._unseen, self._whole]):
            of_fold = np.flatnonzero(folds == fold)
            logits[of_fold] = _logits(model, [docs[i] for i in of_fold.tolist()])
        return logits

    def load_weights(self, network: keras.Model) -> None:
        """Do nothing: the model knows nothing beside its logits."""

    def state(self) -> dict[str, Array]:
        """Return the folds and their models, which only training needs."""
        if self._folds is None:
            return {}
        arrays = {_PREFIX + name: array for name, array in self._folds.to_arrays().items()}
        for fold, model in enumerate(self._unseen):
            arrays |= {f"{_PREFIX}{fold}.{name}": array for name, array in _arrays_of(model).items()}
        return arrays

    def restore(self, state: Arrays) -> None:
        """Put back what `state` returned."""
        arrays = {
            name.removeprefix(_PREFIX): array for name, array in state.items() if name.startswith(_PREFIX)
        }
        self._folds = Folds.from_arrays(arrays) if arrays else None
        self._unseen = [_model_of(arrays, f"{fold}.") for fold in range(FOLDS)] if arrays else []

    def to_disk(self, path: Path) -> None:
        """Write the features and their weights."""
        write_arrays(path / WIDE, _arrays_of(self._whole))

    def from_disk(self, path: Path, labels: int) -> None:
        """Read what `to_disk` wrote; raise `PipelineError` where it is missing or damaged."""
        with reading(path / WIDE):
            self._model = _model_of(read_arrays(path / WIDE))
            found = self._model.weights.dense.shape[1]
            if found != labels:
                raise ValueError(f"it has {found} labels, the network {labels}")
        self.restore({})

    @property
    def _whole(self) -> LinearModel:
        if self._model is None:
            raise StageError("it is not trained yet")
        return self._model


def _hashes(docs: Sequence[Doc]) -> NDArray[np.uint64]:
    words = words_of(docs, [LOWER])
    return text_hashes(words.features[:, 0], words.word_starts)


def _logits(model: LinearModel, docs: Sequence[Doc]) -> Floats:
    if not docs:
        return np.zeros((0, model.weights.dense.shape[1]), dtype=np.float32)
    return model.logits(bags_of(docs), docs[0].vocab.strings, _intercept(docs))


def _intercept(docs: Sequence[Doc]) -> Floats:
    return with_intercept(np.zeros((len(docs), 0), dtype=np.float32))


def _pruned(features: Features, weights: Weights, temperature: float) -> LinearModel:
    """Return a calibrated model without features that add next to nothing, its weights of a byte each."""
    kept = telling_features(features, weights)
    sparse = rounded(weights.sparse[kept] / np.float32(temperature))
    return LinearModel(features.some(kept), Weights(sparse, weights.dense / np.float32(temperature)))


def _arrays_of(model: LinearModel) -> dict[str, Array]:
    steps, scales = as_bytes(model.weights.sparse)
    features = model.features
    return {
        "hashes": features.hashes,
        "kinds": features.kinds,
        "factors": features.factors,
        "steps": steps,
        "scales": scales,
        "dense": model.weights.dense,
    }


def _model_of(arrays: Arrays, prefix: str = "") -> LinearModel:
    """Return the model of arrays; the names of its features are not kept.

    Raises:
        KeyError: An array is missing.
        ValueError: The arrays do not fit each other.
    """
    hashes, kinds, factors, steps, scales, dense = (
        np.asarray(arrays[prefix + name])
        for name in ("hashes", "kinds", "factors", "steps", "scales", "dense")
    )
    count, labels = len(hashes), dense.shape[-1]
    shapes = [(count,), (count,), (count,), (count, labels), (count, 1), (1, labels)]
    if [each.shape for each in (hashes, kinds, factors, steps, scales, dense)] != shapes:
        raise ValueError("its arrays do not fit each other")
    if not all(np.isfinite(each).all() for each in (factors, scales, dense)):
        raise ValueError("it has weights that are no numbers")
    return LinearModel(Features(hashes, kinds, factors, ("",) * count), Weights(steps * scales, dense))
