"""What the tests of training share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from glossator.config.text import parse_config
from glossator.training.progress import Silent

CONFIGS = Path(__file__).parents[1] / "engine" / "configs"
TWO_HEADS = (CONFIGS / "two_heads.cfg").read_text(encoding="utf-8")
MOOD = (CONFIGS / "mood.cfg").read_text(encoding="utf-8")
MAJORITY = (CONFIGS / "majority.cfg").read_text(encoding="utf-8")


class Heard(Silent):
    """Keeps what a training run said."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.started: list[tuple[str, int]] = []

    def head_started(self, head: str, seed: int, words: int, max_epochs: int) -> None:
        self.started.append((head, seed))

    def message(self, text: str) -> None:
        self.messages.append(text)


def config_of(text: str, folder: Path = Path(), **overrides):
    return parse_config(
        text, folder=folder, overrides={k.replace("__", "."): v for k, v in overrides.items()}
    )


def weights_of(pipeline: Path) -> dict[str, np.ndarray]:
    found = {}
    for file in sorted(pipeline.rglob("weights.npz")):
        with np.load(file) as arrays:
            found |= {f"{file.parent.name}/{name}": arrays[name] for name in arrays.files}
    return found
