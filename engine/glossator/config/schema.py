"""The typed records that a config is read into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from glossator.annotations.layer import Layer

HeadKind = Literal["tagger", "classifier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageConfig:
    """A tokenizer or embedder: which stage, and the settings its factory gets."""

    stage: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig:
    """A tagger or classifier.

    Attributes:
        name: Its name in the pipeline.
        kind: "tagger" or "classifier".
        stage: The stage, "name" or "plugin/name".
        layer: What it writes; `cats` for classifiers.
        prefix: Put before each label in `doc.cats`, so that labels of two classifiers do not collide.
        vectors: Names of the embedders it gets, concatenated in this order.
        tune: Whether it trains its own copy of those embedders' tables.
        settings: What its factory gets as keyword arguments.
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
    """Where a head's labelled data is: a corpus of the manifest, or files of one's own."""

    corpus: str = ""
    train: str = ""
    dev: str = ""
    test: str = ""
    format: str = ""
    encoding: str = "utf-8"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """The training loop.

    Attributes:
        max_epochs: Passes over the training data at most.
        patience: Stop after this many epochs that fell short of the best dev score.
        batch_words: Words in a batch, at most (a longer document makes a batch of its own); down to 200 where
            an epoch would have fewer than 20 batches.
    """

    max_epochs: int = 30
    patience: int = 5
    batch_words: int = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """A whole pipeline, as a config file describes it.

    `tensor` names the embedder whose vectors go into `doc.tensor`; "" where none do.
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
