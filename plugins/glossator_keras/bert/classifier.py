"""The `bert` classifier: fine-tuned, over the mean of a document's pieces or [CLS] (Devlin et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from glossator_keras.bert.fine_tuning import FineTuningSettings, PretrainedBert
from glossator_keras.bert.heads import build_classifier
from glossator_keras.bert.word_piece_inputs import WordPieceInputs
from glossator_keras.classifier import ClassWeights, KerasClassifier
from glossator_keras.network import NetworkSettings
from glossator_keras.settings import SettingsCheck, StageFactory

Pooling = Literal["mean", "cls"]


@dataclass(frozen=True, kw_only=True)
class BertClassifierSettings(FineTuningSettings):
    """The settings of the `bert` classifier, beside those of `FineTuningSettings`.

    Attributes:
        exclusive: Whether a document has exactly one label (softmax); otherwise any number (sigmoid).
        pooling: What represents a document: the "mean" of its pieces' states, or the state of "cls".
        class_weights: As in `KerasClassifier`.
        label_smoothing: As in `KerasClassifier`.

    Raises:
        ConfigError: For a setting out of range.

    Example:
        A classifier of documents that have any number of labels:

            classifier = make_classifier(exclusive=False, checkpoint="minilm")
            classifier.prepare(Path("configs"))
    """

    exclusive: bool = field(default=True, kw_only=False)
    pooling: Pooling = "mean"
    class_weights: ClassWeights = None
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check = SettingsCheck("bert", self)
        check.choice("pooling", Pooling)
        check.share("label_smoothing")

    @property
    def of_network(self) -> NetworkSettings:
        """The settings that the network is built from, and saved with."""
        return {"pooling": self.pooling, "freeze": self.freeze, "dropout": self.dropout}


def _build_stage(settings: BertClassifierSettings) -> KerasClassifier:
    bert = PretrainedBert(settings.checkpoint)
    return KerasClassifier(
        build_classifier,
        WordPieceInputs(bert),
        exclusive=settings.exclusive,
        settings=settings.of_network,
        class_weights=settings.class_weights,
        label_smoothing=settings.label_smoothing,
        runtime=settings.runtime,
        optimizer=settings.optimizer,
        pretrained=bert,
    )


make_classifier = StageFactory(BertClassifierSettings, _build_stage)
