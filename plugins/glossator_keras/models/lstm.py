"""The `lstm` classifier: recurrent layers over the words of a document, pooled.

Hochreiter and Schmidhuber 1997, "Long short-term memory"; Cho et al. 2014 for the GRU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from glossator_keras.classifier import ClassWeights, KerasClassifier
from glossator_keras.inference.runtime import Runtime
from glossator_keras.network import NetworkConfig, embed_words
from glossator_keras.settings import check_choice, check_rate, check_share, check_widths

if TYPE_CHECKING:
    import keras

Cell = Literal["lstm", "gru"]
Pooling = Literal["last", "max", "mean", "attention"]


def make_classifier(
    exclusive: bool = True,
    *,
    cell: Cell = "lstm",
    widths: Sequence[int] = (100,),
    bidirectional: bool = True,
    pooling: Pooling = "max",
    embedding_width: int = 100,
    dropout: float = 0.5,
    class_weights: ClassWeights = None,
    label_smoothing: float = 0.0,
    word_dropout: float = 0.3,
    learn_rate: float = 0.002,
    runtime: Runtime = "onnx",
) -> KerasClassifier:
    """Return an untrained `lstm` classifier.

    Args:
        exclusive: Whether a document has exactly one label (softmax); otherwise any number (sigmoid).
        cell: The recurrent unit.
        widths: Of each direction of each recurrent layer, the first one first.
        bidirectional: Whether the layers read both ways.
        pooling: What becomes of the states of a document's words: the "last" one of each direction, their
            "max" or "mean", or a mean weighted by "attention".
        embedding_width: Of the words' embeddings.
        dropout: Between and after the recurrent layers, in training.
        class_weights: As in `KerasClassifier`.
        label_smoothing: As in `KerasClassifier`.
        word_dropout: Share of words that are left out wholly, in training.
        learn_rate: Adam's.
        runtime: What annotates.

    Raises:
        ConfigError: For a setting out of range.
    """
    check_choice("lstm", "cell", cell, get_args(Cell))
    check_choice("lstm", "pooling", pooling, get_args(Pooling))
    check_widths("lstm", "widths", widths)
    check_widths("lstm", "embedding_width", [embedding_width])
    check_share("lstm", "dropout", dropout)
    check_share("lstm", "word_dropout", word_dropout)
    check_rate("lstm", "learn_rate", learn_rate)
    return KerasClassifier(
        build_network,
        exclusive=exclusive,
        settings={
            "cell": cell,
            "widths": list(widths),
            "bidirectional": bidirectional,
            "pooling": pooling,
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
    return keras.Model(words.inputs, keras.layers.Dense(config.outputs, name="logits")(hidden))


def _recurrent(settings: Mapping[str, Any], width: int, *, sequences: bool) -> keras.Layer:
    import keras

    cell = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[settings["cell"]]
    layer = cell(width, return_sequences=sequences)
    return keras.layers.Bidirectional(layer) if settings["bidirectional"] else layer
