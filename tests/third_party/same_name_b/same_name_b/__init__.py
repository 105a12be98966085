"""One of two plugins that each have a tagger called "same"."""

import glossator


@glossator.hookimpl
def glossator_taggers():
    yield glossator.Stage(name="same", factory="same_name_b:Same")


class Same:
    origin = "b"
