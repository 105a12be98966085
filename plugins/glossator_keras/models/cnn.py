"""The `cnn` classifier: convolutions of several widths over the words of a document, the strongest kept.

Kim 2014, "Convolutional neural networks for sentence classification", over hashed features of words.
Beside what the convolutions find stands the bag of all words: where words by themselves tell, few texts are
enough to learn it (Cheng et al. 2016, "Wide and deep learning").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glossator_keras.classifier import ClassWeights, KerasClassifier
from glossator_keras.inference.runtime import Runtime
from glossator_keras.network import NetworkConfig, embed_words
from glossator_keras.settings import check_rate, check_share, check_widths

if TYPE_CHECKING:
    import keras


def make_classifier(
    exclusive: bool = True,
    *,
    widths: Sequence[int] = (1, 2, 3),
    filters: int = 128,
    bag: bool = True,
    hidden_widths: Sequence[int] = (),
    embedding_width: int = 100,
    dropout: float = 0.5,
    class_weights: ClassWeights = None,
    label_smoothing: float = 0.0,
    word_dropout: float = 0.4,
    learn_rate: float = 0.002,
    runtime: Runtime = "onnx",
) -> KerasClassifier:
    """Return an untrained `cnn` classifier.

    Args:
        exclusive: Whether a document has exactly one label (softmax); otherwise any number (sigmoid).
        widths: Words that the convolutions see at a time, one convolution each.
        filters: Of each convolution.
        bag: Whether the words are also summed, whatever their order, beside what the convolutions find.
        hidden_widths: Of dense layers between the convolutions and the output.
        embedding_width: Of the words' embeddings.
        dropout: Before each dense layer, in training.
        class_weights: As in `KerasClassifier`.
        label_smoothing: As in `KerasClassifier`.
        word_dropout: Share of words that are left out wholly, in training.
        learn_rate: Adam's.
        runtime: What annotates.

    Raises:
        ConfigError: For a setting out of range.
    """
    check_widths("cnn", "widths", widths)
    check_widths("cnn", "filters", [filters])
    check_widths("cnn", "hidden_widths", hidden_widths, least=0)
    check_widths("cnn", "embedding_width", [embedding_width])
    check_share("cnn", "dropout", dropout)
    check_share("cnn", "word_dropout", word_dropout)
    check_rate("cnn", "learn_rate", learn_rate)
    return KerasClassifier(
        build_network,
        exclusive=exclusive,
        settings={
            "widths": list(widths),
            "filters": filters,
            "bag": bag,
            "hidden_widths": list(hidden_widths),
            "embedding_width": embedding_width,
            "dropout": dropout,
            "word_dropout": word_dropout,
        },
        class_weights=class_weights,
        label_smoothing=label_smoothing,
        learn_rate=learn_rate,
        runtime=runtime,
    )


def build_network(config: NetworkConfig) -> keras.Model:
    """Return the network, with fresh weights."""
    import keras

    from glossator_keras.models import pooling

    settings = config.settings
    words = embed_words(config, width=settings["embedding_width"], word_dropout=settings["word_dropout"])
    strongest = []
    for width in settings["widths"]:
        found = keras.layers.Conv1D(settings["filters"], width, padding="same", activation="relu")(
            words.output
        )
        strongest.append(pooling.max_over_words(found, words.mask, lowest=0.0))
    if settings["bag"]:
        strongest.append(pooling.bag_of_words(words.output, words.mask))
    hidden = keras.layers.Concatenate()(strongest) if len(strongest) > 1 else strongest[0]
    for width in settings["hidden_widths"]:
        hidden = keras.layers.Dropout(settings["dropout"])(hidden)
        hidden = keras.layers.Dense(width, activation="relu")(hidden)
    hidden = keras.layers.Dropout(settings["dropout"])(hidden)
    return keras.Model(words.inputs, keras.layers.Dense(config.outputs, name="logits")(hidden))
