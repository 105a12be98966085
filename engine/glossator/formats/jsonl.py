"""JSON Lines: one object per line, with "text", the fields that spaCy and Prodigy use, and any others."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Never

from glossator.annotations.layer import ENTS, layer_of_scores
from glossator.annotations.read import categories_of, has_entities, is_universal, span_groups
from glossator.errors import DataError
from glossator.formats import Writer
from glossator.formats.record import CharSpan, GoldTokens, Record
from glossator.formats.shared.text_streams import open_output, read_lines

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span

# What becomes an attribute of the Record; everything else goes into `Record.fields`.
OWN_FIELDS = ("text", "spans", "cats", "tokens")

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class _Token(NamedTuple):
    text: str
    space: bool
    tag: str
    pos: str


class JsonLines:
    """Reads and writes JSON Lines.

    Reads `text` and, if present, `spans` [{start, end, label}], `cats` {label: number} and
    `tokens` [{start, end, tag?, pos?}], all in characters. Other fields are kept and written back.
    Also writes scores, the spans of `doc.spans` by key under `span_groups`, and the categories that hold,
    for each classifier, under `labels`.

    Example:
        records = JsonLines().read(Path("letters.jsonl"), name="letters.jsonl", encoding="utf-8")
    """

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
        """Yield one record per line; blank lines are skipped."""
        for item in read_lines(path, name, encoding):
            if isinstance(item, DataError):
                yield item
            elif item[1].strip():
                yield _read(item[1], name, item[0])

    def writer(self, path: Path, *, append: bool = False) -> Writer:
        """Open a JSON Lines file."""
        return _JsonLinesWriter(path, append)


class _JsonLinesWriter:
    def __init__(self, path: Path, append: bool) -> None:
        self._file = open_output(path, append)

    def write(self, doc: Doc, record: Record) -> None:
        self._file.write(json.dumps(as_json(doc, record), ensure_ascii=False) + "\n")

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def as_json(doc: Doc, record: Record) -> dict[str, Any]:
    """Return the JSON object of a document, with the record's annotations where the Doc is unannotated.

    A field with the name of a layer gets an underscore.

    Example:
        as_json(doc, Record(doc.text))  # {"text": "...", "spans": [{"start": 0, "end": 4, "label": "PER"}]}
    """
    fields = dict(record.fields)

    groups = _span_groups(doc)
    if groups and isinstance(fields.get("span_groups"), dict):
        groups = {**fields.pop("span_groups"), **groups}
    layers: dict[str, Any] = {
        "spans": _spans(doc, record),
        "span_groups": groups or None,
        "cats": _cats(doc, record),
        "labels": dict(categories_of(doc)) or None,
        "tokens": _tokens(doc, record),
    }
    annotated = {layer: value for layer, value in layers.items() if value is not None}
    taken = {*OWN_FIELDS, *annotated}
    written = {_free_name(key, taken, fields): value for key, value in fields.items()}
    return {"text": doc.text, **written, **annotated}


def _free_name(key: str, taken: set[str], fields: dict[str, Any]) -> str:
    """Return a field's name, with underscores appended until it is free."""
    while key in taken:
        taken = {*taken, *fields}
        key += "_"
    return key


def _spans(doc: Doc, record: Record) -> list[dict[str, Any]] | None:
    if has_entities(doc):
        scores = _entity_scores(doc)
        return [_span(entity, scores.get((entity.start, entity.end, entity.label))) for entity in doc.ents]
    return None if record.spans is None else [span._asdict() for span in record.spans]


def _entity_scores(doc: Doc) -> dict[tuple[int, int, int], float]:
    return {
        (span.start, span.end, span.label): score
        for group in doc.spans.values()
        if layer_of_scores(group) == ENTS
        for span, score in zip(group, group.attrs.get("scores", ()), strict=False)
    }


def _span_groups(doc: Doc) -> dict[str, list[dict[str, Any]]]:
    groups = {}
    for key, group in span_groups(doc).items():
        scores = group.attrs.get("scores", ())
        # Another program may have changed the spans and not the scores: no score is better than a wrong one.
        scores = scores if len(scores) == len(group) else [None] * len(group)
        groups[key] = [_span(span, score) for span, score in zip(group, scores, strict=True)]
    return groups


def _span(span: Span, score: float | None) -> dict[str, Any]:
    written = {"start": span.start_char, "end": span.end_char, "label": span.label_}
    return written if score is None else {**written, "score": float(score)}


def _cats(doc: Doc, record: Record) -> dict[str, float] | None:
    return {label: float(value) for label, value in doc.cats.items()} if doc.cats else record.cats


def _tokens(doc: Doc, record: Record) -> list[dict[str, Any]] | None:
    if len(doc) and (doc.has_annotation("TAG") or doc.has_annotation("POS")):
        return [_token(token.idx, token.text, token.tag_, token.pos_) for token in doc]
    return None if record.tokens is None else _gold_tokens(record.tokens)


def _gold_tokens(tokens: GoldTokens) -> list[dict[str, Any]]:
    blank = [""] * len(tokens.words)
    written, start = [], 0
    columns = (tokens.words, tokens.spaces, tokens.tags or blank, tokens.pos or blank)
    for word, space, tag, pos in zip(*columns, strict=True):
        written.append(_token(start, word, tag, pos))
        start += len(word) + space
    return written


def _token(start: int, word: str, tag: str, pos: str) -> dict[str, Any]:
    written: dict[str, Any] = {"start": start, "end": start + len(word)}
    return written | ({"tag": tag} if tag else {}) | ({"pos": pos} if pos else {})


def _read(line: str, name: str, number: int) -> Record | DataError:
    try:
        record = _record(_object(line))
    except ValueError as error:
        return DataError(str(error), file=name, line=number)
    record.file, record.line = name, number
    return record


def _object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_constant=_refuse, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError('is not a JSON object: expected one like {"text": "..."}')
    return value


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"the number {number} is too large")
    return value


def _refuse(constant: str) -> Never:
    raise ValueError(f"is not JSON: {constant} is not a JSON number")


def _record(value: dict[str, Any]) -> Record:
    text = _text(value.get("text"), '"text"')
    spans, cats, tokens = value.get("spans"), value.get("cats"), value.get("tokens")
    return Record(
        text,
        tokens=None if tokens is None else _read_tokens(tokens, text),
        spans=None if spans is None else [_read_span(span, text) for span in _list(spans, '"spans"')],
        cats=None if cats is None else _read_cats(cats),
        fields={key: field for key, field in value.items() if key not in OWN_FIELDS},
    )


def _read_span(item: Any, text: str) -> CharSpan:
    start, end = _extent(item, '"spans"', text)
    label = _text(item.get("label"), 'the "label" of a span')
    if not label:
        raise ValueError('the "label" of a span is empty')
    return CharSpan(start, end, label)


def _read_cats(cats: Any) -> dict[str, float]:
    if not isinstance(cats, dict):
        raise ValueError('"cats" is not an object of labels and numbers')
    for label, value in cats.items():
        _text(label, 'a label of "cats"')
        if not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
            raise ValueError(f'"cats" has no number for {label!r}')
    return {label: float(value) for label, value in cats.items()}


def _read_tokens(items: Any, text: str) -> GoldTokens:
    """Return tokens that spell the whole text: white space other than a single space becomes a token."""
    words: list[_Token] = []
    position = 0
    for item in _list(items, '"tokens"'):
        start, end = _extent(item, '"tokens"', text)
        if start < position or start == end:
            raise ValueError(f'"tokens" has an empty or overlapping token at {start}:{end}')
        words = _with_gap(words, text[position:start])
        words.append(_Token(text[start:end], False, _tag_of(item, "tag"), _tag_of(item, "pos")))
        position = end
    words = _with_gap(words, text[position:])
    tags, pos = [word.tag for word in words], [word.pos for word in words]
    return GoldTokens(
        [word.text for word in words],
        [word.space for word in words],
        tags if any(tags) else None,
        pos if any(pos) else None,
    )


def _with_gap(words: list[_Token], gap: str) -> list[_Token]:
    if gap.strip():
        raise ValueError(f'"tokens" leave out {gap.strip()!r}')
    if words and gap.startswith(" "):
        words[-1] = words[-1]._replace(space=True)
        gap = gap[1:]
    return [*words, _Token(gap, False, "", "")] if gap else words


def _tag_of(item: dict[str, Any], layer: str) -> str:
    tag = _text(item.get(layer, ""), f'the "{layer}" of a token')
    if layer == "pos" and tag and not is_universal(tag):
        raise ValueError(f"{tag!r} is not a universal part of speech")
    return tag


def _extent(item: Any, field: str, text: str) -> tuple[int, int]:
    if not isinstance(item, dict):
        raise ValueError(f"{field} holds {item!r}, which is not an object")
    start, end = item.get("start"), item.get("end")
    if type(start) is not int or type(end) is not int:  # bool is an int to isinstance
        raise ValueError(f'{field} needs whole numbers "start" and "end", not {start!r} and {end!r}')
    if not 0 <= start <= end <= len(text):
        raise ValueError(f"{field} has {start}:{end}, outside the text's 0:{len(text)}")
    return start, end


def _list(value: Any, field: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{field} is not a list")
    return value


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{field} is not a string" if value is not None else f"{field} is missing")
    if _LONE_SURROGATE.search(value):
        # Python strings may hold one, but no encoding can write it.
        raise ValueError(f"{field} has half a surrogate pair, which is not a character")
    return value
