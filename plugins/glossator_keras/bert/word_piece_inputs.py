"""The inputs of networks over word pieces: the encoders of the `bert` tagger and classifier.

* `FirstPieceInputs`: for networks that label words, by the state of their first piece
* `WordPieceInputs`: for networks that label a whole sequence of pieces
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glossator.ml.word_sequences import WordSequences
from glossator_keras.arrays import Array, Floats, Ints, Mask, Positions
from glossator_keras.bert.checkpoint import BertConfig
from glossator_keras.bert.fine_tuning import PretrainedBert
from glossator_keras.bert.tokenizer import CASES, SPECIAL, EncodedPieces
from glossator_keras.bert.windows import (
    PREDICT_POSITIONS,
    PaddedWindows,
    PieceWindows,
    overlapping_windows,
    padded_windows,
)
from glossator_keras.encoding.doc_windows import Windows, windows_between
from glossator_keras.encoding.input_encoder import TrialInputs

if TYPE_CHECKING:
    from spacy.tokens import Doc

TRAIN_POSITIONS = 4096  # word pieces per training step, padding included


@dataclass(frozen=True, slots=True)
class WordsInWindows:
    """The words that windows of pieces own, one row per window: a `Layout`.

    Attributes:
        windows: The windows.
        lengths: (batch,) the number of words of each window.
        positions: (batch, words) the position of each word among the words of the Docs.
        mask: (batch, words) whether there is a word.
        firsts: (batch, words) the position of each word's first piece among all positions of the windows.
        cases: (batch, words) the `tokenizer.case_of` each word.

    Example:
        The states of the words, by a single look-up:

            states.reshape(-1, width)[batch.firsts]
    """

    windows: PaddedWindows
    lengths: Ints
    positions: Positions
    mask: Mask
    firsts: Ints
    cases: Ints


class FirstPieceInputs:
    """Encodes sentences for `heads.build_tagger`: a `SentenceEncoder`.

    A sentence longer than the model is cut into windows that overlap. In training each window is a sequence
    by itself; the labels predicted are those of the whole sentence. A model of lower-case pieces also gets
    the capitals of each word.

    Args:
        bert: The checkpoint.

    Example:
        Composed with the network:

            bert = PretrainedBert("minilm", word_cases=True)
            tagger = KerasTagger(build_tagger, FirstPieceInputs(bert), pretrained=bert)
    """

    tables: Sequence[int] = ()
    whole_sentences = False

    def __init__(self, bert: PretrainedBert) -> None:
        self._bert = bert

    def encode(self, docs: Sequence[Doc]) -> EncodedPieces:
        """Cut the words of some Docs into pieces."""
        return self._bert.tokenizer.encode(docs)

    def sentence_batches(self, encoded: EncodedPieces, *, training: bool) -> Iterator[WordsInWindows]:
        """Yield windows over all sentences in batches of like length, with the words that each owns."""
        windows, words = self._windows(encoded)
        most = TRAIN_POSITIONS if training else PREDICT_POSITIONS
        for batch in padded_windows(encoded, self._bert.tokenizer, windows.starts, windows.lengths, most):
            yield _words_in_windows(batch, words[batch.windows], windows.starts[batch.windows], encoded)

    def inputs(
        self, batch: WordsInWindows, vectors: Floats | None, generator: np.random.Generator | None = None
    ) -> dict[str, Array]:
        """Return the inputs of the network, by name."""
        inputs: dict[str, Array] = {**batch.windows.inputs, "words": batch.firsts}
        if self._bert.takes_cases:
            inputs["cases"] = batch.cases
        if vectors is not None:
            padded = np.where(batch.mask[:, :, None], vectors[batch.positions], 0)
            inputs["vectors"] = padded.astype(np.float32)
        return inputs

    def trial_inputs(self, vector_width: int) -> TrialInputs:
        """Return random sequences, and words at random positions of them, all of which count."""
        inputs, mask = random_pieces(self._bert.config)
        generator = np.random.default_rng(1)
        size = (len(mask), 3)
        inputs["words"] = generator.choice(np.flatnonzero(mask), size=size).astype(np.int32)
        if self._bert.takes_cases:
            inputs["cases"] = generator.integers(CASES, size=size, dtype=np.int32)
        if vector_width:
            inputs["vectors"] = generator.normal(size=(*size, vector_width)).astype(np.float32)
        return inputs, None

    def _windows(self, encoded: EncodedPieces) -> tuple[PieceWindows, Positions]:
        """Return windows, and the words [first, last) that each owns, (windows, 2)."""
        windows = overlapping_windows(encoded.sentence_bounds, self._bert.config.max_pieces)
        words = np.searchsorted(encoded.firsts[:-1], windows.owned)
        # In the midst of a huge word, no other word begins.
        used = words[:, 0] < words[:, 1]
        return windows.select(used), words[used]


class WordPieceInputs:
    """Encodes documents for `heads.build_classifier`: a `DocumentEncoder`.

    Args:
        bert: The checkpoint.

    Example:
        Composed with the network:

            bert = PretrainedBert("minilm")
            classifier = KerasClassifier(build_classifier, WordPieceInputs(bert), pretrained=bert)
    """

    tables: Sequence[int] = ()

    def __init__(self, bert: PretrainedBert) -> None:
        self._bert = bert

    def encode(self, docs: Sequence[Doc]) -> EncodedPieces:
        """Cut the words of some Docs into pieces."""
        return self._bert.tokenizer.encode(docs)

    def windows(self, encoded: EncodedPieces) -> Windows:
        """Cut the Docs into windows of pieces."""
        return windows_between(encoded.doc_bounds, self._bert.config.max_pieces)

    def window_batches(
        self, encoded: EncodedPieces, windows: Windows, *, training: bool
    ) -> Iterator[tuple[Positions, PaddedWindows]]:
        """Yield batches of windows, each with the indices of its windows; in training a single one."""
        padded = len(windows.lengths) * (int(windows.lengths.max(initial=0)) + SPECIAL)
        most = padded if training else PREDICT_POSITIONS
        lengths = windows.lengths.astype(np.intp)
        for batch in padded_windows(encoded, self._bert.tokenizer, windows.starts, lengths, most):
            yield batch.windows, batch

    def inputs(
        self, batch: PaddedWindows, vectors: Floats | None, generator: np.random.Generator | None = None
    ) -> dict[str, Array]:
        """Return the inputs of the network, by name."""
        return {**batch.inputs}

    def trial_inputs(self, vector_width: int) -> TrialInputs:
        """Return random sequences."""
        return random_pieces(self._bert.config)[0], None


def random_pieces(config: BertConfig) -> tuple[dict[str, Array], Mask]:
    """Return inputs for comparing two runtimes: random sequences of several lengths, and their mask."""
    generator = np.random.default_rng(0)
    lengths = np.minimum([2, 9, 14, 5], config.max_position_embeddings)
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = generator.integers(config.vocab_size, size=mask.shape, dtype=np.int32)
    return {"token_ids": ids, "padding_mask": mask.astype(np.int32)}, mask


def _words_in_windows(
    batch: PaddedWindows, words: Positions, starts: Positions, encoded: EncodedPieces
) -> WordsInWindows:
    """Lay out the words [first, last) of each window, (batch, 2), whose pieces begin at (batch,) `starts`."""
    layout = WordSequences.between(words[:, 0], words[:, 1])
    rows, time = batch.token_ids.shape
    after_cls = encoded.firsts[layout.positions] - starts[:, None] + 1
    return WordsInWindows(
        windows=batch,
        lengths=layout.lengths,
        positions=layout.positions,
        mask=layout.mask,
        firsts=(np.arange(rows)[:, None] * time + after_cls).astype(np.int32),
        cases=encoded.cases[layout.positions],
    )
