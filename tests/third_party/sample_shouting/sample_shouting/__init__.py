"""A plugin that finds what is SHOUTED."""

import glossator


@glossator.hookimpl
def glossator_taggers():
    yield glossator.Stage(
        name="shouting", factory="sample_shouting.tagger:ShoutingTagger", summary="marks words in capitals"
    )


@glossator.hookimpl
def glossator_embedders():
    yield glossator.Stage(
        name="length", factory="sample_shouting.embedder:LengthEmbedder", summary="length and capitals"
    )


@glossator.hookimpl
def glossator_formats():
    yield glossator.Format(
        name="shout",
        factory="sample_shouting.files:ShoutFiles",
        suffixes=(".shout",),
        summary="a shout a line",
    )


@glossator.hookimpl
def glossator_commands():
    yield glossator.Command(
        name="shout", command="sample_shouting.command:shout", summary="shout a text back"
    )
