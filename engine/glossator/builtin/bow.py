"""The `bow` classifier: a bag of hashed words and pairs of words (Joulin et al. 2017, "Bag of tricks")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from spacy.attrs import IS_SPACE, LOWER
from thinc.api import HashEmbed, Linear, Model, zero_init

from glossator.builtin import thinc_training
from glossator.errors import ConfigError, StageError
from glossator.ml.activations import sigmoid, softmax
from glossator.ml.categories import category_matrix, log_likelihood
from glossator.ml.temperature import fit_temperature
from glossator.stages import Vectors, VectorSpace
from glossator.util.threads import on_one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc
    from spacy.training import Example

    from glossator.stages import TrainingState

SLICE_KEYS = 50_000  # their vectors take 6 MB at the default width


class BagOfWords:
    """Classifies documents by their words and pairs of neighbouring words, in any order.

    Example:
        Pipeline("en").add_classifier("topic", "bow", exclusive=False, width=64)

    Args:
        exclusive: Whether a document has exactly one label; otherwise any number of them.
        width: Columns of the table of word vectors.
        rows: Rows of that table, into which words and pairs are hashed. Ten thousand sentences have a
            hundred thousand different ones; in a much smaller table too many share a row.
        dropout: Share of a document's words and pairs that a training step leaves out.
        learn_rate: Learning rate of Adam.
    """

    def __init__(
        self,
        exclusive: bool = True,
        width: int = 32,
        rows: int = 100_000,
        dropout: float = 0.3,
        learn_rate: float = 0.002,
    ) -> None:
        if width < 1 or rows < 1:
            raise ConfigError("bow: width and rows must be at least 1")
        self.exclusive = exclusive
        self.labels: tuple[str, ...] = ()
        self._shape = {"width": width, "rows": rows}
        self._dropout = dropout
        self._learn_rate = learn_rate
        self._temperature = 1.0

    def initialize(self, examples: Sequence[Example], space: VectorSpace, *, seed: int) -> None:
        """Collect the labels and draw fresh weights."""
        if space.tables:
            raise ConfigError("bow does not tune vectors: remove tune = true")
        labels = {label for example in examples for label in example.reference.cats}
        if len(labels) < 1 + self.exclusive:
            raise StageError(
                f"bow: the training data has the categories {sorted(labels)}: too few to learn from"
            )
        self._build(tuple(sorted(labels)), space.width)
        self._temperature = 1.0
        thinc_training.draw_weights(self._network, seed)

    @on_one_thread
    def update(self, examples: Sequence[Example], vectors: Vectors) -> float:
        """Take one step down the mean cross-entropy of the batch."""
        bags = [_dropped(keys, self._dropout) for keys in _keys([example.predicted for example in examples])]
        if not any(len(bag) for bag in bags):
            return 0.0

        means = self._mean_vectors([example.predicted for example in examples], vectors)
        logits, backprop = self._network.begin_update((bags, means))
        gold = self._gold(examples)
        probabilities = self._probabilities(logits)

        # Softmax and sigmoid have the same gradient of the cross-entropy: probability less gold value.
        errors = np.where(np.isnan(gold), 0, probabilities - np.nan_to_num(gold))
        backprop(errors.astype(np.float32) / len(examples))
        self._network.finish_update(self._optimizer)
        return -log_likelihood(probabilities, gold, exclusive=self.exclusive) / len(examples)

    @on_one_thread
    def predict(self, docs: Sequence[Doc], vectors: Vectors) -> NDArray[np.float32]:
        """Return (docs, labels) probabilities."""
        return self._probabilities(self._logits(docs, vectors) / self._temperature)

    @on_one_thread
    def calibrate(self, examples: Sequence[Example], vectors: Vectors) -> None:
        """Fit the temperature (Guo et al. 2017)."""
        logits = self._logits([example.predicted for example in examples], vectors)
        gold = self._gold(examples)
        self._temperature = fit_temperature(
            lambda t: log_likelihood(self._probabilities(logits / t), gold, exclusive=self.exclusive)
        )

    def training_state(self) -> TrainingState:
        """Return Adam's moments and the random state."""
        return thinc_training.training_state(self._network, self._optimizer)

    def restore(self, state: TrainingState) -> None:
        """Restore a training state."""
        thinc_training.restore(self._network, self._optimizer, state)

    def to_disk(self, path: Path) -> None:
        """Write weights, labels and temperature."""
        if not self.labels:
            raise StageError("bow: it is not trained yet, there is nothing to save")
        metadata = {"labels": self.labels, "vectors": self._vector_width, "temperature": self._temperature}
        metadata |= {**self._shape, "exclusive": self.exclusive}
        thinc_training.write_weights(path, self._network, metadata)

    def from_disk(self, path: Path) -> None:
        """Read what `to_disk` wrote."""
        metadata = thinc_training.read_metadata(path)
        self._shape = {name: metadata[name] for name in self._shape}
        self.exclusive = bool(metadata["exclusive"])
        self._temperature = float(metadata["temperature"])
        self._build(tuple(metadata["labels"]), metadata["vectors"])
        self._network.initialize()
        thinc_training.read_weights(path, self._network)

    def _build(self, labels: tuple[str, ...], vector_width: int) -> None:
        self.labels = labels
        self._vector_width = vector_width
        with thinc_training.fast_ops():
            self._network = _network(labels=len(labels), vectors=vector_width, **self._shape)
        self._optimizer = thinc_training.adam(self._learn_rate)

    def _logits(self, docs: Sequence[Doc], vectors: Vectors) -> NDArray[np.float32]:
        if not self.labels:
            raise StageError("bow: it is not trained yet")
        return np.asarray(self._network.predict((_keys(docs), self._mean_vectors(docs, vectors))))

    def _mean_vectors(self, docs: Sequence[Doc], vectors: Vectors) -> NDArray[np.float32]:
        """Return the (docs, width) means of the embedders' vectors of each Doc's words."""
        means = np.zeros((len(docs), self._vector_width), dtype=np.float32)
        if self._vector_width:
            for mean, doc, rows in zip(means, docs, vectors.values, strict=True):
                words = rows[doc.to_array([IS_SPACE]) == 0]
                mean += words.sum(axis=0) / max(len(words), 1)
        return means

    def _gold(self, examples: Sequence[Example]) -> NDArray[np.float64]:
        """Return the (docs, labels) gold values, NaN if the gold has none."""
        cats = [example.reference.cats for example in examples]
        return category_matrix(cats, self.labels, exclusive=self.exclusive)

    def _probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        return softmax(logits) if self.exclusive else sigmoid(logits)


def _keys(docs: Sequence[Doc]) -> list[NDArray[np.uint64]]:
    """Return the keys of each Doc: one per lower-cased word, and one per pair of neighbours."""
    keys = []
    for doc in docs:
        is_space, lower = doc.to_array([IS_SPACE, LOWER]).reshape(len(doc), 2).T
        words = lower[is_space == 0]
        # Multiplying by an odd number makes the order of a pair matter, and loses no bit.
        pairs = (words[:-1] * np.uint64(0x9E3779B97F4A7C15)) ^ words[1:]
        keys.append(np.concatenate([words, pairs]))
    return keys


def _dropped(keys: NDArray[np.uint64], dropout: float) -> NDArray[np.uint64]:
    # Drawn from numpy's global random state, which `training_state` saves.
    kept = keys[np.random.random(len(keys)) >= dropout]
    # A document without any key would teach the bias alone.
    return kept if len(kept) else keys


def _network(*, labels: int, vectors: int, width: int, rows: int) -> Model[Any, Any]:
    """Return a model from (keys of each Doc, mean vectors (docs, vectors)) to logits (docs, labels)."""
    return Model(
        "bag_of_words",
        _forward,
        init=_initialize,
        layers=[HashEmbed(width, rows, column=0, seed=1), Linear(labels, width + vectors, init_W=zero_init)],
        dims={"nO": labels},
    )


def _initialize(model: Model[Any, Any], X: Any = None, Y: Any = None) -> None:
    for layer in model.layers:
        layer.initialize()


def _forward(
    model: Model[Any, Any], inputs: tuple[list[NDArray[np.uint64]], NDArray[np.float32]], is_train: bool
) -> tuple[NDArray[np.float32], Callable[[NDArray[np.float32]], Any]]:
    embed, output = model.layers
    bags, vectors = inputs
    if not is_train:
        means = (
            np.stack([_mean(embed, keys) for keys in bags]) if bags else np.zeros((0, embed.get_dim("nO")))
        )
        return output.predict(np.hstack([means, vectors]).astype(np.float32)), lambda gradient: gradient

    # All keys of the batch in one array: `owners` is the document of each, `weights` its share of the mean.
    sizes = np.asarray([len(keys) for keys in bags])
    owners = np.repeat(np.arange(len(bags)), sizes)
    weights = (1 / np.maximum(sizes, 1))[owners, None].astype(np.float32)
    rows, backprop_rows = embed.begin_update(np.concatenate(bags)[:, None])
    means = np.zeros((len(bags), rows.shape[1]), dtype=np.float32)
    # Unlike means[owners] += ..., this adds up all rows of one document.
    np.add.at(means, owners, rows * weights)
    logits, backprop_logits = output.begin_update(np.hstack([means, vectors]))

    def backprop(gradient: NDArray[np.float32]) -> Any:
        mean_gradient = backprop_logits(gradient)[:, : means.shape[1]]
        return backprop_rows(np.ascontiguousarray(mean_gradient[owners] * weights))

    return logits, backprop


def _mean(embed: Model[Any, Any], keys: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Return the mean row of one Doc's keys, a slice at a time: a Doc may hold millions."""
    total = np.zeros(embed.get_dim("nO"), dtype=np.float64)
    for start in range(0, len(keys), SLICE_KEYS):
        total += embed.predict(keys[start : start + SLICE_KEYS, None]).sum(axis=0, dtype=np.float64)
    return np.asarray(total / max(len(keys), 1), dtype=np.float32)
