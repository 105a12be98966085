"""One of two plugins that each are called "rival"."""

import glossator


@glossator.hookimpl
def glossator_taggers():
    yield glossator.Stage(name="rival-a", factory=dict)
