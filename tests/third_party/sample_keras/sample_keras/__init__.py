"""A plugin with a Keras network of its own."""

import glossator


@glossator.hookimpl
def glossator_taggers():
    yield glossator.Stage(
        name="neighbours",
        factory="sample_keras.tagger:make_tagger",
        summary="convolutions over a word and two neighbours to either side",
    )
