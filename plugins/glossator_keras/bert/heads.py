"""What stands on BERT: the networks of the embedder, the tagger and the classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glossator.errors import ConfigError
from glossator_keras.bert.backbone import build_backbone, freeze_layers
from glossator_keras.bert.checkpoint import BertConfig
from glossator_keras.bert.tokenizer import CASES

if TYPE_CHECKING:
    import keras

    from glossator_keras.network import NetworkConfig

CASE_WIDTH = 16


def build_embedder(config: BertConfig, *, mean: bool) -> keras.Model:
    """Return the network that gives each piece a state, (batch, time, hidden_size).

    Args:
        config: What BERT computes.
        mean: Whether that is the mean of its embedding and all its hidden states, and not the last.
    """
    import keras

    backbone = build_backbone(config)
    output = keras.layers.Average()(backbone.layers) if mean else backbone.hidden
    return keras.Model(backbone.inputs, output)


def build_tagger(config: NetworkConfig) -> keras.Model:
    """Return a network that labels words by their first pieces (Devlin et al. 2019, section 5.3).

    Beside the backbone's its inputs are "words", (batch, words) int32 positions of first pieces among all
    positions of the batch, laid end to end; where `settings` has "cases", "cases", (batch, words) int32; and
    with vectors "vectors", (batch, words, vector_width).
    """
    import keras

    from glossator_keras.crf import CRF

    settings = config.settings
    bert = BertConfig.of(settings["bert"])
    backbone = build_backbone(bert)
    inputs = {**backbone.inputs, "words": keras.Input((None,), dtype="int32", name="words")}
    # A single gather among all positions is what ONNX Runtime does fast.
    states = keras.ops.reshape(backbone.hidden, (-1, bert.hidden_size))
    parts = [keras.ops.take(states, inputs["words"], axis=0)]
    if settings["cases"]:
        inputs["cases"] = keras.Input((None,), dtype="int32", name="cases")
        parts.append(keras.layers.Embedding(CASES, CASE_WIDTH, name="case_embedding")(inputs["cases"]))
    if config.vector_width:
        inputs["vectors"] = keras.Input((None, config.vector_width), name="vectors")
        parts.append(inputs["vectors"])

    hidden = parts[0]
    if len(parts) > 1:
        hidden = keras.layers.Dropout(settings["dropout"])(keras.layers.Concatenate()(parts))
        # What a capital means depends on the word.
        hidden = keras.layers.Dense(bert.hidden_size, activation="gelu", name="mix")(hidden)
    hidden = keras.layers.Dropout(settings["dropout"])(hidden)
    logits = keras.layers.Dense(config.outputs, name="logits")(hidden)
    if settings["decoder"] == "crf":
        logits = CRF.over(config.scheme)(logits)
    return freeze_layers(keras.Model(inputs, logits), bert, settings["freeze"])


def build_classifier(config: NetworkConfig) -> keras.Model:
    """Return a network that labels a sequence by the mean of its pieces, or by [CLS].

    Raises:
        ConfigError: The config has vectors, which the network does not use.
    """
    if config.vector_width:
        raise ConfigError("a bert classifier takes no vectors: leave `vectors` out")
    import keras

    from glossator_keras.models.pooling import mean_over_words

    settings = config.settings
    bert = BertConfig.of(settings["bert"])
    backbone = build_backbone(bert)
    mean = settings["pooling"] == "mean"
    pooled = mean_over_words(backbone.hidden, backbone.mask) if mean else backbone.hidden[:, 0]
    pooled = keras.layers.Dropout(settings["dropout"])(pooled)
    logits = keras.layers.Dense(config.outputs, name="logits")(pooled)
    return freeze_layers(keras.Model(backbone.inputs, logits), bert, settings["freeze"])
