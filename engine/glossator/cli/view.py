"""Prints annotations in a readable form, with colours if the terminal has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from glossator.annotations.layer import ENTS, Layer
from glossator.annotations.read import categories_of
from glossator.pipeline.head import answer_of

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from glossator.formats.record import Record
    from glossator.pipeline.head import Head
    from glossator.pipeline.pipeline import Pipeline

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")
MOST_CATEGORIES = 5
BAR_WIDTH = 20


class ReadableWriter:
    """Prints each document: its text with marked spans, tags, and categories as bars with ✓ if they hold.

    Example:
        writer = ReadableWriter(pipeline)
        writer.write(pipeline("Mara lives in Oslo."), Record("Mara lives in Oslo."))
    """

    def __init__(self, pipeline: Pipeline, console: Console | None = None) -> None:
        self._pipeline = pipeline
        self._console = console or Console(highlight=False, soft_wrap=True)
        labels = [label for head in pipeline.heads.values() for label in head.labels]
        self._styles = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(dict.fromkeys(labels))}

    def write(self, doc: Doc, record: Record) -> None:
        """Print one document."""
        answer = answer_of(doc, self._pipeline.heads.values())
        self._console.print(Text(_title(record), style="dim"))
        # Entities are marked in the text itself, which comes first.
        heads = sorted(self._pipeline.heads.values(), key=lambda head: head.config.layer != ENTS)
        if not any(head.config.layer == ENTS for head in heads):
            self._console.print(Text(doc.text.strip()))
        for head in heads:
            for text in self._lines(head, doc, answer[head.name]):
                self._console.print(text)
        self._console.print()

    def flush(self) -> None:
        """Do nothing: there is no buffer."""

    def close(self) -> None:
        """Do nothing: there is no file to close."""

    def _lines(self, head: Head, doc: Doc, answer: object) -> list[Text]:
        layer = head.config.layer
        if layer == ENTS:
            return [self._marked(head, doc)]
        if layer.is_categories:
            return self._bars(head, doc)
        if layer.is_tags:
            return [self._tagged(doc, layer)]
        return self._listed(head, doc)

    def _marked(self, head: Head, doc: Doc) -> Text:
        text = Text()
        end = 0
        scored = head.config.layer.scored_spans(doc, head.name)
        for span, score in sorted(scored, key=lambda pair: pair[0].start):
            text.append(doc.text[end : span.start_char])
            colour = self._styles.get(span.label_, "white")
            text.append(f"[{span.text}", style=f"bold {colour}")
            text.append(f" {span.label_} {score:.2f}]", style=colour)
            end = span.end_char
        text.append(doc.text[end:].rstrip())
        return text

    def _tagged(self, doc: Doc, layer: Layer) -> Text:
        text = Text()
        for token in doc:
            if token.is_space:
                continue
            text.append(token.text)
            text.append(f"/{layer.label_of(token)} ", style="dim")
        return text

    def _bars(self, head: Head, doc: Doc) -> list[Text]:
        holding = categories_of(doc).get(head.name, ())
        # By the rounded scores that are printed; those that hold win ties.
        ranked = sorted(head.labels, key=lambda label: (-round(doc.cats[label], 2), label not in holding))
        rows = [
            (doc.cats[label], label, label in holding)
            for rank, label in enumerate(ranked)
            if rank < MOST_CATEGORIES or label in holding
        ]
        width = max((len(label) for _, label, _ in rows), default=0)
        lines = []
        for score, label, holds in rows:
            line = Text(f"  {head.name}: ", style="dim")
            line.append("✓ " if holds else "  ", style="bold")
            line.append(f"{label:<{width}} ", style=f"{'bold ' if holds else ''}{self._styles[label]}")
            line.append("█" * round(score * BAR_WIDTH) or "▏", style=self._styles[label])
            line.append(f" {score:.2f}")
            lines.append(line)
        return lines

    def _listed(self, head: Head, doc: Doc) -> list[Text]:
        layer = head.config.layer
        return [
            Text.assemble(
                (f"  {layer.key}: ", "dim"),
                (f"{span.label_} ", self._styles.get(span.label_, "white")),
                f"{span.text} {score:.2f}",
            )
            for span, score in layer.scored_spans(doc, head.name)
        ]


def _title(record: Record) -> str:
    return f"{record.file}:{record.line}" if record.line and record.line > 1 else record.file
