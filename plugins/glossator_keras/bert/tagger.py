"""The `bert` tagger: fine-tuned, with a softmax or a CRF over the first piece of each word.

Devlin et al. 2019, "BERT: pre-training of deep bidirectional transformers", section 5.3; the CRF as in
Lample et al. 2016.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np

from glossator.batching import of_like_length
from glossator_keras.bert.checkpoint import BertConfig
from glossator_keras.bert.fine_tuning import BertSource, FineTuning, bert_settings, check_fine_tuning
from glossator_keras.bert.heads import build_tagger, tagger_trial_inputs
from glossator_keras.bert.tokenizer import EncodedPieces
from glossator_keras.bert.windows import (
    PREDICT_PLACES,
    PaddedWindows,
    PieceWindows,
    overlapping_windows,
    padded_windows,
)
from glossator_keras.inference.runtime import Runtime
from glossator_keras.settings import check_choice
from glossator_keras.tagger import KerasTagger, Scheme

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc

    from glossator.stages import Vectors
    from glossator.words import Words
    from glossator_keras.inference.decoding import Answer

    Floats = NDArray[np.float32]

Decoder = Literal["crf", "softmax"]

LEARN_PLACES = 4096  # word pieces a step, padding included
DECODE_PLACES = 2048  # words decoded at a time


def make_tagger(
    write: str = "ents",
    *,
    checkpoint: str,
    decoder: Decoder = "crf",
    scheme: Scheme = "bioes",
    freeze: int = 0,
    dropout: float = 0.1,
    learn_rate: float = 5e-5,
    head_learn_rate: float = 1e-3,
    warmup_steps: int = 50,
    decay_steps: int = 0,
    accumulate: int = 1,
    runtime: Runtime = "onnx",
) -> BertTagger:
    """Return an untrained `bert` tagger.

    Args:
        write: The layer to predict.
        checkpoint: The folder of a BERT in the Hugging Face layout, or its name on the hub.
        decoder: "crf", or "softmax": each word by itself, but for the scheme's constraints.
        scheme: How spans become labels of words.
        freeze: Layers that do not learn, counted from the first; from 1 on the embeddings do not either.
        dropout: Before the logits, in training.
        learn_rate: AdamW's for BERT, at its highest.
        head_learn_rate: AdamW's for what stands on BERT, at its highest.
        warmup_steps: Updates until the rates are at their highest.
        decay_steps: Updates after that until they are at 0; 0: they stay.
        accumulate: Batches whose gradients make one update.
        runtime: What annotates.

    Raises:
        ConfigError: For a setting out of range.
    """
    check_choice("bert", "decoder", decoder, get_args(Decoder))
    tuning = FineTuning(
        learn_rate=learn_rate,
        head_learn_rate=head_learn_rate,
        warmup_steps=warmup_steps,
        decay_steps=decay_steps,
        accumulate=accumulate,
    )
    check_fine_tuning("bert", tuning, freeze=freeze, dropout=dropout)
    settings = {"decoder": decoder, "freeze": freeze, "dropout": dropout}
    return BertTagger(checkpoint, tuning, write=write, scheme=scheme, settings=settings, runtime=runtime)


class BertTagger(KerasTagger):
    """Tags sentences by the states of their words' first pieces.

    A model whose pieces are all small letters is told what capitals a word has. A sentence longer than the
    model is cut into windows that overlap; its labels are those of the whole.

    Args:
        checkpoint: As in `make_tagger`.
        tuning: How it learns.
        write: As in `KerasTagger`.
        scheme: As in `KerasTagger`.
        settings: "decoder", "freeze" and "dropout" of `make_tagger`.
        runtime: As in `KerasTagger`.
    """

    _tables: ClassVar[Sequence[int]] = ()

    def __init__(
        self,
        checkpoint: str,
        tuning: FineTuning,
        *,
        write: str,
        scheme: Scheme,
        settings: dict[str, Any],
        runtime: Runtime,
    ) -> None:
        super().__init__(
            build_tagger,
            write=write,
            scheme=scheme,
            settings=settings,
            learn_rate=tuning.head_learn_rate,  # of tables of vectors that it tunes
            runtime=runtime,
            optimizer=tuning.optimizer,
            trial=tagger_trial_inputs,
        )
        self._source = BertSource(checkpoint)

    def prepare(self, folder: Path) -> None:
        """Open the checkpoint."""
        self._settings["bert"] = bert_settings(self._source.open(folder))
        self._settings["cases"] = self._source.pieces.lowercases

    def to_disk(self, path: Path) -> None:
        """Write what a tagger writes, and the word pieces."""
        super().to_disk(path)
        self._source.to_disk(path)

    def from_disk(self, path: Path) -> None:
        """Read what `to_disk` wrote."""
        self._source.from_disk(path)
        super().from_disk(path)

    def _start(self, seed: int) -> None:
        self._source.load_into(self._trained(), seed)

    def _encode(self, docs: Sequence[Doc]) -> EncodedPieces:
        return self._source.pieces.encode(docs)

    def _learned_lengths(self, encoded: EncodedPieces) -> NDArray[Any]:
        """Return how many words each window is asked for: in learning it is a sequence by itself."""
        _, words = self._windows(encoded)
        lengths: NDArray[Any] = words[:, 1] - words[:, 0]
        return lengths

    def _windows(self, encoded: EncodedPieces) -> tuple[PieceWindows, NDArray[np.intp]]:
        """Return windows, and which words [first, last) each is asked for, (windows, 2)."""
        most_pieces = BertConfig.of(self._settings["bert"]).most_pieces
        windows = overlapping_windows(encoded.sentence_bounds, most_pieces)
        words = np.searchsorted(encoded.firsts[:-1], windows.owned)
        used = words[:, 0] < words[:, 1]  # in the midst of a huge word, no other begins
        return windows.chosen(used), words[used]

    def _batches(self, encoded: EncodedPieces, *, learning: bool = False) -> Iterator[WordsInWindows]:
        windows, words = self._windows(encoded)
        most = LEARN_PLACES if learning else PREDICT_PLACES
        batches = padded_windows(encoded, self._source.pieces, windows.starts, windows.lengths, most)
        for batch in batches:
            yield _words_in_windows(batch, words[batch.windows], windows.starts[batch.windows], encoded)

    def _inputs(
        self, batch: WordsInWindows, given: Floats | None, *, learning: bool = False
    ) -> dict[str, NDArray[Any]]:
        inputs: dict[str, NDArray[Any]] = {**batch.windows.inputs, "words": batch.firsts}
        if self._settings["cases"]:
            inputs["cases"] = batch.cases
        if given is not None:
            inputs["vectors"] = np.where(batch.mask[:, :, None], given[batch.places], 0).astype(np.float32)
        return inputs

    def _answers(self, encoded: EncodedPieces, vectors: Vectors) -> Iterator[Answer]:
        """Yield sentences and their logits, those of a long one from all its windows."""
        logits = np.zeros((len(encoded.cases), self._trained().config.outputs), dtype=np.float32)
        for batch, answer in super()._answers(encoded, vectors):
            logits[batch.places[batch.mask]] = answer[batch.mask]
        for sentences in _sentences(encoded.words):
            yield sentences, logits[sentences.places]


@dataclass(frozen=True, slots=True)
class Sentences:
    """Sequences of words of like length: a `decode.Layout`.

    Attributes:
        lengths: (batch,) the words of each.
        places: (batch, time) where each word stands among the words of the Docs; the last word after a
            sequence's end.
        mask: (batch, time): whether there is a word.
    """

    lengths: NDArray[np.int32]
    places: NDArray[np.intp]
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class WordsInWindows(Sentences):
    """The words of which windows are asked, a row for each window.

    Attributes:
        windows: The windows.
        firsts: (batch, words) where each word's first piece stands among all places of the windows.
        cases: (batch, words) as `pieces.case_of` tells them.
    """

    windows: PaddedWindows
    firsts: NDArray[np.int32]
    cases: NDArray[np.int32]


def _laid_out(starts: NDArray[np.intp], ends: NDArray[np.intp]) -> Sentences:
    """Lay out the words from (batch,) `starts` to before (batch,) `ends`; none is empty."""
    lengths = ends - starts
    steps = np.arange(int(lengths.max()))
    places = np.minimum(starts[:, None] + steps, ends[:, None] - 1)
    return Sentences(lengths.astype(np.int32), places, steps < lengths[:, None])


def _words_in_windows(
    windows: PaddedWindows, words: NDArray[np.intp], starts: NDArray[np.intp], encoded: EncodedPieces
) -> WordsInWindows:
    """Lay out the words [first, last) of each window, (batch, 2), whose pieces begin at (batch,) `starts`."""
    laid = _laid_out(words[:, 0], words[:, 1])
    rows, time = windows.token_ids.shape
    after_cls = encoded.firsts[laid.places] - starts[:, None] + 1
    return WordsInWindows(
        lengths=laid.lengths,
        places=laid.places,
        mask=laid.mask,
        windows=windows,
        firsts=(np.arange(rows)[:, None] * time + after_cls).astype(np.int32),
        cases=encoded.cases[laid.places],
    )


def _sentences(words: Words) -> Iterator[Sentences]:
    starts = words.sentence_starts
    for batch in of_like_length(words.lengths, DECODE_PLACES):
        yield _laid_out(starts[batch], starts[batch + 1])
