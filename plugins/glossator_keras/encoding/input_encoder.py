"""The protocols between a stage and the encoder it is composed with.

An encoder turns Docs into the inputs of a network, as a preprocessor does for a backbone in KerasHub. Its
encoded Docs and its batches are types of its own, which the stage only passes on.

* `SentenceEncoder`: the encoder of a `KerasTagger`
* `DocumentEncoder`: the encoder of a `KerasClassifier`

`hashed_words.HashedWords` is both. An encoder for taggers whose network reads word lengths alone:

    class WordLengths:
        tables = ()
        whole_sentences = True

        def encode(self, docs):
            return EncodedLengths(words_of(docs, [LENGTH]))

        def sentence_batches(self, encoded, *, training):
            starts = encoded.words.sentence_starts
            for batch in bucket_by_length(encoded.words.lengths, 2048):
                yield encoded.batch(WordSequences.between(starts[batch], starts[batch + 1]))

        def inputs(self, batch, vectors, generator=None):
            return {"lengths": np.where(batch.mask, batch.word_lengths, 0)}

        def trial_inputs(self, vector_width):
            return {"lengths": np.array([[3, 1, 4]], dtype=np.int32)}, None
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

import numpy as np

from glossator.ml.word_sequences import Layout
from glossator.ml.words import Words
from glossator_keras.arrays import Array, Arrays, Floats, Mask, Positions
from glossator_keras.encoding.doc_windows import Windows

if TYPE_CHECKING:
    from spacy.tokens import Doc

TrialInputs: TypeAlias = tuple[Arrays, Mask | None]
"""Inputs of a network, and the positions of its answers that count; None for all."""


class Encoded(Protocol):
    """A batch of Docs in numbers.

    Example:
        What stands in an encoder's own class is its own affair, but for the words:

            @dataclass(frozen=True)
            class EncodedLengths:
                words: Words
                lengths: NDArray[np.int32]
    """

    @property
    def words(self) -> Words:
        """The words of the Docs."""


EncodedT = TypeVar("EncodedT", bound=Encoded)
EncodedT_co = TypeVar("EncodedT_co", bound=Encoded, covariant=True)
BatchT = TypeVar("BatchT")
BatchT_contra = TypeVar("BatchT_contra", contravariant=True)
LayoutT = TypeVar("LayoutT", bound=Layout)


class InputEncoder(Protocol[EncodedT_co, BatchT_contra]):
    """Turns Docs into the inputs of a network: what encoders for taggers and for classifiers share.

    Example:
        From Docs to logits:

            encoded = encoder.encode(docs)
            for batch in encoder.sentence_batches(encoded, training=False):
                logits = network(encoder.inputs(batch, None))
    """

    @property
    def tables(self) -> Sequence[int]:
        """Rows of the hashed tables that its inputs point into; none without such tables.

        They are saved with a network, which is refused when they have changed since.
        """

    def encode(self, docs: Sequence[Doc]) -> EncodedT_co:
        """Turn Docs into numbers."""

    def inputs(
        self, batch: BatchT_contra, vectors: Floats | None, generator: np.random.Generator | None = None
    ) -> dict[str, Array]:
        """Return the inputs of the network, by name.

        Args:
            batch: Sequences of the encoded Docs.
            vectors: (words, width) vectors of the words of the Docs, if there are any.
            generator: In training, the source of random changes to the inputs.
        """

    def trial_inputs(self, vector_width: int) -> TrialInputs:
        """Return inputs on which the exported network is compared with Keras's.

        Args:
            vector_width: Columns of the vectors; 0 for none.
        """


class SentenceEncoder(InputEncoder[EncodedT, LayoutT], Protocol[EncodedT, LayoutT]):
    """Lays out sentences for a `KerasTagger`.

    Example:
        Composed with a network that takes its inputs:

            tagger = KerasTagger(build_network, WordLengths(), write="pos")
    """

    @property
    def whole_sentences(self) -> bool:
        """Whether each sequence of `sentence_batches` is a whole sentence.

        Otherwise the answers for the parts of a sentence are joined before they are decoded.
        """

    def sentence_batches(self, encoded: EncodedT, *, training: bool) -> Iterator[LayoutT]:
        """Yield all sentences in batches; each word is in exactly one sequence of one batch."""


class DocumentEncoder(InputEncoder[EncodedT, BatchT], Protocol[EncodedT, BatchT]):
    """Lays out windows of documents for a `KerasClassifier`.

    Example:
        All windows of some Docs, in batches:

            windows = encoder.windows(encoded)
            for which, batch in encoder.window_batches(encoded, windows, training=False):
                logits[which] = network(encoder.inputs(batch, None))
    """

    def windows(self, encoded: EncodedT) -> Windows:
        """Cut the Docs into windows; one without words has one window."""

    def window_batches(
        self, encoded: EncodedT, windows: Windows, *, training: bool
    ) -> Iterator[tuple[Positions, BatchT]]:
        """Yield batches of windows, each with the indices of its windows; in training a single one.

        A batch is a `Layout` where the encoder serves networks that tune vectors.
        """
