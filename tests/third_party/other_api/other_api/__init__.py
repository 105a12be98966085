"""A plugin one of whose taggers is for a Glossator still to come."""

import glossator


@glossator.hookimpl
def glossator_taggers():
    yield glossator.Stage(name="of-tomorrow", factory=dict, api=2)
    yield glossator.Stage(name="of-today", factory=dict)
