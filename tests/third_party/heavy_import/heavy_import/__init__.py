"""A plugin that declares a tagger whose module needs what is not installed."""

import glossator


@glossator.hookimpl
def glossator_taggers():
    yield glossator.Stage(name="heavy", factory="heavy_import.network:Network")
