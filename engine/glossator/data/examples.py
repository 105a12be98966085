"""Turns records into Docs and gold examples, and collects the errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spacy.tokens import Doc
from spacy.training import Example

from glossator.annotations.layer import CATS, ENTS, POS, TAG, Layer
from glossator.annotations.read import count_annotations
from glossator.data.alignment import AlignmentReport, set_gold_spans
from glossator.errors import DataError, GlossatorError

if TYPE_CHECKING:
    from spacy.vocab import Vocab

    from glossator.formats.record import GoldTokens, Record
    from glossator.stages import Tokenizer


SOURCE = "glossator.place"  # key of the file and line of origin in the `user_data` of a reference


def rehome(doc: Doc, vocab: Vocab) -> Doc:
    """Return the Doc on another vocab, with all its annotations; the same Doc if it has this vocab.

    Example:
        doc = rehome(doc, pipeline.vocab)
    """
    if doc.vocab is vocab:
        return doc
    # The values of `user_data` need not be serializable: they are copied as they are.
    moved = Doc(vocab).from_bytes(doc.to_bytes(exclude=["user_data"]))
    moved.user_data.update(doc.user_data)
    return moved


def record_doc(record: Record, tokenizer: Tokenizer) -> Doc:
    """Return the Doc of a record: its own Doc, else its own tokens, else its text tokenized.

    The Doc has the tokenizer's vocab. Tokens without sentence boundaries are one sentence.

    Example:
        doc = record_doc(Record("Mara lives in Oslo."), pipeline.tokenizer)
    """
    if record.doc is not None:
        return rehome(record.doc, tokenizer("").vocab)
    if record.tokens is not None:
        return _doc_of_tokens(record.tokens, tokenizer("").vocab)
    return tokenizer(record.text)


def gold_example(record: Record, layer: Layer, tokenizer: Tokenizer, report: AlignmentReport) -> Example:
    """Return an Example of one layer: a Doc without annotations, and the same tokens with gold annotations.

    Both have the sentence starts of `record_doc`. What the record does not annotate stays missing. The
    `user_data` of the gold side holds the `SOURCE`.

    Example:
        example = gold_example(record, Layer.parse("ents"), pipeline.tokenizer, AlignmentReport())
        example.reference.ents

    Args:
        record: The document.
        layer: The layer.
        tokenizer: Makes the tokens if the record has none.
        report: Counts each span.
    """
    doc = record_doc(record, tokenizer)
    predicted = doc if record.doc is None else _unannotated(doc)
    reference = _unannotated(doc)
    reference.user_data[SOURCE] = (record.file, record.line)
    _annotate(reference, layer, record, report)
    return Example(predicted, reference)


def gold_doc(record: Record, tokenizer: Tokenizer, report: AlignmentReport) -> Doc:
    """Return the Doc of a record with all gold annotations: entities, tags and categories.

    If the record has a Doc of its own, this is returned with all its annotations; its spans are on
    tokens already. Arguments as in `gold_example`.

    Example:
        doc = gold_doc(record, pipeline.tokenizer, AlignmentReport())
    """
    doc = record_doc(record, tokenizer)
    if record.doc is not None:
        counts = count_annotations(doc)
        report.exact += counts["ents"] + counts["spans"]
    else:
        for layer in (ENTS, TAG, POS, CATS):
            _annotate(doc, layer, record, report)
    return doc


def _annotate(doc: Doc, layer: Layer, record: Record, report: AlignmentReport) -> None:
    if layer.is_categories:
        doc.cats = dict(record.cats or {})
    elif layer.is_tags:
        _set_tags(doc, layer, _gold_tags(record, layer))
    else:
        set_gold_spans(doc, layer, record, report)


def _doc_of_tokens(tokens: GoldTokens, vocab: Vocab) -> Doc:
    starts = {0} if tokens.sent_starts is None else set(tokens.sent_starts)
    sent_starts: list[bool | int | None] = [index in starts for index in range(len(tokens.words))]
    return Doc(vocab, words=tokens.words, spaces=tokens.spaces, sent_starts=sent_starts)


def _unannotated(doc: Doc) -> Doc:
    words, spaces = [token.text for token in doc], [bool(token.whitespace_) for token in doc]
    sent_starts: list[bool | int | None] | None = None
    if doc.has_annotation("SENT_START"):
        sent_starts = [token.is_sent_start for token in doc]
    return Doc(doc.vocab, words=words, spaces=spaces, sent_starts=sent_starts)


def _gold_tags(record: Record, layer: Layer) -> Sequence[str]:
    """Return one tag per token, "" for untagged tokens; an empty list if the record has no tags."""
    if record.doc is not None:
        return [layer.label_of(token) for token in record.doc]
    if record.tokens is None:
        return []
    return (record.tokens.tags if layer.kind == "tag" else record.tokens.pos) or []


def _set_tags(doc: Doc, layer: Layer, tags: Sequence[str]) -> None:
    for token, tag in zip(doc, tags, strict=False):
        if tag:
            setattr(token, f"{layer.kind}_", tag)


@dataclass(slots=True)
class GoldData:
    """The examples of one head.

    Example:
        data = read_gold(records, head.config.layer, pipeline.tokenizer)
        print(len(data.examples), data.alignment.summary())

    Attributes:
        examples: Unannotated Docs with their gold references.
        errors: The errors of documents that could not be read.
        alignment: The alignment of gold spans with tokens.
        unannotated: Number of documents without gold on the head's layer.
    """

    examples: list[Example] = field(default_factory=list)
    errors: list[DataError] = field(default_factory=list)
    alignment: AlignmentReport = field(default_factory=AlignmentReport)
    unannotated: int = 0


def read_gold(records: Iterable[Record | DataError], layer: Layer, tokenizer: Tokenizer) -> GoldData:
    """Turn records into examples of one layer, on the tokenizer's vocab; skip records without the layer.

    Example:
        data = read_gold(source.records("train"), Layer.parse("ents"), pipeline.tokenizer)
    """
    data = GoldData()
    for record in records:
        if isinstance(record, DataError):
            data.errors.append(record)
        elif not has_gold(record, layer):
            data.unannotated += 1
        else:
            try:
                data.examples.append(gold_example(record, layer, tokenizer, data.alignment))
            except Exception as error:  # a plugin's tokenizer may raise anything
                data.errors.append(document_error(record, error))
    return data


def document_error(record: Record, error: Exception) -> DataError:
    """Return the error of a document, with its file and line.

    Example:
        document_error(record, ValueError("no words"))  # a DataError with the record's file and line
    """
    if isinstance(error, DataError) and error.file:
        return error
    text = str(error) if isinstance(error, GlossatorError) else f"{type(error).__name__}: {error}"
    wrapped = DataError(text, file=record.file, line=record.line)
    wrapped.__cause__ = error
    return wrapped


def has_gold(record: Record, layer: Layer) -> bool:
    """Whether a record has gold annotations of a layer.

    Example:
        has_gold(Record("Mara", spans=[]), Layer.parse("ents"))  # True: annotated, without entities
    """
    if record.doc is not None:
        return layer.is_annotated(record.doc)
    if layer.is_categories:
        return record.cats is not None
    if layer.is_tags:
        tokens = record.tokens
        return tokens is not None and (tokens.tags if layer.kind == "tag" else tokens.pos) is not None
    return record.spans is not None
