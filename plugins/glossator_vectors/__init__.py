"""Word vectors for Glossator: Word2Vec, fastText and GloVe, trained here or brought from elsewhere.

* `static`: the embedder `vectors`, which looks words up in a folder of vectors
* `hashed`: the embedder `hash`, random vectors that need no file
* `folder`, `writing`, `subwords`: what a folder of vectors holds, how it is mapped, how it is made
* `importing` and what it reads with: `textfile`, `binaryfile`, `gensimfiles`
* `corpus`, `training`: from plain text to vectors, by gensim
* `distilling`, `generalizing`: from a BERT to vectors of words, and of n-grams for unknown ones
* `coverage`, `neighbours`: looking at vectors
* `commands`, `distil_command`, `showing`: `glossator vectors`, with `texts`, `reading`, `views`

gensim is imported only to train and to read files of its own and fastText's: annotating needs none.
"""

from __future__ import annotations

from collections.abc import Iterable

import glossator


@glossator.hookimpl
def glossator_embedders() -> Iterable[glossator.Stage]:
    """Declare the embedders."""
    yield glossator.Stage(
        name="vectors",
        factory="glossator_vectors.embedders.static:StaticVectors",
        summary="vectors of words from a folder of `glossator vectors train` or `import`",
    )
    yield glossator.Stage(
        name="hash",
        factory="glossator_vectors.embedders.hashed:HashVectors",
        summary="a random vector for each lower-cased word, made from its hash",
    )


@glossator.hookimpl
def glossator_commands() -> Iterable[glossator.Command]:
    """Declare `glossator vectors`."""
    yield glossator.Command(
        name="vectors",
        command="glossator_vectors.commands:vectors",
        summary="Train, import and look at vectors of words.",
    )
