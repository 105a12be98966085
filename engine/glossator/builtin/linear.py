"""The `linear` classifier: regularized logistic regression on words, their n-grams, and pairs of words.

Words and pairs are features as in Wang & Manning 2012, "Baselines and bigrams", and as there a feature counts
more, the more it tells of the labels; character n-grams stand in for stems, and for words that the training
data spells otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from spacy.attrs import IS_SPACE

from glossator.errors import ConfigError, PipelineError, StageError
from glossator.ml.activations import sigmoid, softmax
from glossator.ml.categories import category_matrix, log_likelihood
from glossator.ml.linear_features import Bags, Features, add_features, bags_of, collect_features
from glossator.ml.linear_model import (
    MOST_WEIGHTS,
    LinearModel,
    as_bytes,
    rounded,
    telling_features,
    with_intercept,
)
from glossator.ml.linear_occurrences import design_of, occurrences_of
from glossator.ml.logistic_regression import Choice, Weights, choose_strength, fit, loss_and_errors
from glossator.ml.temperature import fit_temperature
from glossator.stages import Contribution, Vectors, VectorSpace
from glossator.util.arrays import read_arrays, write_arrays
from glossator.util.json_files import read_json_object

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.training import Example

    from glossator.ml.logistic_regression import Floats, Gold
    from glossator.stages import TrainingState

ARRAYS, METADATA = "weights.npz", "linear.json"

_RATE = 0.5  # of AdaGrad's steps
_FIRST_SQUARES = 1.0  # added to AdaGrad's sums: its first steps are no longer than their gradients


class LinearClassifier:
    """Classifies documents by their words, the words' character n-grams and pairs of neighbouring words.

    Example:
        Pipeline("en").add_classifier("topic", "linear", exclusive=False)

    Args:
        exclusive: Whether a document has exactly one label; otherwise any number of them.
        strength: The strength of the L2 regularization; by default it is chosen inside the training set.
    """

    def __init__(self, exclusive: bool = True, strength: float | None = None) -> None:
        if strength is not None and not strength > 0:
            raise ConfigError(f"linear: strength must be more than 0, not {strength}")
        self.exclusive = exclusive
        self.labels: tuple[str, ...] = ()
        self._strength = strength
        self._temperature = 1.0
        self._model: LinearModel | None = None
        self._features: Features
        self._weights: Weights
        self._squares: Weights  # AdaGrad's sums of squared gradients

    def fit(self, examples: Sequence[Example], vectors: Vectors, *, seed: int) -> None:
        """Learn from all examples; nothing is drawn at random, so that the seed changes nothing."""
        docs = [example.predicted for example in examples]
        bags, texts = _bags_and_texts(docs)
        self._begin(examples, bags, texts, vectors.space)
        means = _mean_vectors(docs, vectors)
        self._center = means.mean(axis=0)

        occurrences = occurrences_of(bags, self._features, texts)
        gold, dense, rarity = self._gold(examples), self._dense(docs, vectors), self._features.factors
        if self._strength is None:
            choice = choose_strength(
                lambda known: occurrences.design(rarity * occurrences.label_factors(known), dense),
                gold,
                exclusive=self.exclusive,
            )
        else:
            choice = Choice(self._strength)

        self._features = replace(self._features, factors=rarity * occurrences.label_factors(gold))
        self._temperature = choice.temperature
        self._weights = fit(
            occurrences.design(self._features.factors, dense),
            gold,
            strength=choice.strength,
            exclusive=self.exclusive,
            start=choice.weights,
        )

    def initialize(self, examples: Sequence[Example], space: VectorSpace, *, seed: int) -> None:
        """Collect labels and features, weigh these, and start from weights of 0."""
        bags, texts = _bags_and_texts([example.predicted for example in examples])
        self._begin(examples, bags, texts, space)
        factors = occurrences_of(bags, self._features, texts).label_factors(self._gold(examples))
        self._features = replace(self._features, factors=self._features.factors * factors)

    def update(self, examples: Sequence[Example], vectors: Vectors) -> float:
        """Take one step of AdaGrad (Duchi et al. 2011) from the present weights; new words are learned."""
        self._expect_trained()
        docs = [example.predicted for example in examples]
        bags, texts = _bags_and_texts(docs)
        self._learn_features(bags, texts)

        design = design_of(bags, self._features, texts, self._dense(docs, vectors))
        logits = design.logits(self._weights)
        loss, errors = loss_and_errors(logits, self._gold(examples), exclusive=self.exclusive)
        gradient = design.gradient(errors)
        self._squares = self._squares.combined(gradient, lambda sums, slope: sums + slope**2)
        steps = gradient.combined(self._squares, lambda slope, sums: slope / np.sqrt(_FIRST_SQUARES + sums))
        self._weights = self._weights.combined(
            steps, lambda weights, step: weights - np.float32(_RATE) * step
        )
        self._model = None
        return loss / max(len(examples), 1)

    def predict(self, docs: Sequence[Doc], vectors: Vectors) -> Floats:
        """Return (docs, labels) probabilities."""
        return self._probabilities(self._logits(docs, vectors) / np.float32(self._temperature))

    def calibrate(self, examples: Sequence[Example], vectors: Vectors) -> None:
        """Fit the temperature (Guo et al. 2017)."""
        logits = self._logits([example.predicted for example in examples], vectors)
        gold = self._gold(examples)
        self._temperature = fit_temperature(
            lambda t: log_likelihood(self._probabilities(logits / t), gold, exclusive=self.exclusive)
        )

    def finish(self) -> None:
        """Leave out features that add next to nothing, or are too many, and round weights to a byte each."""
        self._expect_trained()
        kept = telling_features(self._features, self._weights)
        self._features = self._features.some(kept)
        self._weights = Weights(rounded(self._weights.sparse[kept]), self._weights.dense)
        self._squares = Weights(self._squares.sparse[kept], self._squares.dense)
        self._model = None

    def strongest(self, label: str, count: int) -> list[Contribution]:
        """Return the features with the largest weights, times what these count in a document."""
        self._expect_trained()
        values = self._weights.sparse[:, self.labels.index(label)] * self._features.factors
        return _largest(self._features.names, values, count)

    def explain(
        self, doc: Doc, vectors: Vectors, label: str, start: int, end: int, count: int
    ) -> list[Contribution]:
        """Return what the features of a document add to the logit of a label."""
        self._expect_trained()
        bags, texts = _bags_and_texts([doc])
        design = design_of(bags, self._features, texts, self._dense([doc], vectors))
        column = self.labels.index(label)
        amounts = design.gradient(np.ones((1, 1), dtype=np.float32))

        dense = amounts.dense[:, 0] * self._weights.dense[:, column]
        names = (*self._features.names, "(vectors)", "(any document)")
        sparse = amounts.sparse[:, 0] * self._weights.sparse[:, column]
        return _largest(names, np.concatenate([sparse, [dense[:-1].sum(), dense[-1]]]), count)

    def training_state(self) -> TrainingState:
        """Return AdaGrad's sums."""
        return {"sparse": self._squares.sparse, "dense": self._squares.dense}

    def restore(self, state: TrainingState) -> None:
        """Restore a training state."""
        self._squares = Weights(np.array(state["sparse"]), np.array(state["dense"]))

    def to_disk(self, path: Path) -> None:
        """Write features, weights, labels and temperature."""
        self._expect_trained()
        names = "\n".join(self._features.names).encode()
        arrays = {
            "hashes": self._features.hashes,
            "kinds": self._features.kinds,
            "factors": self._features.factors,
            "names": np.frombuffer(names, dtype=np.uint8),
            "dense": self._weights.dense,
            "center": self._center,
        }
        steps, scales = as_bytes(self._weights.sparse)
        if np.array_equal(steps * scales, self._weights.sparse):
            arrays |= {"steps": steps, "scales": scales}
        else:
            arrays["sparse"] = self._weights.sparse
        write_arrays(path / ARRAYS, arrays)
        metadata = {"labels": self.labels, "exclusive": self.exclusive, "temperature": self._temperature}
        metadata["documents"] = self._documents
        text = json.dumps(metadata, ensure_ascii=False, indent=1)
        (path / METADATA).write_text(text, encoding="utf-8")

    def from_disk(self, path: Path) -> None:
        """Read what `to_disk` wrote."""
        metadata = read_json_object(path / METADATA)
        arrays = read_arrays(path / ARRAYS)
        try:
            self._read(metadata, arrays)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PipelineError(f"{path}: {METADATA} or {ARRAYS} is damaged: {error}") from error

    def _begin(
        self, examples: Sequence[Example], bags: Bags, texts: Sequence[str], space: VectorSpace
    ) -> None:
        """Forget everything, collect labels and features."""
        if space.tables:
            raise ConfigError("linear does not tune vectors: remove tune = true")
        labels = {label for example in examples for label in example.reference.cats}
        if len(labels) < 1 + self.exclusive:
            raise StageError(
                f"linear: the training data has the categories {sorted(labels)}: too few to learn from"
            )
        self.labels = tuple(sorted(labels))
        self._temperature = 1.0
        self._documents = bags.count
        self._center = np.zeros(space.width, dtype=np.float32)
        self._features = collect_features(bags, texts, most=MOST_WEIGHTS // len(labels))
        self._weights = self._zeros(len(self._features.hashes))
        self._squares = self._zeros(len(self._features.hashes))
        self._model = None

    def _learn_features(self, bags: Bags, texts: Sequence[str]) -> None:
        """Add the features that documents have and the model lacks, with weights of 0."""
        self._features, places = add_features(self._features, bags, texts, self._documents)
        for name in ("_weights", "_squares"):
            old, new = getattr(self, name), self._zeros(len(self._features.hashes))
            new.sparse[places] = old.sparse
            setattr(self, name, Weights(new.sparse, old.dense))

    def _zeros(self, features: int) -> Weights:
        shapes = ((features, len(self.labels)), (len(self._center) + 1, len(self.labels)))
        return Weights(*(np.zeros(shape, dtype=np.float32) for shape in shapes))

    def _expect_trained(self) -> None:
        if not self.labels:
            raise StageError("linear: it is not trained yet")

    def _logits(self, docs: Sequence[Doc], vectors: Vectors) -> Floats:
        self._expect_trained()
        if self._model is None:
            self._model = LinearModel(self._features, self._weights)
        if not docs:
            return np.zeros((0, len(self.labels)), dtype=np.float32)
        return self._model.logits(bags_of(docs), docs[0].vocab.strings, self._dense(docs, vectors))

    def _dense(self, docs: Sequence[Doc], vectors: Vectors) -> Floats:
        """Return the (docs, width + 1) dense features: the direction of the mean vector, the intercept."""
        means = _mean_vectors(docs, vectors) - self._center
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        return with_intercept(np.where(lengths > 0, means / np.where(lengths > 0, lengths, 1), 0))

    def _gold(self, examples: Sequence[Example]) -> Gold:
        cats = [example.reference.cats for example in examples]
        return category_matrix(cats, self.labels, exclusive=self.exclusive)

    def _probabilities(self, logits: Floats) -> Floats:
        return softmax(logits) if self.exclusive else sigmoid(logits)

    def _read(self, metadata: dict[str, Any], arrays: dict[str, Any]) -> None:
        names = tuple(arrays["names"].tobytes().decode().split("\n")) if len(arrays["hashes"]) else ()
        features = Features(arrays["hashes"], arrays["kinds"], arrays["factors"], names)
        sparse = arrays["steps"] * arrays["scales"] if "steps" in arrays else arrays["sparse"]
        weights = Weights(sparse, arrays["dense"])
        labels = tuple(metadata["labels"])
        count = len(features.hashes)
        shapes = {
            (count, len(labels)): weights.sparse,
            (len(arrays["center"]) + 1, len(labels)): weights.dense,
        }
        sizes = {len(each) for each in (features.kinds, features.factors, features.names)}
        if sizes != {count} or any(array.shape != shape for shape, array in shapes.items()):
            raise PipelineError(f"{ARRAYS} is damaged: its arrays do not fit each other")
        self.labels, self.exclusive = labels, bool(metadata["exclusive"])
        self._temperature, self._documents = float(metadata["temperature"]), int(metadata["documents"])
        self._features, self._weights, self._center = features, weights, arrays["center"]
        self._squares = self._zeros(count)
        self._model = None


def _largest(names: Sequence[str], values: Floats, count: int) -> list[Contribution]:
    """Return the features whose values are farthest from 0, without those that are 0."""
    order = np.argsort(-np.abs(values), kind="stable")[:count]
    return [Contribution(names[i], float(values[i])) for i in order.tolist() if values[i] != 0]


def _bags_and_texts(docs: Sequence[Doc]) -> tuple[Bags, list[str]]:
    """Return the words and pairs of Docs, and the texts of their distinct words."""
    bags = bags_of(docs)
    return bags, [docs[0].vocab.strings[key] for key in bags.keys.tolist()]


def _mean_vectors(docs: Sequence[Doc], vectors: Vectors) -> Floats:
    """Return the (docs, width) means of the vectors of each Doc's words."""
    means = np.zeros((len(docs), vectors.space.width), dtype=np.float32)
    if vectors.space.width:
        for mean, doc, rows in zip(means, docs, vectors.values, strict=True):
            words = rows[doc.to_array([IS_SPACE]) == 0]
            mean += words.sum(axis=0) / max(len(words), 1)
    return means
