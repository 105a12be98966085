"""Whether a result on the dev set is better than guessing, and what to try if it is not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from glossator.pipeline.head import Head

if TYPE_CHECKING:
    from spacy.training import Example

ERRORS = 2  # standard errors that chance alone may reach


def guessing_warning(head: Head, score: float, examples: Sequence[Example]) -> str:
    """Return a message if a dev score is no better than guessing, else "".

    Guesses are drawn by the frequency of the labels: their expected macro-F1 over exclusive categories is
    1 / labels, their area under the ROC curve 0.5. The guess for a tag is the most frequent one, that for
    spans is none. Chance may raise a score by two standard errors of that guess.

    Example:
        guessing_warning(pipeline.heads["ner"], 0.0, dev_examples)  # "ner: the dev score of 0.0000 is no ..."

    Args:
        head: A trained head.
        score: Its score, by which training selected.
        examples: The examples that it was scored on.
    """
    guess, number = _guess(head, examples)
    margin = ERRORS * math.sqrt(guess * (1 - guess) / max(number, 1))
    if score > guess + margin:
        return ""
    by_chance = f", which gets {guess:.4f} ± {margin:.4f} on {number:,} {_unit(head)}" if guess else ""
    return (
        f"{head.name}: the dev score of {score:.4f} is no better than guessing{by_chance}: check that labels "
        "and texts belong together, then try more examples, other seeds (--seeds 3) or another stage"
    )


def _guess(head: Head, examples: Sequence[Example]) -> tuple[float, int]:
    """Return the score of guesses, and the number of documents or words that it is an average of."""
    layer = head.config.layer
    if layer.is_spans:
        return 0.0, len(examples)
    if layer.is_categories:
        return (1 / len(head.stage.labels) if head.exclusive else 0.5), len(examples)
    tags = Counter(
        layer.label_of(token) for example in examples for token in example.reference if not token.is_space
    )
    del tags[""]
    return max(tags.values(), default=0) / max(tags.total(), 1), tags.total()


def _unit(head: Head) -> str:
    return "documents" if head.config.layer.is_categories else "words"
