"""Aligns gold spans of characters with tokens, and reports every span that does not fit them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from spacy.tokens import Doc, Span

from glossator.annotations.layer import Layer
from glossator.annotations.overlaps import without_overlaps
from glossator.formats.record import CharSpan

if TYPE_CHECKING:
    from glossator.formats.record import Record

LISTED = 20


class AlignmentCase(NamedTuple):
    """A gold span that does not start and end at token boundaries, and what was done.

    Example:
        AlignmentCase("news.jsonl", 3, "New-Y", "LOC", "became 'New-York'")
    """

    file: str
    line: int | None
    text: str
    label: str
    action: str

    def __str__(self) -> str:
        location = f"{self.file}:{self.line}" if self.line else self.file
        return f"{location}: {self.text!r} ({self.label}): {self.action}"


@dataclass(slots=True)
class AlignmentReport:
    """The result of aligning the gold spans of documents with their tokens.

    Example:
        report = AlignmentReport()
        example = gold_example(record, layer, tokenizer, report)
        print(report.summary())

    Attributes:
        exact: Number of spans that start and end at token boundaries.
        repaired: Number of spans that were extended to token boundaries.
        impossible: Number of spans that were left out.
        repaired_cases: The first `LISTED` repaired spans.
        impossible_cases: The first `LISTED` spans that were left out.
    """

    exact: int = 0
    repaired: int = 0
    impossible: int = 0
    repaired_cases: list[AlignmentCase] = field(default_factory=list)
    impossible_cases: list[AlignmentCase] = field(default_factory=list)

    def add_repaired(self, case: AlignmentCase) -> None:
        """Count a repaired span."""
        self.repaired += 1
        self.repaired_cases = [*self.repaired_cases, case][:LISTED]

    def add_impossible(self, case: AlignmentCase) -> None:
        """Count a span that was left out."""
        self.impossible += 1
        self.impossible_cases = [*self.impossible_cases, case][:LISTED]

    def merge(self, other: AlignmentReport) -> None:
        """Add the report of other documents to this one."""
        self.exact += other.exact
        self.repaired += other.repaired
        self.impossible += other.impossible
        self.repaired_cases = [*self.repaired_cases, *other.repaired_cases][:LISTED]
        self.impossible_cases = [*self.impossible_cases, *other.impossible_cases][:LISTED]

    def summary(self) -> str:
        """Return one line of counts, and one for each listed span."""
        total = self.exact + self.repaired + self.impossible
        lines = [
            f"{total} gold spans: {self.exact} exact, {self.repaired} repaired, {self.impossible} impossible",
            *_listed("repaired", self.repaired, self.repaired_cases),
            *_listed("impossible", self.impossible, self.impossible_cases),
        ]
        return "\n".join(lines)


def _listed(kind: str, count: int, cases: Sequence[AlignmentCase]) -> list[str]:
    more = [f"  ... and {count - len(cases)} more {kind}"] if count > len(cases) else []
    return [*(f"  {kind}: {case}" for case in cases), *more]


def _gold_spans(record: Record, layer: Layer) -> Sequence[CharSpan] | None:
    if record.doc is None or layer.kind == "ents":
        return record.spans
    if not layer.is_annotated(record.doc):
        return None
    return [CharSpan(span.start_char, span.end_char, span.label_) for span in layer.spans(record.doc)]


def set_gold_spans(doc: Doc, layer: Layer, record: Record, report: AlignmentReport) -> None:
    """Set the gold spans of one layer on the tokens of a Doc, and count each in `report`.

    Example:
        set_gold_spans(doc, Layer.parse("ents"), record, report)
    """
    gold = _gold_spans(record, layer)
    if gold is None:
        return
    aligned = _on_tokens(doc, gold, record, report)
    if not layer.may_overlap:
        aligned = _without_overlaps(aligned, record, report)
    for span in aligned:
        _report_aligned(doc, span, record, report)
    spans = [Span(doc, span.start, span.end, label=span.gold.label) for span in aligned]
    if not layer.may_overlap:
        doc.set_ents(spans, missing=_unannotated_tokens(doc, record))
    else:
        doc.spans[layer.key] = spans


def _unannotated_tokens(doc: Doc, record: Record) -> list[Span]:
    """Return the tokens that a record's own Doc leaves unannotated for entities."""
    source = record.doc if record.doc is not None else ()
    return [doc[token.i : token.i + 1] for token in source if token.ent_iob == 0]


class _AlignedSpan(NamedTuple):
    """A gold span on the tokens [start, end)."""

    start: int
    end: int
    gold: CharSpan


def _on_tokens(
    doc: Doc, gold: Sequence[CharSpan], record: Record, report: AlignmentReport
) -> list[_AlignedSpan]:
    """Return each span on the fewest tokens that cover it, without white space at its ends."""
    token_starts = [token.idx for token in doc]
    token_ends = [token.idx + len(token) for token in doc]
    aligned = []
    for span in gold:
        inside = 0 <= span.start < span.end <= len(record.text)
        covered = record.text[span.start : span.end] if inside else ""
        if not covered.strip():
            action = "only white space" if covered else f"empty or outside the text: {span.start}:{span.end}"
            report.add_impossible(_case(record, span, f"left out, {action}"))
            continue
        start = span.start + len(covered) - len(covered.lstrip())
        end = start + len(covered.strip())
        aligned.append(_AlignedSpan(bisect_right(token_ends, start), bisect_left(token_starts, end), span))
    return aligned


def _without_overlaps(
    aligned: list[_AlignedSpan], record: Record, report: AlignmentReport
) -> list[_AlignedSpan]:
    """Return the spans without those that overlap a longer one, or an earlier one of the same length."""

    def report_rejected(span: _AlignedSpan, rival: _AlignedSpan) -> None:
        action = f"left out, overlaps {_text(record, rival.gold)!r} ({rival.gold.label})"
        report.add_impossible(_case(record, span.gold, action))

    return without_overlaps(aligned, lambda span: span.start - span.end, on_rejected=report_rejected)


def _report_aligned(doc: Doc, span: _AlignedSpan, record: Record, report: AlignmentReport) -> None:
    tokens = doc[span.start : span.end]
    if (tokens.start_char, tokens.end_char) == (span.gold.start, span.gold.end):
        report.exact += 1
    else:
        report.add_repaired(_case(record, span.gold, f"became {tokens.text!r}"))


def _case(record: Record, span: CharSpan, action: str) -> AlignmentCase:
    return AlignmentCase(record.file, record.line, _text(record, span), span.label, action)


def _text(record: Record, span: CharSpan) -> str:
    # A span may lie outside the text; negative indices would count from its end.
    return record.text[max(0, span.start) : max(0, span.end)]
