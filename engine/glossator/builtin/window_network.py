"""The network of the `window` tagger: hashed word attributes, mixed over a window of neighbours.

spaCy's MultiHashEmbed and MaxoutWindowEncoder in small (Miranda et al. 2022, "Multi hash
embeddings in spaCy"), with a place for given vectors.
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

    Args:
        rows: Rows of each attribute's table.
        width: Of all hidden layers.
        depth: Layers that look at neighbours.
        window: Neighbours a layer sees on each side.
        labels: Outputs a word.
        vectors: Columns of the given vectors; 0 for none.
        dropout: Of all hidden layers.

    Returns:
        A model from (attributes (words, len(rows)), vectors (words, vectors), sentence lengths) to
        a Ragged of logits (words, labels).
    """
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
    """Pass on one item of a tuple; what flows back is nothing, in a shape that `concatenate` can add."""

    def forward(model: Model[Any, Any], inputs: Any, is_train: bool) -> tuple[Any, Callable[[Any], Any]]:
        return inputs[index], lambda gradient: np.zeros((1, 1), dtype=np.float32)

    return Model(f"item{index}", forward)


def _in_sentences(layer: Model[Any, Any]) -> Model[Any, Ragged]:
    """Apply `layer` to all words at once and hand its output on cut into sentences."""

    def forward(
        model: Model[Any, Any], inputs: Any, is_train: bool
    ) -> tuple[Ragged, Callable[[Ragged], Any]]:
        output, backprop = model.layers[0](inputs, is_train)
        return Ragged(output, inputs[2]), lambda gradient: backprop(gradient.dataXd)

    return Model("in_sentences", forward, init=_initialize_layers, layers=[layer])


def _initialize_layers(model: Model[Any, Any], X: Any = None, Y: Any = None) -> None:
    for layer in model.layers:
        layer.initialize()
