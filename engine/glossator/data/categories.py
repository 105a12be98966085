"""What gold categories say of themselves: whether a classifier can learn from them or be scored on them."""

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
    """Refuse training categories that a classifier would learn nonsense from.

    Args:
        gold: Of each document.
        head: The classifier's name.
        exclusive: Whether it takes a document to have exactly one category.

    Raises:
        DataError: It does, and documents have several; or it does not, and no category is ever said not to
            hold, so that to find all of them everywhere would be right.
    """
    if exclusive:
        several = [cats for cats in gold if sum(value >= 1 for value in cats.values()) > 1]
        if several:
            example = listed([label for label, value in several[0].items() if value >= 1])
            raise DataError(
                f"{head!r} takes a document to have exactly one category, but {len(several):,} of its "
                f"{len(gold):,} training documents have several, the first one {example}: set "
                f"classifiers.{head}.exclusive = false"
            )
    elif gold and has_no_negatives(gold):
        raise DataError(
            f"the training data of {head!r} says of no category that it does not hold: name those with 0.0, "
            f"or, where exactly one holds, set classifiers.{head}.exclusive = true"
        )


def binarize(gold: Cats, *, exclusive: bool) -> dict[str, float]:
    """Return which categories hold, 1 or 0, by gold that may give probabilities.

    Where exactly one holds, that is the likeliest; else those that hold as likely as not or likelier.
    """
    if not any(0 < value < 1 for value in gold.values()):
        return dict(gold)
    if exclusive:
        likeliest = max(gold, key=lambda label: gold[label])
        return {label: float(label == likeliest) for label in gold}
    return {label: float(value >= 0.5) for label, value in gold.items()}


def named_categories(records: Iterable[Record | DataError]) -> set[str]:
    """Return the categories that records name, whether or not they hold."""
    return {label for record in records if not isinstance(record, DataError) for label in record.cats or ()}


def has_no_negatives(gold: Iterable[Cats]) -> bool:
    """Whether no category is ever said not to hold."""
    return not any(value < 1 for cats in gold for value in cats.values())


def unknown_categories(gold: Iterable[Cats], known: Collection[str]) -> str:
    """Return which categories that hold are not among the known, and in how many documents; "" for none."""
    counts = Counter(
        label for cats in gold for label, value in cats.items() if value > 0 and label not in known
    )
    return join_first([f"{label} ({count:,})" for label, count in counts.most_common()], MOST_LABELS_SHOWN)
