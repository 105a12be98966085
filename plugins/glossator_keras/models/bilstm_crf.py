"""The `bilstm-crf` tagger: recurrent layers in both directions, with a CRF on top.

Huang, Xu and Yu 2015, "Bidirectional LSTM-CRF models for sequence tagging", and Lample et al. 2016,
"Neural architectures for named entity recognition", over hashed features instead of characters. Beside the
layers stands a linear model of sparse features (Cheng et al. 2016, "Wide and deep learning"): it memorizes
single words and pairs of words, for which a layer of a hundred units has no room.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from glossator_keras.encoding.hashed_words import HashedWords
from glossator_keras.inference.runtime import Runtime
from glossator_keras.network import NetworkConfig, NetworkSettings, add_logits, embed_words
from glossator_keras.settings import SettingsCheck, StageFactory
from glossator_keras.tagger import KerasTagger, Scheme

if TYPE_CHECKING:
    import keras

Cell = Literal["lstm", "gru"]
Decoder = Literal["crf", "softmax"]


@dataclass(frozen=True, kw_only=True)
class BiLSTMCRFSettings:
    """The settings of the `bilstm-crf` tagger.

    Attributes:
        write: The layer to predict.
        cell: The recurrent unit.
        width: Columns of the words' embeddings and of each direction of each recurrent layer.
        depth: The number of recurrent layers.
        dropout: Share dropped before and after each recurrent layer, in training.
        decoder: "crf", or "softmax": each word by itself, but for the scheme's constraints.
        scheme: The labels that spans are spelt in.
        word_dropout: Share of words hidden in training, so that the network also learns from the other
            features of a word.
        wide: Whether a sparse CRF, fitted beforehand, is part of the network: its emissions are added to
            those of the layers.
        learn_rate: Adam's learning rate.
        runtime: The runtime that annotates.

    Raises:
        ConfigError: For a setting out of range.

    Example:
        A narrow tagger of parts of speech, without a CRF:

            tagger = make_tagger("pos", width=32, decoder="softmax")
    """

    write: str = field(default="ents", kw_only=False)
    cell: Cell = "lstm"
    width: int = 100
    depth: int = 1
    dropout: float = 0.5
    decoder: Decoder = "crf"
    scheme: Scheme = "bioes"
    word_dropout: float = 0.1
    wide: bool = True
    learn_rate: float = 0.002
    runtime: Runtime = "onnx"

    def __post_init__(self) -> None:
        check = SettingsCheck("bilstm-crf", self)
        check.choice("cell", Cell)
        check.choice("decoder", Decoder)
        check.choice("scheme", Scheme)
        check.choice("runtime", Runtime)
        check.width("width")
        check.width("depth")
        check.share("dropout")
        check.share("word_dropout")
        check.rate("learn_rate")

    @property
    def of_network(self) -> NetworkSettings:
        """The settings that the network is built from, and saved with."""
        return {
            "cell": self.cell,
            "width": self.width,
            "depth": self.depth,
            "dropout": self.dropout,
            "decoder": self.decoder,
        }


def _build_stage(settings: BiLSTMCRFSettings) -> KerasTagger:
    return KerasTagger(
        build_network,
        HashedWords(settings.word_dropout),
        write=settings.write,
        scheme=settings.scheme,
        settings=settings.of_network,
        wide=settings.wide,
        learn_rate=settings.learn_rate,
        runtime=settings.runtime,
    )


make_tagger = StageFactory(BiLSTMCRFSettings, _build_stage)


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

    inputs, logits = add_logits(config, words.inputs, hidden)
    if settings["decoder"] == "crf":
        logits = CRF.over(config.scheme)(logits)
    return keras.Model(inputs, logits)
