"""A plugin that gives one name to two taggers."""

import glossator


@glossator.hookimpl
def glossator_taggers():
    yield glossator.Stage(name="twin", factory=dict)
    yield glossator.Stage(name="twin", factory=list)
    yield glossator.Stage(name="only-child", factory=dict)
