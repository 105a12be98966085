"""The network of the `window` tagger: hashed word attributes, mixed over a window of neighbours.

A small version of spaCy's MultiHashEmbed and MaxoutWindowEncoder (Miranda et al. 2022, "Multi hash
embeddings in spaCy"), with an optional input of word vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from thinc.api import (
    HashEmbed,
    Linear,
    Maxout,
    Model,
    Ragged,
    chain,
    clone,
    concatenate,
    expand_window,
    residual,
    with_array,
    zero_init,
)

if TYPE_CHECKING:
    from thinc.types import Floats2d, Ints1d, Ints2d

    Inputs = tuple[Ints2d, Floats2d, Ints1d]

Output = TypeVar("Output")


def build_network(
    *, rows: tuple[int, ...], width: int, depth: int, window: int, labels: int, vectors: int, dropout: float
) -> Model[Inputs, Ragged]:
    """Return the network, uninitialized.

    Example:
        build_network(rows=(5000, 1000), width=96, depth=4, window=1, labels=7, vectors=0, dropout=0.1)

    Args:
        rows: Rows of each attribute's table.
        width: Width of all hidden layers.
        depth: Number of layers that combine a word with its neighbours.
        window: Neighbours that such a layer sees on each side.
        labels: Outputs per word.
        vectors: Columns of the word vectors; 0 for none.
        dropout: Dropout rate of all hidden layers.

    Returns:
        A model from (attributes (words, len(rows)), vectors (words, vectors), sentence lengths) to
        a Ragged of logits (words, labels).
    """
    # Each table has a seed of its own: words that share a row in one table differ in the others.
    tables: list[Model[Any, Any]] = [
        HashEmbed(width, rows_, column=i, seed=i + 1, dropout=dropout) for i, rows_ in enumerate(rows)
    ]
    embed: Model[Any, Any] = chain(_item(0), concatenate(*tables))
    inputs = width * len(rows)
    if vectors:
        embed = concatenate(embed, chain(_item(1), Linear(width, vectors)))
        inputs += width

    mix: Model[Any, Any] = Maxout(width, inputs, nP=3, dropout=dropout, normalize=True)
    look: Model[Any, Any] = chain(
        expand_window(window),
        with_array(Maxout(width, width * (2 * window + 1), nP=3, dropout=dropout, normalize=True)),
    )

    return cast(
        "Model[Inputs, Ragged]",
        chain(
            _in_sentences(chain(embed, mix)),
            clone(residual(look), depth),
            with_array(Linear(labels, width, init_W=zero_init)),
        ),
    )


def _item(index: int) -> Model[Any, Any]:
    """Return a layer that passes on one item of a tuple, and no gradient."""

    # `concatenate` adds up the gradients of its layers, so this one needs a shape that numpy can broadcast.
    def forward(model: Model[Any, Any], inputs: Any, is_train: bool) -> tuple[Any, Callable[[Any], Any]]:
        return inputs[index], lambda gradient: np.zeros((1, 1), dtype=np.float32)

    return Model(f"item{index}", forward)


def _in_sentences(layer: Model[Any, Any]) -> Model[Any, Ragged]:
    """Return a layer that applies `layer` to all words at once and cuts its output into sentences."""

    def forward(
        model: Model[Any, Any], inputs: Any, is_train: bool
    ) -> tuple[Ragged, Callable[[Ragged], Any]]:
        output, backprop = model.layers[0](inputs, is_train)
        return Ragged(output, inputs[2]), lambda gradient: backprop(gradient.dataXd)

    return Model("in_sentences", forward, init=_initialize_layers, layers=[layer])


def _initialize_layers(model: Model[Any, Any], X: Any = None, Y: Any = None) -> None:
    for layer in model.layers:
        layer.initialize()
