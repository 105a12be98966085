"""Checks of how a stage is declared and composed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any

from glossator import builtin
from glossator.config.schema import PipelineConfig
from glossator.config.text import config_to_text, parse_config
from glossator.plugins.manager import GROUP
from glossator.testing.outcome import Failed, NotApplicable
from glossator.testing.processes import run_python
from glossator.testing.trial import Trial

HEAVY = ("tensorflow", "keras", "torch", "onnxruntime", "spacy", "thinc", "transformers")


def light_import(trial: Trial) -> None:
    """Importing the module with the plugin's hooks loads no framework: every command imports it."""
    stage = trial.subject.stage
    if not isinstance(stage, str):
        raise NotApplicable("the stage is a record: there is no plugin to import")
    module = _hook_module(trial.subject.plugins.find(trial.subject.kind, stage).plugin.name)
    code = f"import json, sys, {module}; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    loaded = json.loads(run_python("-c", code).splitlines()[-1])
    if loaded:
        raise Failed(f"importing {module} loads {', '.join(loaded)}: import them where the stage is defined")


def config_round_trip(trial: Trial) -> None:
    """Building the stage does not change its settings; the config can be written, read and built again."""
    subject = trial.subject
    config = subject.compose().config
    settings = _settings(config)
    changed = [name for name in settings if settings[name] != subject.settings[name]]
    if changed:
        raise Failed(f"its factory changes the setting {changed[0]!r} that it receives")
    read = parse_config(config_to_text(config), folder=config.folder)
    if read != config:
        raise Failed("its config differs after writing and reading it: use JSON's types for settings")
    replace(subject, settings={**subject.settings, **_settings(read)}).compose()


def _settings(config: PipelineConfig) -> Mapping[str, Any]:
    """Return the settings of the stage under test."""
    if config.heads:
        return config.heads[0].settings
    return next(iter(config.embedders.values()), config.tokenizer).settings


def _hook_module(plugin: str) -> str:
    if plugin == "builtin":
        return builtin.__name__
    return next(entry.module for entry in entry_points(group=GROUP, name=plugin))
