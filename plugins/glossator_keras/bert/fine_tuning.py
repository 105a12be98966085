"""What the stages made of BERT share: their checkpoint, and the settings of fine-tuning."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glossator.errors import ConfigError, StageError
from glossator_keras.bert.checkpoint import Checkpoint, open_checkpoint
from glossator_keras.bert.tokenizer import WordPieces
from glossator_keras.settings import check_rate, check_share

if TYPE_CHECKING:
    import keras

    from glossator_keras.model import Model


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FineTuning:
    """How BERT and what stands on it learn, as the stages' settings say it."""

    learn_rate: float
    head_learn_rate: float
    warmup_steps: int
    decay_steps: int
    accumulate: int

    def optimizer(self, network: keras.Model) -> keras.optimizers.Optimizer:
        """Return what moves a network's weights."""
        from glossator_keras.bert.optimizer import AdamW, Rates

        rates = Rates(
            body=self.learn_rate,
            head=self.head_learn_rate,
            warmup_steps=self.warmup_steps,
            decay_steps=self.decay_steps,
            accumulate=self.accumulate,
        )
        return AdamW(network, rates)


class BertSource:
    """The checkpoint a stage begins from, or the word pieces it was saved with.

    Args:
        checkpoint: The setting: a folder, or a name on the Hugging Face hub.
    """

    def __init__(self, checkpoint: str) -> None:
        if not isinstance(checkpoint, str) or not checkpoint:
            raise ConfigError(f"checkpoint = {checkpoint!r}: name a folder that holds a BERT")
        self._name = checkpoint
        self._checkpoint: Checkpoint | None = None
        self._pieces: WordPieces | None = None

    @property
    def pieces(self) -> WordPieces:
        """What cuts words."""
        if self._pieces is None:
            raise StageError(f"the checkpoint {self._name!r} is not read yet: call Pipeline.prepare()")
        return self._pieces

    def open(self, folder: Path) -> Checkpoint:
        """Open the checkpoint, a relative folder counting from `folder`."""
        self._checkpoint = open_checkpoint(self._name, folder)
        self._pieces = self._checkpoint.pieces
        return self._checkpoint

    def begin(self) -> Checkpoint:
        """Return the checkpoint to learn from.

        Raises:
            StageError: The stage was loaded, with what it learned in place of the checkpoint, which is not
                where an absolute path or the hub would have it.
        """
        if self._checkpoint is not None:
            return self._checkpoint
        try:
            return self.open(Path("/"))
        except ConfigError as error:
            raise StageError(
                f"to learn anew it needs its checkpoint, of which a saved pipeline keeps no copy ({error}): "
                "set checkpoint to the folder's absolute path"
            ) from error

    def load_into(self, model: Model, seed: int) -> None:
        """Give a model fresh weights, the checkpoint's where it has some."""
        from glossator_keras.bert.backbone import check_keras_hub, load_weights

        checkpoint = self.begin()
        check_keras_hub()
        model.initialize(seed, lambda network: load_weights(network, checkpoint))

    def to_disk(self, path: Path) -> None:
        """Write the word pieces."""
        self.pieces.to_disk(path)

    def from_disk(self, path: Path) -> None:
        """Read what `to_disk` wrote."""
        self._pieces = WordPieces.from_disk(path)


def check_fine_tuning(stage: str, tuning: FineTuning, *, freeze: int, dropout: float) -> None:
    """Raise `ConfigError` for a setting out of range."""
    check_share(stage, "dropout", dropout)
    check_rate(stage, "learn_rate", tuning.learn_rate)
    check_rate(stage, "head_learn_rate", tuning.head_learn_rate)
    numbers = {
        "warmup_steps": (tuning.warmup_steps, 0),
        "decay_steps": (tuning.decay_steps, 0),
        "accumulate": (tuning.accumulate, 1),
        "freeze": (freeze, 0),
    }
    for name, (value, least) in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigError(f"{stage}: {name} must be a whole number from {least}, not {value!r}")


def bert_settings(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what `network` builds BERT from, of JSON's types."""
    return dataclasses.asdict(checkpoint.config)
