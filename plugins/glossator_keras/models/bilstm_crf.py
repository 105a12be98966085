"""The `bilstm-crf` tagger: recurrent layers in both directions, with a CRF on top.

Huang, Xu and Yu 2015, "Bidirectional LSTM-CRF models for sequence tagging", and Lample et al. 2016,
"Neural architectures for named entity recognition", over hashed features instead of characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from glossator_keras.inference.runtime import Runtime
from glossator_keras.network import NetworkConfig, embed_words
from glossator_keras.settings import check_choice, check_rate, check_share, check_widths
from glossator_keras.tagger import KerasTagger

if TYPE_CHECKING:
    import keras

Cell = Literal["lstm", "gru"]
Decoder = Literal["crf", "softmax"]


def make_tagger(
    write: str = "ents",
    *,
    cell: Cell = "lstm",
    width: int = 100,
    depth: int = 1,
    dropout: float = 0.5,
    decoder: Decoder = "crf",
    scheme: Literal["bio", "bioes"] = "bioes",
    word_dropout: float = 0.1,
    learn_rate: float = 0.002,
    runtime: Runtime = "onnx",
) -> KerasTagger:
    """Return an untrained `bilstm-crf` tagger.

    Args:
        write: The layer to predict.
        cell: The recurrent unit.
        width: Of the words' embeddings and of each direction of each recurrent layer.
        depth: Recurrent layers.
        dropout: Before and after each recurrent layer, in training.
        decoder: "crf", or "softmax": each word by itself, but for the scheme's constraints.
        scheme: How spans become labels of words.
        word_dropout: How often a word is hidden in training, so that its other features learn too.
        learn_rate: Adam's.
        runtime: What annotates.

    Raises:
        ConfigError: For a setting out of range.
    """
    check_choice("bilstm-crf", "cell", cell, get_args(Cell))
    check_choice("bilstm-crf", "decoder", decoder, get_args(Decoder))
    check_widths("bilstm-crf", "width", [width])
    check_widths("bilstm-crf", "depth", [depth])
    check_share("bilstm-crf", "dropout", dropout)
    check_share("bilstm-crf", "word_dropout", word_dropout)
    check_rate("bilstm-crf", "learn_rate", learn_rate)
    return KerasTagger(
        build_network,
        write=write,
        scheme=scheme,
        settings={"cell": cell, "width": width, "depth": depth, "dropout": dropout, "decoder": decoder},
        word_dropout=word_dropout,
        learn_rate=learn_rate,
        runtime=runtime,
    )


def build_network(config: NetworkConfig) -> keras.Model:
    """Return the network, with fresh weights."""
    import keras

    from glossator_keras.crf import CRF

    settings = config.settings
    recurrent = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[settings["cell"]]
    words = embed_words(config, width=settings["width"])
    hidden = keras.layers.Dropout(settings["dropout"])(words.output)
    for _ in range(settings["depth"]):
        layer = keras.layers.Bidirectional(recurrent(settings["width"], return_sequences=True))
        hidden = layer(hidden, mask=words.mask)
        hidden = keras.layers.Dropout(settings["dropout"])(hidden)
    logits = keras.layers.Dense(config.outputs, name="logits")(hidden)
    if settings["decoder"] == "crf":
        logits = CRF.over(config.scheme)(logits)
    return keras.Model(words.inputs, logits)
