"""Glossator: a plugin-based NLP annotation engine.

`import glossator` is light: it loads neither spaCy nor a machine-learning framework. What needs
them is imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from glossator.about import __version__
from glossator.errors import GlossatorError
from glossator.hookspecs import Command, Format, PipelineRecord, Stage, hookimpl

if TYPE_CHECKING:
    from glossator.config.schema import DataConfig
    from glossator.config.text import read_config
    from glossator.evaluation.evaluate_pipeline import evaluate
    from glossator.jobs.annotate_files import annotate_files
    from glossator.jobs.convert_files import convert
    from glossator.pipeline.loading import load
    from glossator.pipeline.pipeline import Pipeline
    from glossator.training.cross_validation import cross_validate
    from glossator.training.distillation import distil
    from glossator.training.trainer import train

__all__ = [
    "Command",
    "DataConfig",
    "Format",
    "GlossatorError",
    "Pipeline",
    "PipelineRecord",
    "Stage",
    "__version__",
    "annotate_files",
    "convert",
    "cross_validate",
    "distil",
    "evaluate",
    "hookimpl",
    "load",
    "read_config",
    "train",
]

_LAZY = {
    "DataConfig": "glossator.config.schema",
    "Pipeline": "glossator.pipeline.pipeline",
    "annotate_files": "glossator.jobs.annotate_files",
    "convert": "glossator.jobs.convert_files",
    "cross_validate": "glossator.training.cross_validation",
    "distil": "glossator.training.distillation",
    "evaluate": "glossator.evaluation.evaluate_pipeline",
    "load": "glossator.pipeline.loading",
    "read_config": "glossator.config.text",
    "train": "glossator.training.trainer",
}


# Called for names that the module does not hold: PEP 562.
def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
