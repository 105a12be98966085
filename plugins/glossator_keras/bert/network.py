"""BERT in Keras: KerasHub's layers, a checkpoint's weights in them, and the heads on top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.errors import ConfigError, StageError
from glossator_keras.bert.checkpoint import BertConfig, Checkpoint
from glossator_keras.bert.pieces import CASES
from glossator_keras.network import NetworkConfig

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

CASE_WIDTH = 16

# Of a weight's name in Keras, and of that in the Hugging Face layout.
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
_TRANSFORMER = "transformer_layer_"


@dataclass(frozen=True, slots=True)
class Body:
    """The beginning of a network.

    Attributes:
        inputs: Its inputs, by name: "token_ids" and "padding_mask", both (batch, time) int32.
        layers: (batch, time, hidden_size) each: the embeddings, and the hidden states of every layer.
        mask: (batch, time) booleans: whether there is a piece.
    """

    inputs: dict[str, keras.KerasTensor]
    layers: list[keras.KerasTensor]
    mask: keras.KerasTensor

    @property
    def hidden(self) -> keras.KerasTensor:
        """The last hidden states."""
        return self.layers[-1]


def build_body(config: BertConfig) -> Body:
    """Return BERT with fresh weights."""
    import keras
    from keras_hub.models import BertBackbone

    from glossator_keras.bert.layer import TransformerLayer

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
            name=f"{_TRANSFORMER}{number}",
        )
        layers.append(layer(layers[-1], padding_mask=padding_mask))
    return Body({"token_ids": token_ids, "padding_mask": padding_mask}, layers, padding_mask > 0)


def build_embedder(config: BertConfig, *, mean: bool) -> keras.Model:
    """Return the network that gives each piece a state, (batch, time, hidden_size).

    Args:
        config: What BERT computes.
        mean: Whether that is the mean of its embedding and all its hidden states, and not the last.
    """
    import keras

    body = build_body(config)
    return keras.Model(body.inputs, keras.layers.Average()(body.layers) if mean else body.hidden)


def build_tagger(config: NetworkConfig) -> keras.Model:
    """Return a network that says something of words by their first pieces (Devlin et al. 2019, section 5.3).

    Beside the body's its inputs are "words", (batch, words) int32 places of first pieces among all places of
    the batch, laid end to end; where `settings` has "cases", "cases", (batch, words) int32; and with given
    vectors "vectors", (batch, words, vector_width).
    """
    import keras

    from glossator_keras.crf import CRF

    settings = config.settings
    bert = BertConfig.of(settings["bert"])
    body = build_body(bert)
    inputs = {**body.inputs, "words": keras.Input((None,), dtype="int32", name="words")}
    # One gather among all places is what ONNX Runtime does fast.
    places = keras.ops.reshape(body.hidden, (-1, bert.hidden_size))
    seen = [keras.ops.take(places, inputs["words"], axis=0)]
    if settings["cases"]:
        inputs["cases"] = keras.Input((None,), dtype="int32", name="cases")
        seen.append(keras.layers.Embedding(CASES, CASE_WIDTH, name="case_embedding")(inputs["cases"]))
    if config.vector_width:
        inputs["vectors"] = keras.Input((None, config.vector_width), name="vectors")
        seen.append(inputs["vectors"])
    hidden = seen[0]
    if len(seen) > 1:
        hidden = keras.layers.Dropout(settings["dropout"])(keras.layers.Concatenate()(seen))
        # What a capital means depends on the word.
        hidden = keras.layers.Dense(bert.hidden_size, activation="gelu", name="mix")(hidden)
    hidden = keras.layers.Dropout(settings["dropout"])(hidden)
    logits = keras.layers.Dense(config.outputs, name="logits")(hidden)
    if settings["decoder"] == "crf":
        logits = CRF.over(config.scheme)(logits)
    return _frozen(keras.Model(inputs, logits), bert, settings["freeze"])


def build_classifier(config: NetworkConfig) -> keras.Model:
    """Return a network that says something of a sequence by its pieces' mean, or by [CLS]."""
    import keras

    from glossator_keras.models.pooling import mean_over_words

    settings = config.settings
    bert = BertConfig.of(settings["bert"])
    body = build_body(bert)
    mean = settings["pooling"] == "mean"
    pooled = mean_over_words(body.hidden, body.mask) if mean else body.hidden[:, 0]
    pooled = keras.layers.Dropout(settings["dropout"])(pooled)
    logits = keras.layers.Dense(config.outputs, name="logits")(pooled)
    return _frozen(keras.Model(body.inputs, logits), bert, settings["freeze"])


def load_weights(network: keras.Model, checkpoint: Checkpoint) -> None:
    """Put a checkpoint's weights into a network that begins with `build_body`.

    Raises:
        ConfigError: The checkpoint lacks one, or it has another shape than its config says.
    """
    arrays = checkpoint.weights()
    for variable in body_variables(network):
        name = _name_of(variable.path)
        if name not in arrays:
            raise ConfigError(f"{checkpoint.folder}: its weights have no {name!r}: is it a BERT?")
        array = arrays[name]
        if array.size != np.prod(variable.shape):
            raise ConfigError(
                f"{checkpoint.folder}: {name!r} is of shape {array.shape}, which its config.json does not say"
            )
        # A dense layer's matrix is stored from outputs to inputs; Keras parts the columns among heads.
        array = array.T if variable.path.endswith("/kernel") else array
        variable.assign(array.reshape(variable.shape))


def body_variables(network: keras.Model) -> list[Any]:
    """Return the variables of a network that are BERT's and not the head's."""
    return [variable for variable in network.variables if _name_of(variable.path)]


def trial_inputs(config: BertConfig) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
    """Return inputs for comparing two runtimes: random sequences of several lengths, and where they are."""
    generator = np.random.default_rng(0)
    lengths = np.minimum([2, 9, 14, 5], config.max_position_embeddings)
    shown = np.arange(lengths.max()) < lengths[:, None]
    ids = generator.integers(config.vocab_size, size=shown.shape, dtype=np.int32)
    return {"token_ids": ids, "padding_mask": shown.astype(np.int32)}, shown


def tagger_trial_inputs(config: NetworkConfig) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
    """Return the same for a network of `build_tagger`: words at random places, all of them used."""
    inputs, shown = trial_inputs(BertConfig.of(config.settings["bert"]))
    generator = np.random.default_rng(1)
    used = np.flatnonzero(shown)
    size = (len(shown), 3)
    inputs["words"] = generator.choice(used, size=size).astype(np.int32)
    if config.settings["cases"]:
        inputs["cases"] = generator.integers(CASES, size=size, dtype=np.int32)
    if config.vector_width:
        inputs["vectors"] = generator.normal(size=(*size, config.vector_width)).astype(np.float32)
    return inputs, np.ones(size, dtype=bool)


def classifier_trial_inputs(config: NetworkConfig) -> tuple[dict[str, NDArray[Any]], None]:
    """Return the same for a network of `build_classifier`."""
    return trial_inputs(BertConfig.of(config.settings["bert"]))[0], None


def check_keras_hub() -> None:
    """Raise `StageError` unless KerasHub can be imported; silently, for it is loud."""
    from glossator_keras.backend import load_keras, quietly

    load_keras()
    try:
        with quietly():
            import keras_hub  # noqa: F401
    except ImportError as error:
        raise StageError(f"this needs KerasHub ({error}): pip install 'glossator[train]'") from error


def _activation(config: BertConfig) -> Any:
    import keras

    approximate = config.approximate_gelu
    if approximate is None:
        return keras.activations.get(config.hidden_act)
    return _gelu_by_tanh if approximate else keras.activations.gelu


def _gelu_by_tanh(x: Any) -> Any:
    import keras

    return keras.activations.gelu(x, approximate=True)


def _frozen(network: keras.Model, config: BertConfig, layers: int) -> keras.Model:
    """Keep the embeddings and the first `layers` layers from learning; with 0 all learns."""
    if layers > config.num_hidden_layers:
        raise ConfigError(f"freeze = {layers}: the model has {config.num_hidden_layers} layers")
    kept = {f"{_TRANSFORMER}{number}" for number in range(layers)}
    kept |= {path.partition("/")[0] for path in _EMBEDDINGS}
    for layer in network.layers:
        layer.trainable = not (layers and layer.name in kept)
    return network


def _name_of(path: str) -> str:
    """Return the name in the Hugging Face layout of the weight at a path in Keras; "" for a head's."""
    if path in _EMBEDDINGS:
        return _EMBEDDINGS[path]
    layer, _, part = path.partition("/")
    number = layer.removeprefix(_TRANSFORMER)
    part, _, kind = part.rpartition("/")
    if number == layer or part not in _LAYER:
        return ""
    return f"encoder.layer.{number}.{_LAYER[part]}.{_KIND[kind]}"
