"""Golden texts: what a pipeline said when it was saved, so that a change of its answers is noticed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from glossator.pipeline import Pipeline

TOLERANCE = 1e-3

TEXTS = (
    "Miriam Okafor flew from Lisbon to Toronto on Monday to meet the board of Halden Shipping.",
    "We loved the soup, but the waiter was rude and the room far too loud.",
    "Is the ferry to Skye still running? Call +44 1599 555 0123 before 9:30.",
    "O comboio para o Porto parte às oito, disse a Joana Teixeira.",
    "林小姐上星期在上海买了一本旧书。",
    "lol @kestrel_77 the new #Brightwater album is soooo good 😍 http://example.com/a?b=1",
    "  A line with\tblanks.\n\nAnd another one, by J. R. Hartley-Smith of the University of Bergen.  ",
    "",
)


def record(pipeline: Pipeline) -> str:
    """Return the golden texts and the pipeline's answers, a JSON object a line."""
    lines = [json.dumps(answer, ensure_ascii=False) for answer in _answers(pipeline, TEXTS)]
    return "".join(f"{line}\n" for line in lines)


def differences(pipeline: Pipeline, recorded: str) -> list[str]:
    """Return what a pipeline now answers differently, a sentence each; labels must be equal, scores close."""
    wanted = [json.loads(line) for line in recorded.splitlines()]
    found = _answers(pipeline, tuple(answer["text"] for answer in wanted))
    return [
        f"{want['text']!r}: {name}: {want[name]} is now {got.get(name)}"
        for want, got in zip(wanted, found, strict=True)
        for name in want
        if name in got and not _alike(want[name], got[name])
    ]


def answer_of(doc: Doc, pipeline: Pipeline) -> dict[str, Any]:
    """Return everything a pipeline wrote to a Doc, by head, as JSON values."""
    answer: dict[str, Any] = {"text": doc.text}
    for head in pipeline.heads.values():
        layer = head.config.layer
        if layer == "cats":
            answer[head.name] = {label: doc.cats[label] for label in head.labels}
        elif layer in ("tag", "pos"):
            tags = [token.tag_ if layer == "tag" else token.pos_ for token in doc]
            answer[head.name] = [tags, doc.spans[head.name].attrs["scores"]]
        else:
            group = doc.spans[head.name if layer == "ents" else layer.removeprefix("spans:")]
            scores = group.attrs["scores"]
            answer[head.name] = [
                [span.start_char, span.end_char, span.label_, score]
                for span, score in zip(group, scores, strict=True)
            ]
    return answer


def _answers(pipeline: Pipeline, texts: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    return (answer_of(doc, pipeline) for doc in pipeline.pipe(texts))


def _alike(want: Any, got: Any) -> bool:
    if isinstance(want, float) and isinstance(got, int | float):
        return abs(want - got) <= TOLERANCE
    if isinstance(want, Mapping) and isinstance(got, Mapping):
        return want.keys() == got.keys() and all(_alike(want[key], got[key]) for key in want)
    if isinstance(want, list | tuple) and isinstance(got, list | tuple):
        return len(want) == len(got) and all(map(_alike, want, got))
    return bool(want == got)
