"""Names of built-in stages that are gone, and what replaces them."""

from __future__ import annotations

# (kind, name): the name of the stage that replaces it.
REPLACED = {("classifier", "bow"): "linear", ("tagger", "window"): "crf"}


def replaced(kind: str, name: str) -> str:
    """Return the message of an error: a stage is gone, and what to do.

    Example:
        replaced("classifier", "bow")  # "the classifier 'bow' was replaced by 'linear': ..."
    """
    new = REPLACED[kind, name]
    return (
        f'the {kind} {name!r} was replaced by {new!r}: write stage = "{new}" without the settings of '
        f"{name!r}; a pipeline that was trained with it has to be trained again"
    )
