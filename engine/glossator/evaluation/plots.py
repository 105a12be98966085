"""Pictures, if matplotlib is installed (`pip install 'glossator[plots]'`)."""

from __future__ import annotations

import importlib
import io
import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glossator.evaluation.matching import Confusion
    from glossator.evaluation.reliability import ReliabilityBin

MOST_LABELS = 60  # of a confusion matrix that is drawn
MOST_LABELS_WITH_NUMBERS = 20


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    try:
        importlib.import_module("matplotlib.figure")
    except ImportError:
        return False
    return True


def training_curves(rows: Iterable[Mapping[str, Any]]) -> bytes | None:
    """Draw loss and dev score over the epochs, with one panel per head and one line per seed.

    Example:
        rows = [{"head": "ner", "seed": 0, "number": 1, "loss": 0.7, "score": 0.6}]
        png = training_curves(rows)

    Args:
        rows: The training log: head, seed, number, loss, score; sorted by head and seed.

    Returns:
        A PNG, or None if matplotlib is not installed or there is nothing to draw.
    """
    heads = [(head, list(group)) for head, group in groupby(rows, key=lambda row: row["head"])]
    if not heads or not can_draw():
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3 * len(heads)), layout="constrained")
    for row, (head, epochs) in enumerate(heads):
        losses = figure.add_subplot(len(heads), 2, 2 * row + 1)
        scores = figure.add_subplot(len(heads), 2, 2 * row + 2)
        losses.set(title=f"{head}: training loss", xlabel="epoch", yscale="log")
        scores.set(title=f"{head}: dev score", xlabel="epoch")
        for seed, group in groupby(epochs, key=lambda row: row["seed"]):
            line = list(group)
            numbers = [epoch["number"] for epoch in line]
            # A loss of 0 has no position on a logarithmic scale.
            losses.plot(numbers, [max(epoch["loss"], 1e-9) for epoch in line], label=f"seed {seed}")
            scores.plot(numbers, [epoch["score"] for epoch in line], marker=".", label=f"seed {seed}")
        scores.legend()
    return _png(figure)


def reliability_diagram(title: str, rows: Sequence[ReliabilityBin]) -> bytes | None:
    """Draw the accuracy of each bin of scores, and the number of scores in it (Guo et al. 2017).

    Example:
        png = reliability_diagram("ner", evaluation.reliability)

    Args:
        title: The title.
        rows: The bins that `evaluation.reliability.reliability` returns.

    Returns:
        A PNG, or None if matplotlib is not installed or there is nothing to draw.
    """
    if not rows or not can_draw():
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 6), layout="constrained")
    shares, numbers = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    lows, widths = [row.low for row in rows], [row.high - row.low for row in rows]
    shares.bar(lows, [row.accuracy for row in rows], widths, align="edge", alpha=0.5, edgecolor="white")
    shares.plot([0, 1], [0, 1], color="gray", linestyle="--", label="perfectly calibrated")
    shares.plot([row.mean_score for row in rows], [row.accuracy for row in rows], "o-", label="this head")
    shares.set(title=title, ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    shares.legend(loc="upper left")
    numbers.bar(lows, [row.number for row in rows], widths, align="edge", alpha=0.5, edgecolor="white")
    numbers.set(xlabel="score", ylabel="number")
    return _png(figure)


def confusion_picture(title: str, confusion: Confusion | None) -> bytes | None:
    """Draw a confusion matrix, the row of each gold label in shares of that label.

    Example:
        png = confusion_picture("pos", evaluation.confusion)

    Args:
        title: The title.
        confusion: The matrix.

    Returns:
        A PNG, or None if matplotlib is not installed, there is nothing to draw, or there are more
        than `MOST_LABELS` labels.
    """
    if confusion is None or not 0 < len(confusion.labels) <= MOST_LABELS or not can_draw():
        return None
    from matplotlib.figure import Figure

    counts, size = confusion.counts, len(confusion.labels)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    figure = Figure(figsize=(3 + 0.35 * size, 2.5 + 0.35 * size), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(title=title, xlabel="predicted", ylabel="gold", xticks=range(size), yticks=range(size))
    # matplotlib would read the text between two dollar signs as a formula.
    axes.set_xticklabels(confusion.labels, rotation=90, parse_math=False)
    axes.set_yticklabels(confusion.labels, parse_math=False)
    if size <= MOST_LABELS_WITH_NUMBERS:
        for row, column in zip(*counts.nonzero(), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(
                column, row, str(counts[row, column]), ha="center", va="center", fontsize=7, color=colour
            )
    figure.colorbar(image, label="share of the gold label", shrink=0.7)
    return _png(figure)


def _png(figure: Any) -> bytes:
    picture = io.BytesIO()
    with warnings.catch_warnings():
        # Characters that the font lacks are drawn as boxes; a warning for each of them adds nothing.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()
