"""The `lstm` classifier: recurrent layers over the words of a document, pooled.

Hochreiter and Schmidhuber 1997, "Long short-term memory"; Cho et al. 2014 for the GRU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from glossator_keras.classifier import ClassWeights, KerasClassifier
from glossator_keras.inference.runtime import Runtime
from glossator_keras.network import NetworkConfig, NetworkSettings, add_logits, embed_words
from glossator_keras.settings import SettingsCheck, StageFactory

if TYPE_CHECKING:
    import keras

Cell = Literal["lstm", "gru"]
Pooling = Literal["last", "max", "mean", "attention"]


@dataclass(frozen=True, kw_only=True)
class LSTMSettings:
    """The settings of the `lstm` classifier.

    Attributes:
        exclusive: Whether a document has exactly one label (softmax); otherwise any number (sigmoid).
        cell: The recurrent unit.
        widths: Columns of each direction of each recurrent layer, from the first layer on.
        bidirectional: Whether the layers read both ways.
        pooling: From the states of a document's words to one row: the "last" state of each direction, the
            "max" or "mean" of all, or a mean weighted by "attention".
        embedding_width: Columns of the words' embeddings.
        dropout: Share dropped between and after the recurrent layers, in training.
        class_weights: As in `KerasClassifier`.
        label_smoothing: As in `KerasClassifier`.
        word_dropout: Share of words that are left out wholly, in training.
        wide: Whether a linear model, fitted beforehand, is part of the network: its logits are added to
            those of the layers.
        learn_rate: Adam's learning rate.
        runtime: The runtime that annotates.

    Raises:
        ConfigError: For a setting out of range.

    Example:
        Two layers that read from left to right:

            classifier = make_classifier(widths=[64, 32], bidirectional=False, pooling="last")
    """

    exclusive: bool = field(default=True, kw_only=False)
    cell: Cell = "lstm"
    widths: Sequence[int] = (100,)
    bidirectional: bool = True
    pooling: Pooling = "max"
    embedding_width: int = 100
    dropout: float = 0.5
    class_weights: ClassWeights = None
    label_smoothing: float = 0.0
    word_dropout: float = 0.3
    wide: bool = True
    learn_rate: float = 0.002
    runtime: Runtime = "onnx"

    def __post_init__(self) -> None:
        check = SettingsCheck("lstm", self)
        check.choice("cell", Cell)
        check.choice("pooling", Pooling)
        check.choice("runtime", Runtime)
        check.widths("widths")
        check.width("embedding_width")
        check.share("dropout")
        check.share("label_smoothing")
        check.share("word_dropout")
        check.rate("learn_rate")

    @property
    def of_network(self) -> NetworkSettings:
        """The settings that the network is built from, and saved with."""
        return {
            "cell": self.cell,
            "widths": list(self.widths),
            "bidirectional": self.bidirectional,
            "pooling": self.pooling,
            "embedding_width": self.embedding_width,
            "dropout": self.dropout,
            "word_dropout": self.word_dropout,
        }


def _build_stage(settings: LSTMSettings) -> KerasClassifier:
    return KerasClassifier(
        build_network,
        exclusive=settings.exclusive,
        settings=settings.of_network,
        wide=settings.wide,
        class_weights=settings.class_weights,
        label_smoothing=settings.label_smoothing,
        learn_rate=settings.learn_rate,
        runtime=settings.runtime,
    )


make_classifier = StageFactory(LSTMSettings, _build_stage)


def build_network(config: NetworkConfig) -> keras.Model:
    """Return the network, with fresh weights."""
    import keras

    from glossator_keras.models import pooling

    settings = config.settings
    words = embed_words(config, width=settings["embedding_width"], word_dropout=settings["word_dropout"])
    hidden = words.output
    last = len(settings["widths"]) - 1
    for number, width in enumerate(settings["widths"]):
        layer = _recurrent(settings, width, sequences=number < last or settings["pooling"] != "last")
        hidden = layer(hidden, mask=words.mask)
        hidden = keras.layers.Dropout(settings["dropout"])(hidden)

    if settings["pooling"] == "max":
        hidden = pooling.max_over_words(hidden, words.mask, lowest=-1.0)  # states lie above -1
    elif settings["pooling"] == "mean":
        hidden = pooling.mean_over_words(hidden, words.mask)
    elif settings["pooling"] == "attention":
        hidden = pooling.attention_over_words(hidden, words.mask)
    return keras.Model(*add_logits(config, words.inputs, hidden))


def _recurrent(settings: NetworkSettings, width: int, *, sequences: bool) -> keras.Layer:
    import keras

    cell = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[settings["cell"]]
    layer = cell(width, return_sequences=sequences)
    return keras.layers.Bidirectional(layer) if settings["bidirectional"] else layer
