"""A Keras network through its life: fresh, learning, exported, on disk, annotating."""

from __future__ import annotations

import io
import mmap
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.errors import PipelineError, StageError
from glossator_keras.backend import check_exporting, load_keras, quietly
from glossator_keras.encoding.hashed_words import TABLE_ROWS
from glossator_keras.inference.decoding import Chain
from glossator_keras.inference.runtime import (
    Network,
    Runtime,
    check_agreement,
    keras_network,
    onnx_network,
    run_all,
)
from glossator_keras.network import BuildNetwork, NetworkConfig
from glossator_keras.training.tuned_vectors import GivenVectors

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from glossator.stages import Vectors
    from glossator.words import Words
    from glossator_keras.encoding.input_encoder import Layout
    from glossator_keras.training.learner import Learner
    from glossator_keras.training.losses import Loss

    Arrays = Mapping[str, NDArray[Any]]
    Trial = Callable[[NetworkConfig], tuple[Arrays, NDArray[np.bool_] | None]]

Content = bytes | mmap.mmap

WEIGHTS, CHAIN, ONNX = "weights.npz", "chain.npz", "network.onnx"


class Model:
    """A network with its weights; Keras is imported only where one is built.

    Args:
        build: Builds the network.
        config: What from.
        loss: Given the network, the loss to learn by.
        label_shape: Of a batch's labels, None where it varies.
        label_type: Of the labels.
        learn_rate: Adam's.
        runtime: What annotates once the network is exported.
        given: The vectors its words are given; their tables are tuned along with it. By default none.
        optimizer: Given the network, what moves its weights instead of Adam.
        trial: Makes inputs on which the exported network is compared with Keras's, and says at which places
            of the answers; None for all. By default words at random.

    Attributes:
        config: What the network is built from.
        given: The vectors its words are given.
    """

    def __init__(
        self,
        build: BuildNetwork,
        config: NetworkConfig,
        *,
        loss: Callable[[keras.Model], Loss],
        label_shape: tuple[int | None, ...],
        label_type: str = "int32",
        learn_rate: float,
        runtime: Runtime,
        given: GivenVectors | None = None,
        optimizer: Callable[[keras.Model], keras.optimizers.Optimizer] | None = None,
        trial: Trial | None = None,
    ) -> None:
        self._build = build
        self.config = config
        self.given = given or GivenVectors(0, (), learn_rate)
        self._loss = loss
        self._labels = (label_shape, label_type)
        self._learn_rate = learn_rate
        self._runtime = runtime
        self._optimizer = optimizer
        self._trial = trial or _trial_inputs
        self._seed = 0
        self._learner: Learner | None = None
        self._kept: _Kept | None = None  # None while the learner has newer weights
        self._network: Network | None = None  # what answers; None until it is asked
        self._twin: _Twin | None = None

    def initialize(self, seed: int, load: Callable[[keras.Model], None] | None = None) -> None:
        """Start from fresh weights, made from `seed` alone; `load` puts others in place of some."""
        load_keras()
        if self._runtime == "onnx":
            check_exporting()  # before hours of training
        from glossator_keras.training.learner import set_seed

        self._seed = seed
        set_seed(seed)
        network = self._build(self.config)
        if load is not None:
            load(network)
        self._learner = self._new_learner(network)
        self._forget()

    def learn(self, inputs: Arrays, labels: NDArray[Any]) -> float:
        """Learn from one batch and return its loss."""
        learner = self._learning()
        self._forget()
        return learner.step(inputs, labels)

    def tune(self, words: Words, vectors: Vectors, batch: Layout) -> None:
        """Let the tables of given vectors take the step that the network has just taken.

        Args:
            words: Of the Docs that `vectors` are of.
            vectors: As the stage got them.
            batch: Where the words of the batch that was learned from are.
        """
        learner = self._learning()
        self.given.learn_batch(words, vectors, batch, learner.gradients, learner.decay)

    def generator(self) -> np.random.Generator:
        """Return random numbers of the next step's own, the same in a run that was resumed."""
        return np.random.default_rng([self._seed, self._learner.steps if self._learner else 0])

    def predict(self, batches: Sequence[Arrays]) -> Iterator[NDArray[np.float32]]:
        """Yield the logits of each batch, in order."""
        if self._network is None:
            self._network = self._answering_network()
        return run_all(self._network, batches)

    @property
    def chain(self) -> Chain | None:
        """What the CRF on top adds to the logits; None where there is none."""
        return self._keep().chain

    def finish(self) -> None:
        """Export the network, unless that is done or Keras is to annotate.

        Raises:
            StageError: It cannot be exported, or ONNX Runtime answers otherwise than Keras.
        """
        kept = self._keep()
        if kept.onnx is not None or self._runtime == "keras":
            return
        twin = self._twin_with(kept.weights)
        with quietly():
            from glossator_keras.onnx_export.to_onnx import to_onnx
        exported = to_onnx(twin.model)
        inputs, shown = self._trial(self.config)
        one_row_each = len(twin.model.outputs[0].shape) == 2
        check_agreement(onnx_network(exported), twin.network, inputs, None if one_row_each else shown)
        self._kept = replace(kept, onnx=exported)
        self._network = None

    def training_state(self) -> dict[str, NDArray[Any]]:
        """Return all that learning needs beside what `to_disk` writes."""
        return {**self._learning().state(), **self.given.state(), "seed": np.asarray(self._seed)}

    def restore(self, state: Arrays) -> None:
        """Put a training state back."""
        self._seed = int(state["seed"])
        self._learning().restore(state)
        self.given.restore(state)
        self._forget()

    def to_disk(self, path: Path) -> None:
        """Write the weights, what a CRF adds, tuned vectors, and the exported network where there is one."""
        kept = self._keep()
        _write(path / WEIGHTS, kept.weights)
        np.savez(path / CHAIN, **(kept.chain._asdict() if kept.chain else {}))
        if kept.onnx is not None:
            _write(path / ONNX, kept.onnx)
        self.given.to_disk(path)

    def from_disk(self, path: Path) -> None:
        """Read what `to_disk` wrote.

        Raises:
            PipelineError: A file is missing or damaged.
        """
        self._kept = _read(path)
        self.given.from_disk(path)
        self._learner = None
        # From the file itself, which is quicker than from its content.
        self._network = self._answering_network(path / ONNX)

    def _keep(self) -> _Kept:
        if self._kept is None:
            if self._learner is None:
                raise StageError("it is not trained yet")
            weights = _pack(self._learning().averaged_weights())
            self._kept = _Kept(weights, _chain_of(self._twin_with(weights).model))
        return self._kept

    def _forget(self) -> None:
        self._kept, self._network = None, None

    def _answering_network(self, file: Path | None = None) -> Network:
        kept = self._keep()
        if kept.onnx is not None and self._runtime == "onnx":
            return onnx_network(file or bytes(kept.onnx))
        return self._twin_with(kept.weights).network

    def _twin_with(self, weights: Content) -> _Twin:
        """Return the network that answers while another learns, with these weights."""
        if self._twin is None:
            load_keras()
            model = self._build(self.config)
            self._twin = _Twin(model, keras_network(model))
        self._twin.model.set_weights(_unpack(weights))
        return self._twin

    def _learning(self) -> Learner:
        """Return what learns, made from the kept weights where those were loaded."""
        if self._learner is None:
            weights = _unpack(self._keep().weights)
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
            watched=self.given.watched,
            optimizer=self._optimizer(network) if self._optimizer else None,
        )


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is saved of a network.

    Attributes:
        weights: Packed by `_pack`.
        chain: Of the CRF on top, if there is one.
        onnx: The exported network, once there is one.
    """

    weights: Content
    chain: Chain | None
    onnx: Content | None = None


@dataclass(frozen=True, slots=True)
class _Twin:
    """A Keras network and what runs it."""

    model: keras.Model
    network: Network


def _chain_of(network: keras.Model) -> Chain | None:
    from glossator_keras.crf import CRF

    last = network.layers[-1]
    return Chain(*last.potentials()) if isinstance(last, CRF) else None


def _pack(weights: Sequence[NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, *weights)
    return buffer.getvalue()


def _unpack(packed: Content) -> list[NDArray[Any]]:
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        return [arrays[name] for name in arrays.files]


def _write(file: Path, content: Content) -> None:
    file.unlink(missing_ok=True)  # the content may be mapped from the file that is there
    with file.open("wb") as opened:
        opened.write(content)


def _read(path: Path) -> _Kept:
    file = path / WEIGHTS
    try:
        zipfile.ZipFile(file).close()  # cut short, it has no directory at its end
        weights = _mapped(file)
        file = path / CHAIN
        chain = _read_chain(file)
        file = path / ONNX
        onnx = _mapped(file) if file.exists() else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise PipelineError(f"{file} is missing or damaged: {error}") from error
    return _Kept(weights, chain, onnx)


def _mapped(file: Path) -> mmap.mmap:
    """Return a file's content, read only where it is used; it stays what it is if the file is replaced."""
    with file.open("rb") as opened:
        return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)


def _read_chain(file: Path) -> Chain | None:
    with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
        return Chain(arrays["transitions"], arrays["start"], arrays["end"]) if arrays.files else None


def _trial_inputs(config: NetworkConfig) -> tuple[Arrays, NDArray[np.bool_]]:
    """Return inputs for comparing two runtimes: sentences of several lengths, of words at random.

    What a tagger says of padding is nobody's business; so where there are words is returned, too.
    """
    generator = np.random.default_rng(0)
    lengths = np.array([1, 7, 12, 3, 0])
    shown = np.arange(lengths.max()) < lengths[:, None]
    lexemes = generator.integers(config.table_rows, size=(40, len(TABLE_ROWS)), dtype=np.int32)
    words = generator.integers(1, len(lexemes), size=shown.shape, dtype=np.int32)
    inputs: dict[str, Any] = {"lexemes": lexemes, "words": np.where(shown, words, 0).astype(np.int32)}
    if config.vector_width:
        inputs["vectors"] = generator.normal(size=(*shown.shape, config.vector_width)).astype(np.float32)
    return inputs, shown
