"""Faults of labelled data that can be seen before anything is learned from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from glossator.annotations.layer import Layer
from glossator.data.examples import SOURCE
from glossator.data.labels import annotation_of, labels_of
from glossator.ml.words import has_words
from glossator.util.messages import join_first

if TYPE_CHECKING:
    from spacy.training import Example

MOST_SHOWN = 3
MOST_LABELS_SHOWN = 5
MOST_CHARACTERS = 40
# On fewer documents a temperature would follow the accidents of a few.
LEAST_TO_CALIBRATE = 20


def find_faults(
    train: Sequence[Example], dev: Sequence[Example], layer: Layer, *, exclusive: bool = True
) -> list[str]:
    """Return messages about what is wrong with the data of a head: what, how often, where, and what to do.

    Found are texts without words, texts that are in both sets, texts with different annotations, labels of
    a single training document, labels of the dev set alone, and a dev set too small to calibrate on.

    Example:
        find_faults(train, dev, Layer.parse("cats"))  # ["labels with a single training document: ..."]

    Args:
        train: The training set.
        dev: The dev set; empty if there is none.
        layer: The layer of the gold annotations.
        exclusive: For `cats`, whether a document has at most one.
    """
    faults = [
        _without_words([*train, *dev]),
        _in_both(train, dev),
        _contradictions([*train, *dev], layer),
        _labels_of_one(train, layer),
        _labels_in_dev_only(train, dev, layer, exclusive),
        _too_small_to_calibrate(with_words(dev)),
    ]
    return [fault for fault in faults if fault]


def with_words(examples: Sequence[Example]) -> list[Example]:
    """Return the examples whose text has any word: nothing can be learned from the others.

    Example:
        task = head_task(pipeline, head, with_words(train), with_words(dev))
    """
    return [example for example in examples if has_words(example.predicted)]


def _without_words(examples: Sequence[Example]) -> str:
    empty = [example for example in examples if not has_words(example.predicted)]
    if not empty:
        return ""
    return f"{_counted(empty)} without any word, skipped: {_places(empty)}"


def _in_both(train: Sequence[Example], dev: Sequence[Example]) -> str:
    texts = {_text(example) for example in train}
    both = [example for example in with_words(dev) if _text(example) in texts]
    if not both:
        return ""
    return (
        f"documents of the dev set that are in the training set, too: {len(both):,} of {len(dev):,} "
        f"({_places(both)}); they make the dev score too high: remove them from one of the two"
    )


def _contradictions(examples: Sequence[Example], layer: Layer) -> str:
    first: dict[str, tuple[Example, Hashable]] = {}
    different: dict[str, str] = {}
    for example in with_words(examples):
        text, annotation = _text(example), annotation_of(example.reference, layer)
        other, expected = first.setdefault(text, (example, annotation))
        if annotation != expected and text not in different:
            different[text] = f"{_place(other)} and {_place(example)}"
    if not different:
        return ""
    texts = "a text has" if len(different) == 1 else f"{len(different):,} texts have"
    return (
        f"{texts} one annotation in one place and another elsewhere: "
        f"{join_first(list(different.values()), MOST_SHOWN)}; no stage can learn both: correct one of them"
    )


def _labels_of_one(train: Sequence[Example], layer: Layer) -> str:
    counts = _counts(train, layer)
    single = sorted(label for label, count in counts.items() if count == 1)
    if not single:
        return ""
    return (
        f"labels with a single training document: {join_first(single, MOST_LABELS_SHOWN)}; "
        "that is too little to learn them by: add examples, or merge them with others"
    )


def _labels_in_dev_only(
    train: Sequence[Example], dev: Sequence[Example], layer: Layer, exclusive: bool
) -> str:
    # A category may be named in the training set only where it does not hold: that can be learned, too.
    known = _counts(train, layer).keys() | {label for example in train for label in example.reference.cats}
    unknown = [(label, count) for label, count in _counts(dev, layer).most_common() if label not in known]
    if not unknown:
        return ""
    labels = join_first([f"{label} ({count:,})" for label, count in unknown], MOST_LABELS_SHOWN)
    effect = "they are never predicted"
    if layer.is_categories:
        effect = "their documents count as out of scope" if exclusive else "they are ignored"
    return f"labels of the dev set alone: {labels}; {effect}"


def _too_small_to_calibrate(dev: Sequence[Example]) -> str:
    if not 0 < len(dev) < LEAST_TO_CALIBRATE:
        return ""
    return (
        f"a dev set of {_counted(dev)} is too small to calibrate on: no temperature is fitted, and scores "
        f"may be too high or too low; name a dev set of at least {LEAST_TO_CALIBRATE}"
    )


def _counts(examples: Sequence[Example], layer: Layer) -> Counter[str]:
    return Counter(label for example in examples for label in labels_of(example.reference, layer))


def _counted(examples: Sequence[Example]) -> str:
    return "1 document" if len(examples) == 1 else f"{len(examples):,} documents"


def _places(examples: Sequence[Example]) -> str:
    return join_first([_place(example) for example in examples], MOST_SHOWN)


def _place(example: Example) -> str:
    file, line = example.reference.user_data.get(SOURCE, ("", 0))
    if file:
        return f"{file}:{line}" if line else str(file)
    text = " ".join(_text(example).split())
    return repr(text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…")


def _text(example: Example) -> str:
    text: str = example.predicted.text
    return text.strip()
