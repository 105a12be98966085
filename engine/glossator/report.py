"""What an evaluation leaves in a folder, head by head: scores, every error, pictures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glossator.calibration import RANKING_DIGITS
from glossator.gold import PLACE
from glossator.plots import confusion_picture, reliability_diagram
from glossator.verdicts import ERROR_KINDS, Kind, Labelled, Verdict

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from glossator.evaluate import Evaluation


def write_report(
    folder: Path, head: str, layer: str, evaluation: Evaluation, gold: Sequence[Doc]
) -> list[Path]:
    """Write a head's files, in place of older ones: HEAD.json, HEAD.errors.jsonl and pictures.

    HEAD.json has the scores, the rows of `reliability` and the confusion matrix; HEAD.errors.jsonl
    a line an error, as `error_rows` gives them. HEAD.reliability.png and HEAD.confusion.png
    need matplotlib.

    Args:
        folder: The folder; it is made where it is missing.
        head: The head's name.
        layer: The layer it writes.
        evaluation: How it did.
        gold: The gold Docs it was scored on.

    Returns:
        The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    errors = "".join(
        f"{json.dumps(row, ensure_ascii=False)}\n" for row in error_rows(evaluation.verdicts, layer, gold)
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


def summary(head: str, layer: str, evaluation: Evaluation) -> dict[str, Any]:
    """Return what HEAD.json holds; `confusion` is None where `evaluation.confusion` is."""
    confusion = evaluation.confusion
    return {
        "head": head,
        "layer": layer,
        "documents": evaluation.documents,
        "words": evaluation.words,
        "scores": evaluation.scores,
        "errors": error_counts(evaluation.verdicts),
        "reliability": [row._asdict() for row in evaluation.reliability],
        "confusion": confusion and {"labels": confusion.labels, "counts": confusion.counts.tolist()},
    }


def error_counts(verdicts: Sequence[Verdict]) -> dict[Kind, int]:
    """Return how many errors of each kind there are; kinds there are none of are left out."""
    counts = Counter(verdict.kind for verdict in verdicts)
    return {kind: counts[kind] for kind in ERROR_KINDS if counts[kind]}


def error_rows(verdicts: Sequence[Verdict], layer: str, gold: Sequence[Doc]) -> Iterator[dict[str, Any]]:
    """Yield every error, what the head was surest of first and spans it missed last, the rest in order.

    A row has `document` (counted from 1), the `file` and `line` it came from, `kind`, `score`, `predicted`,
    `gold` and the `text` they stand in: the sentence or, for categories, the whole document. `predicted` and
    `gold` have a `label` and, but for categories, their `text` and where it starts and ends in the row's.
    """
    for verdict in sorted((one for one in verdicts if not one.right), key=_doubt):
        doc = gold[verdict.document]
        start, end = (0, len(doc.text)) if layer == "cats" else _sentences(doc, verdict)
        file, line = doc.user_data.get(PLACE, ("", None))
        yield {
            "document": verdict.document + 1,
            "file": file,
            "line": line,
            "kind": verdict.kind,
            "score": verdict.score,
            "predicted": _side(verdict.predicted, doc, start, layer),
            "gold": _side(verdict.gold, doc, start, layer),
            "text": doc.text[start:end],
        }


def _doubt(verdict: Verdict) -> float:
    """How unsure the head was of its error: 1 less the probability of what it decided."""
    if verdict.score is None:
        return 1.0
    doubt = verdict.score if verdict.predicted is None else 1.0 - verdict.score
    return round(doubt, RANKING_DIGITS)


def _sentences(doc: Doc, verdict: Verdict) -> tuple[int, int]:
    """Return the characters [start, end) of the sentences that hold a verdict's spans."""
    sides = [side for side in (verdict.gold, verdict.predicted) if side]
    start, end = min(side.start for side in sides), max(side.end for side in sides)
    span = doc.char_span(start, end, alignment_mode="expand")
    if span is None or not doc.has_annotation("SENT_START"):
        return 0, len(doc.text)
    return span[0].sent.start_char, span[-1].sent.end_char


def _side(labelled: Labelled | None, doc: Doc, offset: int, layer: str) -> dict[str, Any] | None:
    if labelled is None:
        return None
    start, end, label = labelled
    if layer == "cats":
        return {"label": label}
    return {"label": label, "text": doc.text[start:end], "start": start - offset, "end": end - offset}
