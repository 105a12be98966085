"""Prints scores as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from glossator.annotations.layer import Layer
    from glossator.evaluation.evaluate import Evaluation
    from glossator.evaluation.matching import Confusion
    from glossator.evaluation.reliability import ReliabilityBin
    from glossator.pipeline.head import Head

MOST_LABELS_SHOWN = 20
WIDEST = 10_000


def print_scores(console: Console, head: Head, result: Evaluation) -> None:
    """Print all scores of a head, with separate tables for the scores per label.

    Example:
        print_scores(Console(), pipeline.heads["ner"], evaluation)
    """
    console.print(_scores(head.name, head.config.layer, result))
    counts = Counter(match.gold.label for match in result.matches if match.gold)
    for name, rows in result.scores.items():
        if isinstance(rows, Mapping) and all(isinstance(row, Mapping) for row in rows.values()):
            console.print(_per_label(name, rows, counts, head.thresholds))


def print_details(console: Console, head: str, result: Evaluation) -> None:
    """Print the calibration of a head and, for a small number of labels, its confusion matrix.

    Example:
        print_details(Console(), "ner", evaluation)
    """
    if result.reliability:
        console.print(_reliability(head, result.reliability))
    if result.confusion is None or not 0 < len(result.confusion.labels) <= MOST_LABELS_SHOWN:
        return
    table = _confusion(head, result.confusion)
    width = Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum
    if width <= console.width:
        console.print(table)
    else:  # rich would cut off digits, and so print other numbers
        console.print(f"{head}: the confusion matrix needs {width} columns; see {head}.json", highlight=False)


def _scores(head: str, layer: Layer, result: Evaluation) -> Table:
    table = Table("score", "value", title=f"{head} ({layer}): {result.documents:,} documents")
    for name, value in result.scores.items():
        if isinstance(value, float):
            table.add_row(name, f"{value:,.0f}" if name == "words_per_second" else f"{value:.4f}")
    return table


def _per_label(
    name: str,
    rows: Mapping[str, Mapping[str, float]],
    counts: Mapping[str, int],
    thresholds: Mapping[str, float],
) -> Table:
    """Return the scores of each label, its count in the gold, and its threshold."""
    table = Table("label", "in gold", "precision", "recall", "F1", title=name)
    if thresholds:
        table.add_column("holds from")
    for label, row in sorted(rows.items()):
        cells = [f"{counts.get(label, 0):,}", *(_number(row.get(part)) for part in "prf")]
        table.add_row(Text(label), *cells, *([_number(thresholds.get(label))] if thresholds else []))
    return table


def _reliability(head: str, rows: Sequence[ReliabilityBin]) -> Table:
    table = Table("score", title=f"{head}: reliability")
    for column in ("number", "mean score", "accuracy"):
        table.add_column(column, justify="right")
    for row in rows:
        values = (f"{row.number:,}", f"{row.mean_score:.3f}", f"{row.accuracy:.3f}")
        table.add_row(f"{row.low:.2f}–{row.high:.2f}", *values)
    return table


def _confusion(head: str, confusion: Confusion) -> Table:
    table = Table(title=f"{head}: confusion", padding=0)
    table.add_column("gold")
    for label in confusion.labels:
        table.add_column(Text(label), justify="right")
    for label, row in zip(confusion.labels, confusion.counts, strict=True):
        table.add_row(Text(label), *(str(count) if count else "·" for count in row))
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
