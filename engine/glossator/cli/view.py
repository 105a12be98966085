"""Annotations for reading: coloured where there is colour, and as clear without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from glossator.annotate import categories_of
from glossator.golden import answer_of

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from glossator.formats.record import Record
    from glossator.heads import Head
    from glossator.pipeline import Pipeline

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")
MOST_CATEGORIES = 5
BAR_WIDTH = 20


class ReadableWriter:
    """Shows each document: its text with spans marked, tags, categories as bars, ✓ at those that hold."""

    def __init__(self, pipeline: Pipeline, console: Console | None = None) -> None:
        self._pipeline = pipeline
        self._console = console or Console(highlight=False, soft_wrap=True)
        labels = [label for head in pipeline.heads.values() for label in head.labels]
        self._styles = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(dict.fromkeys(labels))}

    def write(self, doc: Doc, record: Record) -> None:
        """Show one document."""
        answer = answer_of(doc, self._pipeline)
        self._console.print(Text(_title(record), style="dim"))
        # Entities are marked in the text itself, which comes first.
        heads = sorted(self._pipeline.heads.values(), key=lambda head: head.config.layer != "ents")
        if not any(head.config.layer == "ents" for head in heads):
            self._console.print(Text(doc.text.strip()))
        for head in heads:
            for text in self._lines(head, doc, answer[head.name]):
                self._console.print(text)
        self._console.print()

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is left to do."""

    def _lines(self, head: Head, doc: Doc, answer: object) -> list[Text]:
        layer = head.config.layer
        if layer == "ents":
            return [self._marked(doc, head.name)]
        if layer == "cats":
            return self._bars(head, doc)
        if layer in ("tag", "pos"):
            return [self._tagged(doc, layer)]
        return self._listed(doc, layer.removeprefix("spans:"))

    def _marked(self, doc: Doc, head: str) -> Text:
        text = Text()
        end = 0
        group = doc.spans[head]
        for span, score in sorted(
            zip(group, group.attrs["scores"], strict=True), key=lambda pair: pair[0].start
        ):
            text.append(doc.text[end : span.start_char])
            colour = self._styles.get(span.label_, "white")
            text.append(f"[{span.text}", style=f"bold {colour}")
            text.append(f" {span.label_} {score:.2f}]", style=colour)
            end = span.end_char
        text.append(doc.text[end:].rstrip())
        return text

    def _tagged(self, doc: Doc, layer: str) -> Text:
        text = Text()
        for token in doc:
            if token.is_space:
                continue
            text.append(token.text)
            text.append(f"/{token.pos_ if layer == 'pos' else token.tag_} ", style="dim")
        return text

    def _bars(self, head: Head, doc: Doc) -> list[Text]:
        holding = categories_of(doc).get(head.name, ())
        # By what is shown of the scores, and of equals those that hold first.
        ranked = sorted(head.labels, key=lambda label: (-round(doc.cats[label], 2), label not in holding))
        shown = [
            (doc.cats[label], label, label in holding)
            for rank, label in enumerate(ranked)
            if rank < MOST_CATEGORIES or label in holding
        ]
        width = max((len(label) for _, label, _ in shown), default=0)
        lines = []
        for score, label, holds in shown:
            line = Text(f"  {head.name}: ", style="dim")
            line.append("✓ " if holds else "  ", style="bold")
            line.append(f"{label:<{width}} ", style=f"{'bold ' if holds else ''}{self._styles[label]}")
            line.append("█" * round(score * BAR_WIDTH) or "▏", style=self._styles[label])
            line.append(f" {score:.2f}")
            lines.append(line)
        return lines

    def _listed(self, doc: Doc, key: str) -> list[Text]:
        group = doc.spans[key]
        return [
            Text.assemble(
                (f"  {key}: ", "dim"),
                (f"{span.label_} ", self._styles.get(span.label_, "white")),
                f"{span.text} {score:.2f}",
            )
            for span, score in zip(group, group.attrs["scores"], strict=True)
        ]


def _title(record: Record) -> str:
    return f"{record.file}:{record.line}" if record.line and record.line > 1 else record.file
