"""Word vectors for Glossator: train, import or distil them, and use them in pipelines.

The rooms, from the ground up; each imports lower ones only:

* `folder`: a folder of vectors on disk, its metadata, reading, writing, and vectors from sub-words
* `files`: the files of GloVe, word2vec, fastText and gensim, and their import into a folder of vectors
* `texts`: paragraphs and word counts of texts
* `embedders`: the embedders `vectors`, which reads a folder of vectors, and `hash`, which needs no file
* `training`: Word2Vec and fastText, trained by gensim
* `distillation`: static vectors from a BERT
* `analysis`: coverage of a text, nearest neighbours
* `commands`: `glossator vectors`

gensim is imported only to train and to read the files of gensim and fastText: annotating does not need it.
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
        summary="word vectors from a folder of `glossator vectors train`, `import` or `distil`",
    )
    yield glossator.Stage(
        name="hash",
        factory="glossator_vectors.embedders.hashed:HashVectors",
        summary="a random vector per lower-cased word, computed from its hash",
    )


@glossator.hookimpl
def glossator_commands() -> Iterable[glossator.Command]:
    """Declare `glossator vectors`."""
    yield glossator.Command(
        name="vectors",
        command="glossator_vectors.commands.group:vectors",
        summary="Train, import and inspect word vectors.",
    )
