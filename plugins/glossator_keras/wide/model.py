"""What the linear models inside networks share: they are saved with their stage, and so is their training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from glossator_keras.arrays import Array, Arrays

if TYPE_CHECKING:
    import keras


class WideModel(Protocol):
    """A linear model, the logits of which are an input of a network.

    Example:
        A stage keeps it beside its network:

            self._wide: WideModel = WideCRF()
            self._wide.from_disk(path, labels=7)
    """

    def load_weights(self, network: keras.Model) -> None:
        """Let a fresh network start from what the model knows beside its logits."""

    def state(self) -> Mapping[str, Array]:
        """Return the models of the folds, which only training needs."""

    def restore(self, state: Arrays) -> None:
        """Put back what `state` returned."""

    def to_disk(self, path: Path) -> None:
        """Write the model that annotates."""

    def from_disk(self, path: Path, labels: int) -> None:
        """Read what `to_disk` wrote, for so many labels; raise `PipelineError` where it is damaged."""
