"""BERT's layer: KerasHub's, which knows how it is exported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_hub.layers import TransformerEncoder

if TYPE_CHECKING:
    import numpy as np

    from glossator_keras.onnx_export.replacement import Replacement


class TransformerLayer(TransformerEncoder):
    """Attention and two dense layers, a norm after each part (Vaswani et al. 2017).

    Example:
        Called as KerasHub's:

            layer = TransformerLayer(intermediate_dim=64, num_heads=4)
            hidden = layer(hidden, padding_mask=padding_mask)
    """

    def onnx_replacement(self, generator: np.random.Generator) -> Replacement | None:
        """Return the replacement that is exported as ONNX's own operators."""
        # Imported here because it needs onnx, which a network that Keras runs does without.
        from glossator_keras.bert.transformer_onnx import transformer_replacement

        return transformer_replacement(self, generator)
