"""A plugin with a hook that does not exist beside one that does."""

import glossator


@glossator.hookimpl
def glossator_tagers():
    yield glossator.Stage(name="unheard", factory="misspelt_hook:unheard")


@glossator.hookimpl
def glossator_classifiers():
    yield glossator.Stage(name="heard", factory=dict)
