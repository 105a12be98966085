"""The typed records of a config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from glossator.annotations.layer import Layer

HeadKind = Literal["tagger", "classifier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageConfig:
    """A tokenizer or embedder.

    Example:
        StageConfig(stage="spacy", settings={"sentences": "lines"})

    Attributes:
        stage: The stage, "name" or "plugin/name".
        settings: Keyword arguments of the stage's factory.
    """

    stage: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig:
    """A head: a tagger or classifier of a pipeline.

    Example:
        HeadConfig(name="ner", kind="tagger", stage="bilstm-crf", layer="ents", settings={"width": 128})

    Attributes:
        name: Its name in the pipeline.
        kind: "tagger" or "classifier".
        stage: The stage, "name" or "plugin/name".
        layer: The layer it writes; `cats` for classifiers.
        prefix: Put before each label in `doc.cats`, so that labels of two classifiers do not collide.
        vectors: Names of the embedders whose vectors it receives, concatenated in this order.
        tune: Whether it trains its own copy of those embedders' tables.
        settings: Keyword arguments of the stage's factory.
    """

    name: str
    kind: HeadKind
    stage: str
    layer: Layer
    prefix: str = ""
    vectors: tuple[str, ...] = ()
    tune: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Where a head's labelled data is: a corpus of the manifest, or files of your own.

    Example:
        DataConfig(corpus="samples")
        DataConfig(train="people.train.conll", dev="people.dev.conll", encoding="latin-1")

    Attributes:
        corpus: A corpus of the manifest; then no files are named.
        train, dev, test: One file per split, relative to the config's folder. Without `dev`, training sets a
            tenth of the training set aside, or uses cross-validation if that is too little.
        format: The files' format; "" to infer it from their suffixes.
        encoding: The files' encoding.
        options: Keyword arguments of the format's factory.
    """

    corpus: str = ""
    train: str = ""
    dev: str = ""
    test: str = ""
    format: str = ""
    encoding: str = "utf-8"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """Settings of the training loop.

    Example:
        TrainingConfig(max_epochs=50, patience=10)

    Attributes:
        max_epochs: The maximum number of epochs: of passes through the training data, or of as many passes as
            make 20 batches if the data is small.
        patience: Stop after this many epochs in a row whose dev score is below the best.
        batch_words: The maximum number of words per batch (a longer document is a batch of its own). Small
            data gets smaller batches, down to 200 words, so that a pass has 20 batches if it can.
    """

    max_epochs: int = 30
    patience: int = 5
    batch_words: int = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """A whole pipeline, as a config file describes it.

    Example:
        ner = HeadConfig(name="ner", kind="tagger", stage="crf", layer="ents")
        PipelineConfig(lang="en", heads=(ner,), data={"ner": DataConfig(corpus="samples")})

    Attributes:
        lang: A spaCy language code; "xx" for any language.
        name, version, licence: Written into the metadata of the saved pipeline.
        seed: The seed of all random numbers in training.
        tokenizer: The tokenizer.
        embedders: The embedders by name.
        heads: The taggers and classifiers, in the order in which they annotate.
        data: The labelled data by head.
        training: Settings of the training loop.
        tensor: The embedder whose vectors become `doc.tensor`; "" for none.
        folder: What relative paths in the config count from.
    """

    lang: str
    name: str = "pipeline"
    version: str = "0.0.0"
    licence: str = ""
    seed: int = 0
    tokenizer: StageConfig = field(default_factory=lambda: StageConfig(stage="spacy"))
    embedders: Mapping[str, StageConfig] = field(default_factory=dict)
    heads: tuple[HeadConfig, ...] = ()
    data: Mapping[str, DataConfig] = field(default_factory=dict)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    tensor: str = ""
    folder: Path = Path()
