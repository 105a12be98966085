"""BERT's layer: KerasHub's, which says how it is exported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_hub.layers import TransformerEncoder

if TYPE_CHECKING:
    import numpy as np

    from glossator_keras.stand_ins import StandIn


class TransformerLayer(TransformerEncoder):
    """Attention and two dense layers, a norm after each part (Vaswani et al. 2017)."""

    def stand_in(self, generator: np.random.Generator) -> StandIn | None:
        """Return what is exported in its place."""
        from glossator_keras.bert.exporting import for_encoder

        return for_encoder(self, generator)
