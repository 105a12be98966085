"""Writes the evaluation of a head to a folder: scores, every error, pictures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glossator.annotations.layer import Layer
from glossator.data.examples import SOURCE
from glossator.evaluation.matching import ERROR_KINDS, Kind, Labelled, Match
from glossator.evaluation.plots import confusion_picture, reliability_diagram
from glossator.stages import Contribution
from glossator.util.ranking import RANKING_DIGITS

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from glossator.evaluation.evaluate import Evaluation


# Returns the features that speak for or against a span or category of a Doc.
Explain = Callable[["Doc", Labelled], Sequence[Contribution]]


def write_report(
    folder: Path,
    head: str,
    layer: Layer,
    evaluation: Evaluation,
    gold: Sequence[Doc],
    explain: Explain | None = None,
) -> list[Path]:
    """Write the files of a head, replacing older ones: HEAD.json, HEAD.errors.jsonl and pictures.

    HEAD.json has the scores, the rows of `reliability` and the confusion matrix; HEAD.errors.jsonl
    has one line per error, see `error_rows`. HEAD.reliability.png and HEAD.confusion.png
    need matplotlib.

    Example:
        write_report(Path("report"), "ner", Layer.parse("ents"), evaluation, gold_docs)

    Args:
        folder: The folder; it is created if it does not exist.
        head: The head's name.
        layer: The layer that the head writes.
        evaluation: The head's evaluation.
        gold: The gold Docs that the head was scored on.
        explain: Returns the features that decided, if the head's stage can tell.

    Returns:
        The written files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    errors = "".join(
        f"{json.dumps(row, ensure_ascii=False)}\n"
        for row in error_rows(evaluation.matches, layer, gold, explain)
    )
    contents = {
        f"{head}.json": (json.dumps(summary(head, layer, evaluation), indent=2) + "\n").encode(),
        f"{head}.errors.jsonl": errors.encode(),
        f"{head}.reliability.png": reliability_diagram(head, evaluation.reliability),
        f"{head}.confusion.png": confusion_picture(head, evaluation.confusion),
    }
    written = [(folder / name, content) for name, content in contents.items() if content is not None]
    for path, content in written:
        path.write_bytes(content)
    return [path for path, _ in written]


def summary(head: str, layer: Layer, evaluation: Evaluation) -> dict[str, Any]:
    """Return the content of HEAD.json; `confusion` is None if `evaluation.confusion` is.

    Example:
        json.dumps(summary("ner", Layer.parse("ents"), evaluation))
    """
    confusion = evaluation.confusion
    return {
        "head": head,
        "layer": str(layer),
        "documents": evaluation.documents,
        "words": evaluation.words,
        "scores": evaluation.scores,
        "errors": error_counts(evaluation.matches),
        "reliability": [row._asdict() for row in evaluation.reliability],
        "confusion": confusion and {"labels": confusion.labels, "counts": confusion.counts.tolist()},
    }


def error_counts(matches: Sequence[Match]) -> dict[Kind, int]:
    """Return the number of errors of each kind, without kinds that have none.

    Example:
        error_counts(evaluation.matches)  # {"missed": 12, "wrong label": 3}
    """
    counts = Counter(match.kind for match in matches)
    return {kind: counts[kind] for kind in ERROR_KINDS if counts[kind]}


def error_rows(
    matches: Sequence[Match], layer: Layer, gold: Sequence[Doc], explain: Explain | None = None
) -> Iterator[dict[str, Any]]:
    """Yield every error in descending order of confidence; missed spans come last.

    A row has `document` (counted from 1), its `file` and `line`, `kind`, `score`, `predicted`, `gold` and
    their `text`: the sentence or, for categories, the whole document. `predicted` and `gold` have
    a `label` and, except for categories, their own `text` with `start` and `end` in the row's text; with
    `explain`, also `features`, pairs of a name and what the feature adds to the label's logit.

    Example:
        for row in error_rows(evaluation.matches, Layer.parse("ents"), gold_docs):
            print(row["kind"], row["predicted"], row["gold"])
    """
    for match in sorted((one for one in matches if not one.is_correct), key=_doubt):
        doc = gold[match.document]
        start, end = (0, len(doc.text)) if layer.is_categories else _sentences(doc, match)
        file, line = doc.user_data.get(SOURCE, ("", None))
        yield {
            "document": match.document + 1,
            "file": file,
            "line": line,
            "kind": match.kind,
            "score": match.score,
            "predicted": _side(match.predicted, doc, start, layer, explain),
            "gold": _side(match.gold, doc, start, layer, explain),
            "text": doc.text[start:end],
        }


def _doubt(match: Match) -> float:
    """Return 1 minus the probability of the head's decision."""
    if match.score is None:
        return 1.0
    doubt = match.score if match.predicted is None else 1.0 - match.score
    return round(doubt, RANKING_DIGITS)


def _sentences(doc: Doc, match: Match) -> tuple[int, int]:
    """Return the characters [start, end) of the sentences that hold a match's spans."""
    sides = [side for side in (match.gold, match.predicted) if side]
    start, end = min(side.start for side in sides), max(side.end for side in sides)
    span = doc.char_span(start, end, alignment_mode="expand")
    if span is None or not doc.has_annotation("SENT_START"):
        return 0, len(doc.text)
    return span[0].sent.start_char, span[-1].sent.end_char


def _side(
    labelled: Labelled | None, doc: Doc, offset: int, layer: Layer, explain: Explain | None
) -> dict[str, Any] | None:
    if labelled is None:
        return None
    start, end, label = labelled
    side: dict[str, Any] = {"label": label}
    if not layer.is_categories:
        side |= {"text": doc.text[start:end], "start": start - offset, "end": end - offset}
    if explain is not None:
        side["features"] = [[feature, round(value, 4)] for feature, value in explain(doc, labelled)]
    return side
