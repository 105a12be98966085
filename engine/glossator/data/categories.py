"""Checks of gold categories: whether a classifier can learn from them or be scored on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from glossator.errors import DataError
from glossator.util.messages import join_first, listed

if TYPE_CHECKING:
    from glossator.formats import Record

MOST_LABELS_SHOWN = 5

Cats = Mapping[str, float]  # of one document: 1 where a category holds, 0 where it does not


def check_learnable(gold: Sequence[Cats], head: str, *, exclusive: bool) -> None:
    """Raise `DataError` if a classifier cannot learn from the training categories.

    Example:
        check_learnable([{"news": 1.0, "sport": 0.0}, {"sport": 1.0}], "topic", exclusive=True)

    Args:
        gold: The categories of each document.
        head: The classifier's name.
        exclusive: Whether the classifier predicts exactly one category per document.

    Raises:
        DataError: `exclusive`, and documents have several categories; or not `exclusive`, and there are no
            negative categories, so that predicting every category everywhere would be correct.
    """
    if exclusive:
        several = [cats for cats in gold if sum(value >= 1 for value in cats.values()) > 1]
        if several:
            example = listed([label for label, value in several[0].items() if value >= 1])
            raise DataError(
                f"{head!r} expects exactly one category per document, but {len(several):,} of its "
                f"{len(gold):,} training documents have several, the first one {example}: set "
                f"classifiers.{head}.exclusive = false"
            )
    elif gold and has_no_negatives(gold):
        raise DataError(
            f"the training data of {head!r} has no negative categories (0.0): add them or, if each document "
            f"has exactly one category, set classifiers.{head}.exclusive = true"
        )


def binarize(gold: Cats, *, exclusive: bool) -> dict[str, float]:
    """Return the categories as 1 or 0, from gold that may hold probabilities.

    If `exclusive`, the most probable category is 1; else every category with a probability of at least 0.5.

    Example:
        binarize({"news": 0.4, "sport": 0.3}, exclusive=True)  # {"news": 1.0, "sport": 0.0}
    """
    if not any(0 < value < 1 for value in gold.values()):
        return dict(gold)
    if exclusive:
        likeliest = max(gold, key=lambda label: gold[label])
        return {label: float(label == likeliest) for label in gold}
    return {label: float(value >= 0.5) for label, value in gold.items()}


def named_categories(records: Iterable[Record | DataError]) -> set[str]:
    """Return the categories that records name, whether or not they hold.

    Example:
        named_categories(source.records("train"))  # {"news", "sport"}
    """
    return {label for record in records if not isinstance(record, DataError) for label in record.cats or ()}


def has_no_negatives(gold: Iterable[Cats]) -> bool:
    """Whether no document has a negative category.

    Example:
        has_no_negatives([{"news": 1.0}, {"sport": 1.0}])  # True
    """
    return not any(value < 1 for cats in gold for value in cats.values())


def unknown_categories(gold: Iterable[Cats], labels: Collection[str]) -> str:
    """Return the categories that hold but are not in `labels`, with document counts; "" if there are none.

    Example:
        unknown_categories([{"snow": 1.0}, {"rain": 1.0}], {"rain"})  # "snow (1)"
    """
    counts = Counter(
        label for cats in gold for label, value in cats.items() if value > 0 and label not in labels
    )
    return join_first([f"{label} ({count:,})" for label, count in counts.most_common()], MOST_LABELS_SHOWN)
