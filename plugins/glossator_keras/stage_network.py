"""A Keras network through its life: fresh, learning, exported, on disk, annotating."""

from __future__ import annotations

import io
import mmap
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from glossator.errors import StageError
from glossator.ml.chain_decoding import Chain
from glossator.ml.word_sequences import Layout
from glossator.ml.words import Words
from glossator.stages import Vectors
from glossator.util.arrays import read_arrays
from glossator_keras.arrays import Array, Arrays, Floats
from glossator_keras.backend import check_exporting, load_keras, quietly
from glossator_keras.encoding.input_encoder import TrialInputs
from glossator_keras.inference.runtime import (
    RunNetwork,
    Runtime,
    check_agreement,
    keras_network,
    onnx_network,
    run_all,
)
from glossator_keras.network import WIDE_INPUT, BuildNetwork, NetworkConfig
from glossator_keras.saved_files import reading
from glossator_keras.training.tuned_vectors import WordVectors

if TYPE_CHECKING:
    import keras

    from glossator_keras.training.learner import Learner
    from glossator_keras.training.losses import Loss

MakeLoss: TypeAlias = "Callable[[keras.Model], Loss]"
MakeOptimizer: TypeAlias = "Callable[[keras.Model], keras.optimizers.Optimizer]"
Content: TypeAlias = bytes | mmap.mmap

WEIGHTS, CHAIN, ONNX = "weights.npz", "chain.npz", "network.onnx"


class StageNetwork:
    """The network of a stage, with its weights; Keras is imported only where a network is built.

    Args:
        build: Builds the network.
        config: What it is built from.
        loss: Returns the loss to minimize, from the network.
        label_shape: The shape of a batch's labels, None where it varies.
        label_type: The type of the labels.
        learn_rate: Adam's learning rate.
        runtime: The runtime that annotates once the network is exported.
        trial_inputs: Returns inputs on which the exported network is compared with Keras's, from the width of
            the vectors.
        vectors: The vectors of the words, tuned along with the network; by default none.
        optimizer: Returns the optimizer, from the network; by default Adam.

    Attributes:
        config: What the network is built from.
        vectors: The vectors of the words.

    Example:
        From fresh weights to a folder that annotates without Keras:

            network = StageNetwork(
                build_network, NetworkConfig(outputs=5), loss=sequence_loss, label_shape=(None, None),
                learn_rate=0.002, runtime="onnx", trial_inputs=HashedWords().trial_inputs,
            )
            network.initialize(seed=0)
            network.learn(inputs, labels)
            network.finish()
            network.to_disk(folder)
    """

    def __init__(
        self,
        build: BuildNetwork,
        config: NetworkConfig,
        *,
        loss: MakeLoss,
        label_shape: tuple[int | None, ...],
        label_type: str = "int32",
        learn_rate: float,
        runtime: Runtime,
        trial_inputs: Callable[[int], TrialInputs],
        vectors: WordVectors | None = None,
        optimizer: MakeOptimizer | None = None,
    ) -> None:
        self._build = build
        self.config = config
        self.vectors = vectors or WordVectors(0, (), learn_rate)
        self._loss = loss
        self._labels = (label_shape, label_type)
        self._learn_rate = learn_rate
        self._runtime = runtime
        self._trial_inputs = trial_inputs
        self._optimizer = optimizer
        self._seed = 0
        self._learner: Learner | None = None
        self._snapshot: _Snapshot | None = None  # None while the learner has newer weights
        self._run: RunNetwork | None = None  # made when the network is first asked
        self._averaged: _Averaged | None = None

    def initialize(self, seed: int, load_weights: Callable[[keras.Model], None] | None = None) -> None:
        """Start from fresh weights, made from `seed` alone; `load_weights` may replace some of them."""
        load_keras()
        if self._runtime == "onnx":
            check_exporting()  # before hours of training
        from glossator_keras.training.learner import set_seed

        self._seed = seed
        set_seed(seed)
        network = self._build(self.config)
        if load_weights is not None:
            load_weights(network)
        self._learner = self._new_learner(network)
        self._discard_snapshot()

    def learn(self, inputs: Arrays, labels: Array) -> float:
        """Learn from one batch and return its loss."""
        learner = self._current_learner()
        self._discard_snapshot()
        return learner.step(inputs, labels)

    def tune(self, words: Words, vectors: Vectors, batch: Layout) -> None:
        """Let the tuned tables take the step that the network has just taken.

        Args:
            words: The words of the Docs that `vectors` belong to.
            vectors: The vectors that the engine passed to the stage.
            batch: The layout of the batch that was learned from.
        """
        learner = self._current_learner()
        self.vectors.learn_batch(words, vectors, batch, learner.gradients, learner.decay)

    def generator(self) -> np.random.Generator:
        """Return the random numbers of the next step, the same in a resumed run."""
        return np.random.default_rng([self._seed, self._learner.steps if self._learner else 0])

    def predict(self, batches: Sequence[Arrays]) -> Iterator[Floats]:
        """Yield the logits of each batch, in order."""
        if self._run is None:
            self._run = self._answering_network()
        return run_all(self._run, batches)

    @property
    def chain(self) -> Chain | None:
        """What the CRF on top adds to the logits; None where there is none."""
        return self._current_snapshot().chain

    def finish(self) -> None:
        """Export the network, unless that is done or Keras is to annotate.

        Raises:
            StageError: It cannot be exported, or ONNX Runtime answers otherwise than Keras.
        """
        snapshot = self._current_snapshot()
        if snapshot.onnx is not None or self._runtime == "keras":
            return
        averaged = self._with_weights(snapshot.weights)
        with quietly():
            from glossator_keras.onnx_export.to_onnx import to_onnx
        exported = to_onnx(averaged.model)

        inputs, mask = self._trial_inputs(self.config.vector_width)
        if self.config.wide:
            inputs = {**inputs, WIDE_INPUT: self._trial_wide(averaged.model)}
        one_row_each = len(averaged.model.outputs[0].shape) == 2
        check_agreement(onnx_network(exported), averaged.run, inputs, None if one_row_each else mask)
        self._snapshot = replace(snapshot, onnx=exported)
        self._run = None

    def training_state(self) -> dict[str, Array]:
        """Return all that training needs beside what `to_disk` writes."""
        return {
            **self._current_learner().state(),
            **self.vectors.state(),
            "seed": np.asarray(self._seed),
        }

    def restore(self, state: Arrays) -> None:
        """Put a training state back."""
        self._seed = int(state["seed"])
        self._current_learner().restore(state)
        self.vectors.restore(state)
        self._discard_snapshot()

    def to_disk(self, path: Path) -> None:
        """Write the weights, what a CRF adds, tuned vectors, and the exported network where there is one."""
        snapshot = self._current_snapshot()
        _write(path / WEIGHTS, snapshot.weights)
        np.savez(path / CHAIN, **(snapshot.chain._asdict() if snapshot.chain else {}))
        if snapshot.onnx is not None:
            _write(path / ONNX, snapshot.onnx)
        self.vectors.to_disk(path)

    def from_disk(self, path: Path) -> None:
        """Read what `to_disk` wrote.

        Raises:
            PipelineError: A file is missing or damaged.
        """
        self._snapshot = _read_snapshot(path)
        self.vectors.from_disk(path)
        self._learner = None
        # From the file itself, which is quicker than from its content.
        self._run = self._answering_network(path / ONNX)

    def _current_snapshot(self) -> _Snapshot:
        if self._snapshot is None:
            if self._learner is None:
                raise StageError("it is not trained yet")
            weights = _pack(self._learner.averaged_weights())
            self._snapshot = _Snapshot(weights, _chain_of(self._with_weights(weights).model))
        return self._snapshot

    def _discard_snapshot(self) -> None:
        self._snapshot, self._run = None, None

    def _answering_network(self, file: Path | None = None) -> RunNetwork:
        snapshot = self._current_snapshot()
        if snapshot.onnx is not None and self._runtime == "onnx":
            return onnx_network(file or bytes(snapshot.onnx))
        return self._with_weights(snapshot.weights).run

    def _trial_wide(self, model: keras.Model) -> Floats:
        """Return logits of a linear model that are the same for all rows and words."""
        ones = [1] * (len(model.outputs[0].shape) - 1)
        shape = (*ones, self.config.outputs)
        return np.random.default_rng(0).normal(size=shape).astype(np.float32)

    def _with_weights(self, weights: Content) -> _Averaged:
        """Return the network that answers, with these weights, while another one learns."""
        if self._averaged is None:
            load_keras()
            model = self._build(self.config)
            self._averaged = _Averaged(model, keras_network(model))
        self._averaged.model.set_weights(_unpack(weights))
        return self._averaged

    def _current_learner(self) -> Learner:
        """Return the learner; after loading, one made from the loaded weights."""
        if self._learner is None:
            weights = _unpack(self._current_snapshot().weights)
            load_keras()
            network = self._build(self.config)
            network.set_weights(weights)
            self._learner = self._new_learner(network)
        return self._learner

    def _new_learner(self, network: keras.Model) -> Learner:
        from glossator_keras.training.learner import Learner

        return Learner(
            network,
            self._loss(network),
            *self._labels,
            learn_rate=self._learn_rate,
            watched=self.vectors.watched,
            optimizer=self._optimizer(network) if self._optimizer else None,
        )


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What is saved of a network.

    Attributes:
        weights: The weights, packed by `_pack`.
        chain: What the CRF on top adds, if there is one.
        onnx: The exported network, once there is one.
    """

    weights: Content
    chain: Chain | None
    onnx: Content | None = None


@dataclass(frozen=True, slots=True)
class _Averaged:
    """A Keras network with averaged weights, and the function that runs it."""

    model: keras.Model
    run: RunNetwork


def _chain_of(network: keras.Model) -> Chain | None:
    from glossator_keras.crf import CRF

    last = network.layers[-1]
    return Chain(*last.potentials()) if isinstance(last, CRF) else None


def _pack(weights: Sequence[Array]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, *weights)
    return buffer.getvalue()


def _unpack(packed: Content) -> list[Array]:
    return list(read_arrays(io.BytesIO(packed)).values())


def _write(file: Path, content: Content) -> None:
    file.unlink(missing_ok=True)  # the content may be mapped from the file that is there
    with file.open("wb") as opened:
        opened.write(content)


def _read_snapshot(path: Path) -> _Snapshot:
    with reading(path / WEIGHTS):
        # A file that was cut short lacks the directory at its end: opening finds that without reading it all.
        zipfile.ZipFile(path / WEIGHTS).close()
        weights = _mapped(path / WEIGHTS)
    with reading(path / CHAIN):
        arrays = read_arrays(path / CHAIN)
        chain = Chain(arrays["transitions"], arrays["start"], arrays["end"]) if arrays else None
    with reading(path / ONNX):
        onnx = _mapped(path / ONNX) if (path / ONNX).exists() else None
    return _Snapshot(weights, chain, onnx)


def _mapped(file: Path) -> mmap.mmap:
    """Return a file's content, read only where it is used; it stays the same if the file is replaced."""
    with file.open("rb") as opened:
        return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
