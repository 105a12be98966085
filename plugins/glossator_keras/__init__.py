"""Keras stages for Glossator: trained in Keras 3 on TensorFlow, annotating on ONNX Runtime.

What they share is public, so that a network of one's own costs one function; see `tagger`:

* `tagger`, `classifier`: stages composed of a function `build_network(config) -> keras.Model` and an encoder
* `network`: the config of a network, and the layers with which networks over hashed words begin
* `crf`: a linear-chain CRF, usable in any Keras model
* `encoding`: the protocols of encoders, and the default, words as rows of hashed tables
* `settings`: the settings of a stage as a dataclass

The stages themselves are in `models` and `bert`; below them lie `keras_stage`, `stage_network`, `training`,
`inference` and `onnx_export`. Imports point one way: stages, `tagger` and `classifier`, `keras_stage`,
`stage_network`, and then the others.

Nothing here imports Keras or TensorFlow until a network is built: annotating needs neither.
"""

from __future__ import annotations

from collections.abc import Iterable

import glossator


@glossator.hookimpl
def glossator_taggers() -> Iterable[glossator.Stage]:
    """Declare the taggers."""
    yield glossator.Stage(
        name="bilstm-crf",
        factory="glossator_keras.models.bilstm_crf:make_tagger",
        summary="bidirectional LSTM or GRU over hashed word attributes, with a CRF or a softmax on top",
    )
    yield glossator.Stage(
        name="bert",
        factory="glossator_keras.bert.tagger:make_tagger",
        summary="a fine-tuned BERT, with a CRF or a softmax over the first piece of each word",
    )


@glossator.hookimpl
def glossator_classifiers() -> Iterable[glossator.Stage]:
    """Declare the classifiers."""
    yield glossator.Stage(
        name="lstm",
        factory="glossator_keras.models.lstm:make_classifier",
        summary="LSTM or GRU layers over hashed word attributes, pooled, with a softmax or sigmoids on top",
    )
    yield glossator.Stage(
        name="cnn",
        factory="glossator_keras.models.cnn:make_classifier",
        summary="convolutions of several widths over hashed word attributes, max-pooled",
    )
    yield glossator.Stage(
        name="bert",
        factory="glossator_keras.bert.classifier:make_classifier",
        summary="a fine-tuned BERT, with a softmax or sigmoids over the mean of its pieces or [CLS]",
    )


@glossator.hookimpl
def glossator_embedders() -> Iterable[glossator.Stage]:
    """Declare the embedders."""
    yield glossator.Stage(
        name="bert",
        factory="glossator_keras.bert.embedder:BertEmbedder",
        summary="words in their context: the last hidden states of a BERT that does not change",
    )
