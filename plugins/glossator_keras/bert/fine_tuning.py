"""What the stages made of BERT share: their checkpoint, and the settings of fine-tuning."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glossator.errors import ConfigError, StageError
from glossator_keras.bert.backbone import load_weights
from glossator_keras.bert.checkpoint import BertConfig, Checkpoint, open_checkpoint
from glossator_keras.bert.tokenizer import WordPieceTokenizer
from glossator_keras.inference.runtime import Runtime
from glossator_keras.network import NetworkSettings
from glossator_keras.settings import SettingsCheck

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class FineTuningSettings:
    """The settings that the `bert` tagger and classifier have in common.

    Attributes:
        checkpoint: The folder of a BERT in the Hugging Face layout, or its name on the hub.
        freeze: The number of layers that do not learn, from the first; from 1 on neither do the embeddings.
        dropout: Share dropped before the logits, in training.
        learn_rate: AdamW's highest learning rate for BERT.
        head_learn_rate: AdamW's highest learning rate for the layers on top.
        warmup_steps: Updates until the rates are at their highest.
        decay_steps: Updates after that until they are 0; 0: they stay.
        accumulate: Batches per update, whose gradients are summed.
        runtime: The runtime that annotates.

    Raises:
        ConfigError: For a setting out of range.

    Example:
        A stage adds its own:

            @dataclass(frozen=True, kw_only=True)
            class BertClassifierSettings(FineTuningSettings):
                pooling: Pooling = "mean"
    """

    checkpoint: str
    freeze: int = 0
    dropout: float = 0.1
    learn_rate: float = 5e-5
    head_learn_rate: float = 1e-3
    warmup_steps: int = 50
    decay_steps: int = 0
    accumulate: int = 1
    runtime: Runtime = "onnx"

    def __post_init__(self) -> None:
        check = SettingsCheck("bert", self)
        check.choice("runtime", Runtime)
        check.share("dropout")
        check.rate("learn_rate")
        check.rate("head_learn_rate")
        check.count("warmup_steps", least=0)
        check.count("decay_steps", least=0)
        check.count("accumulate", least=1)
        check.count("freeze", least=0)

    def optimizer(self, network: keras.Model) -> keras.optimizers.Optimizer:
        """Return the optimizer of a network that begins with a backbone."""
        from glossator_keras.bert.optimizer import AdamW, Rates

        rates = Rates(
            backbone=self.learn_rate,
            head=self.head_learn_rate,
            warmup_steps=self.warmup_steps,
            decay_steps=self.decay_steps,
            accumulate=self.accumulate,
        )
        return AdamW(network, rates)


class PretrainedBert:
    """The checkpoint a stage starts from, or the tokenizer and config it was saved with: a `Pretrained`.

    Args:
        checkpoint: A folder, or a name on the Hugging Face hub.
        word_cases: Whether the network takes the capitals of words, where the tokenizer drops them.

    Attributes:
        takes_cases: Whether the network takes the capitals of words, decided when the tokenizer is read.

    Raises:
        ConfigError: `checkpoint` is empty or no string.

    Example:
        Shared by an encoder and the stage:

            bert = PretrainedBert("minilm")
            bert.open(Path("configs"))
            classifier = KerasClassifier(build_classifier, WordPieceInputs(bert), pretrained=bert)
    """

    def __init__(self, checkpoint: str, *, word_cases: bool = False) -> None:
        if not isinstance(checkpoint, str) or not checkpoint:
            raise ConfigError(f"checkpoint = {checkpoint!r}: name a folder that holds a BERT")
        self._name = checkpoint
        self._word_cases = word_cases
        self._checkpoint: Checkpoint | None = None
        self._tokenizer: WordPieceTokenizer | None = None
        self._config: BertConfig | None = None
        self.takes_cases = False

    @property
    def tokenizer(self) -> WordPieceTokenizer:
        """The tokenizer; raises `StageError` before it is read."""
        if self._tokenizer is None:
            raise self._not_read()
        return self._tokenizer

    @property
    def config(self) -> BertConfig:
        """What BERT computes; raises `StageError` before it is read."""
        if self._config is None:
            raise self._not_read()
        return self._config

    @property
    def settings(self) -> NetworkSettings:
        """What the networks of `heads` are built from, of JSON's types."""
        bert = {"bert": asdict(self.config)}
        return {**bert, "cases": self.takes_cases} if self._word_cases else bert

    def open(self, folder: Path) -> Checkpoint:
        """Open the checkpoint, a relative folder counting from `folder`."""
        self._checkpoint = open_checkpoint(self._name, folder)
        self._tokenizer, self._config = self._checkpoint.tokenizer, self._checkpoint.config
        self.takes_cases = self._word_cases and self._tokenizer.lowercases
        return self._checkpoint

    def opened(self) -> Checkpoint:
        """Return the checkpoint to learn from.

        Raises:
            StageError: The stage was loaded, and there is no checkpoint at an absolute path or on the hub.
        """
        if self._checkpoint is not None:
            return self._checkpoint
        try:
            return self.open(Path("/"))
        except ConfigError as error:
            raise StageError(
                f"to train anew it needs its checkpoint, which a saved pipeline does not contain ({error}): "
                "set checkpoint to the folder's absolute path"
            ) from error

    def load_weights(self, network: keras.Model) -> None:
        """Put the checkpoint's weights into a network that begins with its backbone."""
        load_weights(network, self.opened())

    def to_disk(self, path: Path) -> None:
        """Write the tokenizer."""
        self.tokenizer.to_disk(path)

    def from_disk(self, path: Path, settings: NetworkSettings) -> None:
        """Read what `to_disk` wrote; `settings` are those the network was built from."""
        self._tokenizer = WordPieceTokenizer.from_disk(path)
        self._config = BertConfig.of(settings["bert"])
        self.takes_cases = bool(settings.get("cases"))

    def _not_read(self) -> StageError:
        return StageError(f"the checkpoint {self._name!r} is not read yet: call Pipeline.prepare()")
