"""Pictures, where matplotlib is installed (`pip install 'glossator[plots]'`)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any


def training_curves(rows: Iterable[Mapping[str, Any]]) -> bytes | None:
    """Draw loss and dev score over the epochs, a panel a head and a line a seed.

    Args:
        rows: The training log: head, seed, number, loss, score; together what belongs together.

    Returns:
        A PNG, or None where matplotlib is not installed or there is nothing to draw.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    heads = [(head, list(group)) for head, group in groupby(rows, key=lambda row: row["head"])]
    if not heads:
        return None
    figure = Figure(figsize=(8, 3 * len(heads)), layout="constrained")
    for place, (head, epochs) in enumerate(heads):
        losses = figure.add_subplot(len(heads), 2, 2 * place + 1)
        scores = figure.add_subplot(len(heads), 2, 2 * place + 2)
        losses.set(title=f"{head}: training loss", xlabel="epoch", yscale="log")
        scores.set(title=f"{head}: dev score", xlabel="epoch")
        for seed, group in groupby(epochs, key=lambda row: row["seed"]):
            line = list(group)
            numbers = [row["number"] for row in line]
            losses.plot(numbers, [max(row["loss"], 1e-9) for row in line], label=f"seed {seed}")
            scores.plot(numbers, [row["score"] for row in line], marker=".", label=f"seed {seed}")
        scores.legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()
