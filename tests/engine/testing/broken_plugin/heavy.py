"""A plugin that imports its framework where it declares its stages."""

import spacy  # noqa: F401

import glossator


@glossator.hookimpl
def glossator_embedders():
    yield glossator.Stage(name="heavy", factory="broken_plugin.embedders:Lengths")
