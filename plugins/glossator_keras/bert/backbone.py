"""BERT in Keras: KerasHub's layers, with a checkpoint's weights in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glossator.errors import ConfigError, StageError
from glossator_keras.backend import load_keras, quietly
from glossator_keras.bert.checkpoint import BertConfig, Checkpoint

if TYPE_CHECKING:
    import keras

    from glossator_keras.arrays import Tensor

# From names of weights in Keras to names in the Hugging Face layout.
_EMBEDDINGS = {
    "token_embedding/embeddings": "embeddings.word_embeddings.weight",
    "position_embedding/embeddings": "embeddings.position_embeddings.weight",
    "segment_embedding/embeddings": "embeddings.token_type_embeddings.weight",
    "embeddings_layer_norm/gamma": "embeddings.LayerNorm.weight",
    "embeddings_layer_norm/beta": "embeddings.LayerNorm.bias",
}
_LAYER = {
    "self_attention_layer/query": "attention.self.query",
    "self_attention_layer/key": "attention.self.key",
    "self_attention_layer/value": "attention.self.value",
    "self_attention_layer/attention_output": "attention.output.dense",
    "self_attention_layer_norm": "attention.output.LayerNorm",
    "feedforward_intermediate_dense": "intermediate.dense",
    "feedforward_output_dense": "output.dense",
    "feedforward_layer_norm": "output.LayerNorm",
}
_KIND = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}
_LAYER_NAME = "transformer_layer_"


@dataclass(frozen=True, slots=True)
class Backbone:
    """BERT without a head: the beginning of a network.

    Attributes:
        inputs: Its inputs, by name: "token_ids" and "padding_mask", both (batch, time) int32.
        layers: Arrays of (batch, time, hidden_size): the embeddings, and the hidden states of every layer.
        mask: (batch, time) booleans: whether there is a piece.

    Example:
        A classifier over [CLS]:

            backbone = build_backbone(checkpoint.config)
            logits = keras.layers.Dense(2)(backbone.hidden[:, 0])
            network = keras.Model(backbone.inputs, logits)
            load_weights(network, checkpoint)
    """

    inputs: dict[str, keras.KerasTensor]
    layers: list[keras.KerasTensor]
    mask: keras.KerasTensor

    @property
    def hidden(self) -> keras.KerasTensor:
        """The last hidden states."""
        return self.layers[-1]


def build_backbone(config: BertConfig) -> Backbone:
    """Return BERT with fresh weights.

    Raises:
        StageError: KerasHub is not installed.
    """
    check_keras_hub()
    import keras
    from keras_hub.models import BertBackbone

    from glossator_keras.bert.transformer_layer import TransformerLayer

    # BertBackbone has the GELU by tanh and an epsilon of its own in its layers, whatever a checkpoint was
    # trained with. So its embeddings are used, and the layers are built here.
    backbone = BertBackbone(
        vocabulary_size=config.vocab_size,
        num_layers=0,
        num_heads=config.num_attention_heads,
        hidden_dim=config.hidden_size,
        intermediate_dim=config.intermediate_size,
        dropout=config.hidden_dropout_prob,
        max_sequence_length=config.max_position_embeddings,
        num_segments=config.type_vocab_size,
    )
    norm = {**backbone.embeddings_layer_norm.get_config(), "epsilon": config.layer_norm_eps}

    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    padding_mask = keras.Input((None,), dtype="int32", name="padding_mask")
    words = backbone.token_embedding(token_ids)
    segments = backbone.segment_embedding(keras.ops.zeros_like(token_ids))
    hidden = backbone.embeddings_add([words, backbone.position_embedding(words), segments])
    hidden = keras.layers.LayerNormalization.from_config(norm)(hidden)
    layers = [backbone.embeddings_dropout(hidden)]

    for number in range(config.num_hidden_layers):
        layer = TransformerLayer(
            intermediate_dim=config.intermediate_size,
            num_heads=config.num_attention_heads,
            dropout=config.hidden_dropout_prob,
            activation=_activation(config),
            layer_norm_epsilon=config.layer_norm_eps,
            name=f"{_LAYER_NAME}{number}",
        )
        layers.append(layer(layers[-1], padding_mask=padding_mask))
    return Backbone({"token_ids": token_ids, "padding_mask": padding_mask}, layers, padding_mask > 0)


def load_weights(network: keras.Model, checkpoint: Checkpoint) -> None:
    """Put a checkpoint's weights into a network that begins with `build_backbone`.

    Raises:
        ConfigError: The checkpoint lacks a weight, or has one of another shape than its config gives.
    """
    arrays = checkpoint.weights()
    for variable in backbone_variables(network):
        name = _name_of(variable.path)
        if name not in arrays:
            raise ConfigError(f"{checkpoint.folder}: its weights have no {name!r}: is it a BERT?")
        array = arrays[name]
        if array.size != np.prod(variable.shape):
            raise ConfigError(
                f"{checkpoint.folder}: {name!r} has the shape {array.shape}, not that of its config.json"
            )
        # A dense layer's matrix is stored from outputs to inputs; Keras splits the columns among heads.
        array = array.T if variable.path.endswith("/kernel") else array
        variable.assign(array.reshape(variable.shape))


def backbone_variables(network: keras.Model) -> list[keras.Variable]:
    """Return the variables of a network that are BERT's and not the head's."""
    return [variable for variable in network.variables if _name_of(variable.path)]


def freeze_layers(network: keras.Model, config: BertConfig, layers: int) -> keras.Model:
    """Keep the embeddings and the first `layers` layers from learning; with 0 everything learns.

    Raises:
        ConfigError: The model has fewer layers.
    """
    if layers > config.num_hidden_layers:
        raise ConfigError(f"freeze = {layers}: the model has {config.num_hidden_layers} layers")
    frozen = {f"{_LAYER_NAME}{number}" for number in range(layers)}
    frozen |= {path.partition("/")[0] for path in _EMBEDDINGS}
    for layer in network.layers:
        layer.trainable = not (layers and layer.name in frozen)
    return network


def check_keras_hub() -> None:
    """Raise `StageError` unless KerasHub can be imported; its own output is suppressed."""
    load_keras()
    try:
        with quietly():
            import keras_hub  # noqa: F401
    except ImportError as error:
        raise StageError(f"this needs KerasHub ({error}): pip install 'glossator[train]'") from error


def _activation(config: BertConfig) -> Callable[[Tensor], Tensor]:
    import keras

    approximate = config.approximate_gelu
    if approximate is None:
        named: Callable[[Tensor], Tensor] = keras.activations.get(config.hidden_act)
        return named
    return _gelu_by_tanh if approximate else keras.activations.gelu


def _gelu_by_tanh(x: Tensor) -> Tensor:
    import keras

    return keras.activations.gelu(x, approximate=True)


def _name_of(path: str) -> str:
    """Return the name in the Hugging Face layout of the weight at a path in Keras; "" for a head's."""
    if path in _EMBEDDINGS:
        return _EMBEDDINGS[path]
    layer, _, part = path.partition("/")
    number = layer.removeprefix(_LAYER_NAME)
    part, _, kind = part.rpartition("/")
    if number == layer or part not in _LAYER:
        return ""
    return f"encoder.layer.{number}.{_LAYER[part]}.{_KIND[kind]}"
