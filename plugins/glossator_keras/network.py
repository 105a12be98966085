"""What a network is built from, and the part with which networks over hashed words begin.

A network of one's own is a function `build_network(config) -> keras.Model` that begins with
`embed_words(config)` and ends in logits, (batch, time, config.outputs), or in a `crf.CRF` over them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from glossator.ml.span_scheme import SpanScheme
from glossator_keras.encoding.hashed_words import TABLE_ROWS

if TYPE_CHECKING:
    import keras

WIDE_INPUT = "wide"

NetworkSettings: TypeAlias = Mapping[str, Any]
"""Settings by name, of JSON's types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """What a network is built from.

    Attributes:
        outputs: Logits per word.
        vector_width: Columns of the words' vectors; 0 for none.
        scheme: For spans, the meaning of the outputs and which may follow each other; None for tags.
        table_rows: Rows of all tables of word features together.
        wide: Whether the logits of a linear model are an input of the network, as `add_logits` has it.
        wide: Whether a linear model's logits are an input of the network: see `add_logits`.
        settings: The settings of the stage, e.g. {"width": 128}.

    Example:
        A network for three tags:

            network = build_network(NetworkConfig(outputs=3, settings={"width": 64}))
    """

    outputs: int
    vector_width: int = 0
    scheme: SpanScheme | None = None
    table_rows: int = sum(TABLE_ROWS)
    wide: bool = False
    settings: NetworkSettings = field(default_factory=dict)


BuildNetwork: TypeAlias = "Callable[[NetworkConfig], keras.Model]"


@dataclass(frozen=True, slots=True)
class EmbeddedWords:
    """The beginning of a network.

    Attributes:
        inputs: The network's inputs, by name: "lexemes", (different words, tables) int32, "words",
            (batch, time) int32 rows of `lexemes`, and with vectors "vectors", (batch, time,
            vector_width).
        output: (batch, time, width), zeros where there is no word.
        mask: (batch, time) booleans: whether there is a word. Answers must not depend on what stands where
            there is none: between two convolutions, multiply by it.

    Example:
        A dense layer over words:

            words = embed_words(config, width=64)
            network = keras.Model(words.inputs, keras.layers.Dense(config.outputs)(words.output))
    """

    inputs: dict[str, keras.KerasTensor]
    output: keras.KerasTensor
    mask: keras.KerasTensor


def embed_words(
    config: NetworkConfig,
    *,
    width: int,
    feature_width: int = 32,
    dropout: float = 0.3,
    word_dropout: float = 0.0,
) -> EmbeddedWords:
    """Embed words by their hashed features, mixed by one hidden layer, plus a projection of their vectors.

    The mixing is done once for each different word of a batch.

    Args:
        config: What the network is built from.
        width: Columns of the embedded words.
        feature_width: Columns of each table of features.
        dropout: Share of the features and of the vectors that is dropped, in training.
        word_dropout: Share of words that are dropped as a whole, in training (Iyyer et al. 2015).
    """
    import keras

    tables = len(TABLE_ROWS)
    lexemes = keras.Input((tables,), dtype="int32", name="lexemes")
    words = keras.Input((None,), dtype="int32", name="words")
    features = keras.layers.Embedding(
        config.table_rows,
        feature_width,
        embeddings_initializer=keras.initializers.RandomUniform(-0.1, 0.1),
        name="features",
    )(lexemes)
    mixed = keras.layers.Reshape((tables * feature_width,))(features)
    mixed = keras.layers.Dropout(dropout)(mixed)
    mixed = keras.layers.Dense(width, activation="gelu", name="mix")(mixed)

    mask = keras.ops.not_equal(words, 0)
    # Zeros stand for no word, as beyond a batch's edge: a convolution is to see every sentence end alike.
    output = keras.ops.where(mask[:, :, None], keras.ops.take(mixed, words, axis=0), 0.0)
    inputs = {"lexemes": lexemes, "words": words}

    if config.vector_width:
        inputs["vectors"] = keras.Input((None, config.vector_width), name="vectors")
        # Added and not concatenated: the next layer stays as narrow, and so as fast, as without vectors.
        vectors = keras.layers.Dropout(dropout)(inputs["vectors"])
        output = output + keras.layers.Dense(width, use_bias=False, name="vectors_in")(vectors)
    if word_dropout:
        output = keras.layers.Dropout(word_dropout, noise_shape=(None, None, 1))(output)
    return EmbeddedWords(inputs=inputs, output=output, mask=mask)


def add_logits(
    config: NetworkConfig, inputs: dict[str, keras.KerasTensor], hidden: keras.KerasTensor
) -> tuple[dict[str, keras.KerasTensor], keras.KerasTensor]:
    """Return the inputs and the logits of a network that ends in a dense layer.

    With `config.wide` there is one more input "wide", the logits of a linear model, which are added to those
    of the dense layer. That layer then starts at 0, and so the network as the linear model.

    Args:
        config: What the network is built from.
        inputs: The inputs so far, by name.
        hidden: (batch, width), or (batch, time, width) for logits of words.
    """
    import keras

    start = "zeros" if config.wide else "glorot_uniform"
    logits = keras.layers.Dense(config.outputs, kernel_initializer=start, name="logits")(hidden)
    if not config.wide:
        return inputs, logits
    wide = keras.Input(logits.shape[1:], name=WIDE_INPUT)
    return {**inputs, WIDE_INPUT: wide}, logits + wide
