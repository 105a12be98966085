"""The `cnn` classifier: convolutions of several widths over the words of a document, the strongest kept.

Kim 2014, "Convolutional neural networks for sentence classification", over hashed features of words.
Beside the convolutions stands the bag of all words: where single words tell the label, few texts are
enough to learn it (Cheng et al. 2016, "Wide and deep learning").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glossator_keras.classifier import ClassWeights, KerasClassifier
from glossator_keras.inference.runtime import Runtime
from glossator_keras.network import NetworkConfig, NetworkSettings, add_logits, embed_words
from glossator_keras.settings import SettingsCheck, StageFactory

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class CNNSettings:
    """The settings of the `cnn` classifier.

    Attributes:
        exclusive: Whether a document has exactly one label (softmax); otherwise any number (sigmoid).
        widths: Words per window of each convolution, one convolution per width.
        filters: Columns of each convolution.
        bag: Whether the words are also summed, whatever their order, beside the convolutions.
        hidden_widths: Columns of dense layers between the convolutions and the output.
        embedding_width: Columns of the words' embeddings.
        dropout: Share dropped before each dense layer, in training.
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
        A small network for documents with any number of labels:

            classifier = make_classifier(exclusive=False, filters=32, widths=[2, 3])
    """

    exclusive: bool = field(default=True, kw_only=False)
    widths: Sequence[int] = (1, 2, 3)
    filters: int = 128
    bag: bool = True
    hidden_widths: Sequence[int] = ()
    embedding_width: int = 100
    dropout: float = 0.5
    class_weights: ClassWeights = None
    label_smoothing: float = 0.0
    word_dropout: float = 0.4
    wide: bool = True
    learn_rate: float = 0.002
    runtime: Runtime = "onnx"

    def __post_init__(self) -> None:
        check = SettingsCheck("cnn", self)
        check.choice("runtime", Runtime)
        check.widths("widths")
        check.width("filters")
        check.widths("hidden_widths", least=0)
        check.width("embedding_width")
        check.share("dropout")
        check.share("label_smoothing")
        check.share("word_dropout")
        check.rate("learn_rate")

    @property
    def of_network(self) -> NetworkSettings:
        """The settings that the network is built from, and saved with."""
        return {
            "widths": list(self.widths),
            "filters": self.filters,
            "bag": self.bag,
            "hidden_widths": list(self.hidden_widths),
            "embedding_width": self.embedding_width,
            "dropout": self.dropout,
            "word_dropout": self.word_dropout,
        }


def _build_stage(settings: CNNSettings) -> KerasClassifier:
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


make_classifier = StageFactory(CNNSettings, _build_stage)


def build_network(config: NetworkConfig) -> keras.Model:
    """Return the network, with fresh weights."""
    import keras

    from glossator_keras.models import pooling

    settings = config.settings
    words = embed_words(config, width=settings["embedding_width"], word_dropout=settings["word_dropout"])
    pooled = []
    for width in settings["widths"]:
        convolution = keras.layers.Conv1D(settings["filters"], width, padding="same", activation="relu")
        pooled.append(pooling.max_over_words(convolution(words.output), words.mask, lowest=0.0))
    if settings["bag"]:
        pooled.append(pooling.bag_of_words(words.output, words.mask))
    hidden = keras.layers.Concatenate()(pooled) if len(pooled) > 1 else pooled[0]

    for width in settings["hidden_widths"]:
        hidden = keras.layers.Dropout(settings["dropout"])(hidden)
        hidden = keras.layers.Dense(width, activation="relu")(hidden)
    hidden = keras.layers.Dropout(settings["dropout"])(hidden)
    return keras.Model(*add_logits(config, words.inputs, hidden))
