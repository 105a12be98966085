"""Scores of a layer: spaCy's own scores, under spaCy's own names.

White-space tokens and missing gold count as they do in spaCy. If the gold has no annotations of the layer,
the score is None.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from spacy.scorer import PRFScore, ROCAUCScore, Scorer, get_ner_prf

from glossator.annotations.layer import Layer
from glossator.errors import ConfigError, DataError
from glossator.evaluation.matching import NO_THRESHOLDS, Match, match_categories
from glossator.ml.thresholds import Thresholds

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.training import Example

Unit = tuple[int, int, str]


def main_score(layer: Layer, *, exclusive: bool = True) -> str:
    """Return the name of the score by which training selects; `exclusive` is only used for `cats`.

    Example:
        main_score(Layer.parse("ents"))  # "ents_f"
    """
    if layer.is_categories:
        return "cats_macro_f" if exclusive else "cats_macro_auc"
    return f"{layer.score_prefix}_f" if layer.is_spans else f"{layer.score_prefix}_acc"


def score_layer(
    examples: Sequence[Example],
    layer: Layer,
    *,
    labels: Sequence[str] = (),
    exclusive: bool = True,
    thresholds: Thresholds = NO_THRESHOLDS,
) -> dict[str, Any]:
    """Score one layer of predicted Docs against their references.

    Example:
        scores = score_layer(examples, Layer.parse("ents"))
        print(scores["ents_f"])

    Args:
        examples: Annotated and gold Docs.
        layer: `ents`, `spans:KEY`, `tag`, `pos` or `cats`.
        labels: For `cats`, the categories to score.
        exclusive: For `cats`, whether a document has at most one.
        thresholds: For `cats`, the lowest probability at which each holds; see
            `thresholds.labels_that_hold`.

    Returns:
        spaCy's scores and, for `cats`, the accuracy `cats_acc`: the share of annotated documents whose
        categories are all correct. Exclusive `cats` with thresholds also have `cats_in_scope_acc`, the
        accuracy of the most probable category for documents in scope; and for the detection of documents out
        of scope, precision, recall, F1 (`oos_p`, `oos_r`, `oos_f`) and the area under the ROC curve
        (`oos_auc`) of the highest probability.

    Raises:
        DataError: If exclusive categories were predicted for some documents only.
    """
    if layer.is_categories:
        return _score_cats(examples, labels, exclusive, thresholds)
    if layer.kind == "ents":
        return get_ner_prf(examples)
    if layer.is_spans:
        return _score_spans(examples, layer)
    return Scorer.score_token_attr(examples, layer.kind)


def retokenized_scores(
    gold: Sequence[Doc], predicted: Sequence[Doc], layer: Layer
) -> dict[str, float | None]:
    """Score Docs of the same texts that were tokenized differently, as the CoNLL 2018 shared task did.

    Words and spans are equal if they cover the same characters other than white space. Unannotated parts of
    the gold are not scored.

    Example:
        retokenized_scores(gold_docs, list(pipeline.pipe(texts)), Layer.parse("pos"))["pos_f"]

    Args:
        gold: The gold Docs.
        predicted: The annotated Docs, in the same order; their white space may differ.
        layer: `ents`, `spans:KEY`, `tag` or `pos`.

    Returns:
        Precision, recall and F1 of the words (`token_p`, `token_r`, `token_f`) and of the layer, e.g.
        `tag_f`: of words with their tags, or of spans with their labels.

    Raises:
        ConfigError: For `cats`, which do not depend on tokens.
        DataError: If the texts differ in more than white space.
    """
    if layer.is_categories:
        raise ConfigError(f"'{layer}' belongs to whole documents and is not scored by characters")
    if len(gold) != len(predicted):
        raise DataError(f"{len(gold)} gold documents cannot be compared with {len(predicted)} predicted ones")
    words, labelled = PRFScore(), PRFScore()
    for number, (reference, doc) in enumerate(zip(gold, predicted, strict=True), start=1):
        _check_same_text(reference, doc, number)
        gold_offsets, offsets = _offsets(reference), _offsets(doc)
        words.score_set(_words(doc, offsets), _words(reference, gold_offsets))
        if layer.is_annotated(reference):
            mask = _annotated_characters(reference, layer, gold_offsets)
            labelled.score_set(
                _units(doc, layer, offsets, mask), _units(reference, layer, gold_offsets, mask)
            )
    return _named("token", words) | _named(layer.score_prefix, labelled)


def _score_cats(
    examples: Sequence[Example], labels: Sequence[str], exclusive: bool, thresholds: Thresholds
) -> dict[str, Any]:
    if exclusive:
        _check_all_classified(examples, labels)
    classified = [example for example in examples if any(map(example.predicted.cats.get, labels))]
    scores = Scorer.score_cats(
        classified if exclusive else examples,
        "cats",
        labels=labels,
        multi_label=not exclusive,
        getter=_positive if exclusive else getattr,
    )
    gold, predicted = [example.reference for example in examples], [example.predicted for example in examples]
    match = functools.partial(match_categories, gold, predicted, labels, exclusive=exclusive)
    matches = match(thresholds=thresholds)
    if not exclusive or len(classified) < len(examples):
        # spaCy's Scorer has one threshold for all labels, and fails on documents without a prediction.
        scores |= _from_matches(matches, labels)
    if exclusive and thresholds:
        # Without thresholds the most probable category is always the prediction.
        in_scope = [one for one in match() if one.gold and one.gold.label in labels]
        scores |= {"cats_in_scope_acc": _accuracy(in_scope), **_out_of_scope(matches, predicted, labels)}
    return {**scores, "cats_acc": _accuracy(matches)}


def _positive(doc: Doc, attribute: str) -> dict[str, float]:
    """Return the categories that hold."""
    # spaCy would take a category of 0 for the correct one if no other is annotated.
    return {label: value for label, value in getattr(doc, attribute).items() if value > 0}


def _from_matches(matches: Sequence[Match], labels: Sequence[str]) -> dict[str, Any]:
    """Return spaCy's precision, recall and F1 of categories, by label and on average."""
    by_label = {label: PRFScore() for label in labels}
    micro = PRFScore()
    for match in matches:
        for label in {side.label for side in (match.gold, match.predicted) if side}.intersection(labels):
            sides = [
                {match.document} if side and side.label == label else set()
                for side in (match.predicted, match.gold)
            ]
            by_label[label].score_set(*sides)
            micro.score_set(*sides)
    if not matches:
        return {}

    per_label = {label: score.to_dict() for label, score in by_label.items()}
    macro = {
        f"cats_macro_{part}": sum(row[part] for row in per_label.values()) / len(labels) for part in "prf"
    }
    micros = {f"cats_micro_{part}": value for part, value in micro.to_dict().items()}
    return {**micros, **macro, "cats_f_per_type": per_label}


def _out_of_scope(
    matches: Sequence[Match], predicted: Sequence[Doc], labels: Sequence[str]
) -> dict[str, float | None]:
    detection = PRFScore()
    detection.score_set(
        {match.document for match in matches if match.predicted is None},
        {match.document for match in matches if match.gold is None},
    )
    doubt = [1 - max(predicted[match.document].cats[label] for label in labels) for match in matches]
    outside = [match.gold is None for match in matches]
    area = ROCAUCScore()
    for value, is_outside in zip(doubt, outside, strict=True):
        area.score_set(value, is_outside)
    # The area is undefined unless there are documents of both kinds.
    return {**_named("oos", detection), "oos_auc": area.score if len(set(outside)) == 2 else None}


def _accuracy(matches: Sequence[Match]) -> float | None:
    """Return the share of documents without a wrong match."""
    documents = {match.document for match in matches}
    wrong = {match.document for match in matches if not match.is_correct}
    return 1 - len(wrong) / len(documents) if documents else None


def _check_all_classified(examples: Sequence[Example], labels: Sequence[str]) -> None:
    # spaCy's Scorer fails on such a document with an IndexError that does not name the document.
    for number, example in enumerate(examples, start=1):
        if example.reference.cats and not example.predicted.cats.keys() & set(labels):
            raise DataError(
                f"document {number} of {len(examples)} has gold categories but none of {', '.join(labels)} "
                "was predicted for it: annotate it, or leave it out of the evaluation"
            )


def _score_spans(examples: Sequence[Example], layer: Layer) -> dict[str, Any]:
    return Scorer.score_spans(
        examples,
        layer.score_prefix,
        getter=lambda doc, _: layer.spans(doc),
        has_annotation=layer.is_annotated,
        allow_overlap=True,
    )


def _named(prefix: str, score: PRFScore) -> dict[str, float | None]:
    values = {"p": score.precision, "r": score.recall, "f": score.fscore}
    return {f"{prefix}_{name}": value if len(score) else None for name, value in values.items()}


def _check_same_text(gold: Doc, predicted: Doc, number: int) -> None:
    gold_text, text = "".join(gold.text.split()), "".join(predicted.text.split())
    if gold_text != text:
        at = next(
            (i for i, (a, b) in enumerate(zip(gold_text, text, strict=False)) if a != b),
            min(len(gold_text), len(text)),
        )
        raise DataError(
            f"document {number}: gold and predicted texts differ in more than white space, first at "
            f"{gold_text[at : at + 20]!r} and {text[at : at + 20]!r}: compare files made from the same texts"
        )


def _offsets(doc: Doc) -> NDArray[np.intp]:
    """Return the number of non-space characters before each character of the text, and before its end."""
    visible = [not character.isspace() for character in doc.text]
    return np.concatenate(([0], np.cumsum(visible, dtype=np.intp)))


def _words(doc: Doc, offsets: NDArray[np.intp]) -> set[tuple[int, int]]:
    ranges = {(int(offsets[token.idx]), int(offsets[token.idx + len(token)])) for token in doc}
    return {(start, end) for start, end in ranges if start < end}


def _annotated_characters(gold: Doc, layer: Layer, offsets: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return a mask of the non-space characters that the gold annotates."""
    mask = np.ones(offsets[-1], dtype=bool)
    for token in gold:
        if layer.is_missing(token):
            mask[offsets[token.idx] : offsets[token.idx + len(token)]] = False
    return mask


def _units(doc: Doc, layer: Layer, offsets: NDArray[np.intp], mask: NDArray[np.bool_]) -> set[Unit]:
    """Return the annotations to score as (start, end, label), counted in non-space characters."""
    units = (
        (int(offsets[start]), int(offsets[end]), label) for start, end, label in _annotations(doc, layer)
    )
    return {(start, end, label) for start, end, label in units if start < end and mask[start:end].all()}


def _annotations(doc: Doc, layer: Layer) -> Iterable[Unit]:
    if not layer.is_spans:
        return [(token.idx, token.idx + len(token), layer.label_of(token)) for token in doc]
    return [(span.start_char, span.end_char, span.label_) for span in layer.spans(doc)]
