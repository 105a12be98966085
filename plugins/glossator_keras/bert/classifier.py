"""The `bert` classifier: fine-tuned, over the mean of a document's pieces or [CLS] (Devlin et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np

from glossator.errors import ConfigError
from glossator.stages import VectorSpace
from glossator_keras.bert.checkpoint import BertConfig
from glossator_keras.bert.fine_tuning import BertSource, FineTuning, bert_settings, check_fine_tuning
from glossator_keras.bert.heads import build_classifier, classifier_trial_inputs
from glossator_keras.bert.tokenizer import SPECIAL, EncodedPieces
from glossator_keras.bert.windows import PREDICT_PLACES, PaddedWindows, padded_windows
from glossator_keras.classifier import ClassWeights, KerasClassifier
from glossator_keras.encoding.doc_windows import Windows, windows_between
from glossator_keras.inference.runtime import Runtime
from glossator_keras.settings import check_choice

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc
    from spacy.training import Example

    Floats = NDArray[np.float32]

Pooling = Literal["mean", "cls"]


def make_classifier(
    exclusive: bool = True,
    *,
    checkpoint: str,
    pooling: Pooling = "mean",
    freeze: int = 0,
    dropout: float = 0.1,
    class_weights: ClassWeights = None,
    label_smoothing: float = 0.0,
    learn_rate: float = 5e-5,
    head_learn_rate: float = 1e-3,
    warmup_steps: int = 50,
    decay_steps: int = 0,
    accumulate: int = 1,
    runtime: Runtime = "onnx",
) -> BertClassifier:
    """Return an untrained `bert` classifier.

    Args:
        exclusive: Whether a document has exactly one label (softmax); otherwise any number (sigmoid).
        checkpoint: The folder of a BERT in the Hugging Face layout, or its name on the hub.
        pooling: What a document is known by: the "mean" of its pieces' states, or that of "cls".
        freeze: Layers that do not learn, counted from the first; from 1 on the embeddings do not either.
        dropout: Before the logits, in training.
        class_weights: As in `KerasClassifier`.
        label_smoothing: As in `KerasClassifier`.
        learn_rate: AdamW's for BERT, at its highest.
        head_learn_rate: AdamW's for what stands on BERT, at its highest.
        warmup_steps: Updates until the rates are at their highest.
        decay_steps: Updates after that until they are at 0; 0: they stay.
        accumulate: Batches whose gradients make one update.
        runtime: What annotates.

    Raises:
        ConfigError: For a setting out of range.
    """
    check_choice("bert", "pooling", pooling, get_args(Pooling))
    tuning = FineTuning(
        learn_rate=learn_rate,
        head_learn_rate=head_learn_rate,
        warmup_steps=warmup_steps,
        decay_steps=decay_steps,
        accumulate=accumulate,
    )
    check_fine_tuning("bert", tuning, freeze=freeze, dropout=dropout)
    return BertClassifier(
        checkpoint,
        tuning,
        exclusive=exclusive,
        settings={"pooling": pooling, "freeze": freeze, "dropout": dropout},
        class_weights=class_weights,
        label_smoothing=label_smoothing,
        runtime=runtime,
    )


class BertClassifier(KerasClassifier):
    """Classifies documents by the states of their word pieces.

    A document longer than the model is cut into windows, as `KerasClassifier` says.

    Args:
        checkpoint: As in `make_classifier`.
        tuning: How it learns.
        exclusive: As in `KerasClassifier`.
        settings: "pooling", "freeze" and "dropout" of `make_classifier`.
        class_weights: As in `KerasClassifier`.
        label_smoothing: As in `KerasClassifier`.
        runtime: As in `KerasClassifier`.
    """

    _tables: ClassVar[Sequence[int]] = ()

    def __init__(
        self,
        checkpoint: str,
        tuning: FineTuning,
        *,
        exclusive: bool,
        settings: dict[str, Any],
        class_weights: ClassWeights,
        label_smoothing: float,
        runtime: Runtime,
    ) -> None:
        super().__init__(
            build_classifier,
            exclusive=exclusive,
            settings=settings,
            class_weights=class_weights,
            label_smoothing=label_smoothing,
            runtime=runtime,
            optimizer=tuning.optimizer,
            trial=classifier_trial_inputs,
        )
        self._source = BertSource(checkpoint)

    def prepare(self, folder: Path) -> None:
        """Open the checkpoint."""
        self._settings["bert"] = bert_settings(self._source.open(folder))

    def initialize(self, examples: Sequence[Example], space: VectorSpace, *, seed: int) -> None:
        """Collect the labels and start from the checkpoint.

        Raises:
            ConfigError: It is given vectors, of which it makes no use.
        """
        if space.width or space.tables:
            raise ConfigError("a bert classifier takes no vectors: leave `vectors` out")
        super().initialize(examples, space, seed=seed)

    def to_disk(self, path: Path) -> None:
        """Write what a classifier writes, and the word pieces."""
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

    def _windows(self, encoded: EncodedPieces) -> Windows:
        return windows_between(encoded.doc_bounds, BertConfig.of(self._settings["bert"]).most_pieces)

    def _batches(
        self, encoded: EncodedPieces, windows: Windows, *, learning: bool = False
    ) -> Iterator[tuple[NDArray[np.intp], PaddedWindows]]:
        everything = len(windows.lengths) * (int(windows.lengths.max(initial=0)) + SPECIAL)
        most = everything if learning else PREDICT_PLACES
        lengths = windows.lengths.astype(np.intp)
        for batch in padded_windows(encoded, self._source.pieces, windows.starts, lengths, most):
            yield batch.windows, batch

    def _inputs(
        self, batch: PaddedWindows, given: Floats | None, learning: np.random.Generator | None = None
    ) -> dict[str, NDArray[Any]]:
        return {**batch.inputs}
