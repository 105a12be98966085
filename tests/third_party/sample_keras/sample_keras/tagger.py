"""A tagger that looks two words to either side: a function for its network, and a factory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glossator_keras.network import NetworkConfig, embed_words
from glossator_keras.tagger import KerasTagger

if TYPE_CHECKING:
    import keras


def build_network(config: NetworkConfig) -> keras.Model:
    import keras

    width = config.settings["width"]
    words = embed_words(config, width=width)
    mask = keras.ops.cast(words.mask, "float32")[:, :, None]
    hidden = words.output
    for _ in range(2):
        hidden = keras.layers.Conv1D(width, 3, padding="same", activation="gelu")(hidden) * mask
    return keras.Model(words.inputs, keras.layers.Dense(config.outputs)(hidden))


def make_tagger(write: str = "ents", *, width: int = 32, learn_rate: float = 0.01) -> KerasTagger:
    return KerasTagger(build_network, write=write, settings={"width": width}, learn_rate=learn_rate)
