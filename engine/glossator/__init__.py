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
    from glossator.pipeline.loading import load
    from glossator.pipeline.pipeline import Pipeline
    from glossator.training.trainer import train

__all__ = [
    "Command",
    "Format",
    "GlossatorError",
    "Pipeline",
    "PipelineRecord",
    "Stage",
    "__version__",
    "hookimpl",
    "load",
    "train",
]

_LAZY = {
    "Pipeline": "glossator.pipeline.pipeline",
    "load": "glossator.pipeline.loading",
    "train": "glossator.training.trainer",
}


# Called for names that the module does not hold: PEP 562.
def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
