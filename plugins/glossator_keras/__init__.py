"""Keras stages for Glossator: trained in Keras 3 on TensorFlow, annotating on ONNX Runtime.

What they share is public, so that a network of one's own costs one function; see `tagger`:

* `features`: words as rows of hashed tables
* `network`: what a network is built from, and its inputs
* `crf`: a linear-chain CRF, usable in any Keras model
* `tagger`, `classifier`: stages made of a function `build_network(config) -> keras.Model`
* `bert`: a BERT as embedder, tagger and classifier
* `learning`, `export`, `runtime`, `decode`, `windows`: what those are made of

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
