"""From logits to tags and spans with probabilities, vectorised over batches of like length."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from glossator.decoding import (
    forward_backward,
    marginals,
    span_posteriors,
    viterbi,
)
from glossator.schemes import SpanScheme
from glossator.stages import ScoredSpan, TokenTags
from glossator_keras.encoding.input_encoder import Layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glossator.words import Words

    Floats = NDArray[np.floating[Any]]


class Chain(NamedTuple):
    """The log potentials of a linear chain over labels, beside its emissions; -inf forbids.

    Attributes:
        transitions: (labels, labels), from row to column.
        start: (labels,).
        end: (labels,).
    """

    transitions: Floats
    start: Floats
    end: Floats

    @classmethod
    def of_scheme(cls, scheme: SpanScheme) -> Chain:
        """Return potentials that allow what is well-formed and prefer nothing."""
        return cls(*scheme.constraints())

    def divided_by(self, temperature: float) -> Chain:
        """Return the potentials at a temperature."""
        return Chain(self.transitions / temperature, self.start / temperature, self.end / temperature)


Answer = tuple[Layout, "Floats"]  # sentences and their logits, (batch, time, labels)


def decode_spans(
    answers: Iterable[Answer],
    words: Words,
    scheme: SpanScheme,
    chain: Chain,
    temperature: float,
) -> list[list[ScoredSpan]]:
    """Return the spans of each Doc's best well-formed sequences, each with its exact posterior.

    Args:
        answers: All sentences of the Docs, in batches.
        words: The words of the Docs.
        scheme: How spans are spelt in labels.
        chain: Chain beside the logits.
        temperature: What all potentials are divided by.
    """
    scaled = chain.divided_by(temperature)
    found = [np.zeros((0, 3), dtype=np.intp)]
    scores = [np.zeros(0)]
    for sentences, logits in answers:
        spans, posteriors = _spans_of(sentences.lengths, logits / temperature, scheme, scaled)
        begins = sentences.places[spans[:, 0], 0]
        found.append(np.column_stack([spans[:, 1] + begins, spans[:, 2] + begins, spans[:, 3]]))
        scores.append(posteriors)
    return words.spans(np.concatenate(found), np.concatenate(scores), scheme.types)


def decode_tags(
    answers: Iterable[Answer], words: Words, chain: Chain | None, temperature: float
) -> list[TokenTags]:
    """Return the tags of each Doc.

    With a chain they are those of the best sequences, their probabilities marginals; without one
    each word's is the likeliest of a softmax.
    """
    ids = np.zeros(len(words.positions), dtype=np.intp)
    probabilities = np.zeros(len(words.positions))
    for sentences, logits in answers:
        scaled = logits / temperature
        best, likelihoods = (
            _best_sequences(sentences.lengths, scaled, chain.divided_by(temperature))
            if chain
            else _likeliest(scaled)
        )
        mask = sentences.mask
        ids[sentences.places[mask]] = best[mask]
        probabilities[sentences.places[mask]] = likelihoods[mask]
    tags = zip(words.scatter(ids), words.scatter(probabilities), strict=True)
    return [TokenTags(ids=ids, probabilities=probabilities) for ids, probabilities in tags]


def _spans_of(
    lengths: NDArray[np.int32], emissions: Floats, scheme: SpanScheme, chain: Chain
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return (n, 4) spans as `SpanScheme.decode_batch` does, and their posteriors."""
    best = viterbi(emissions, lengths, chain.transitions, chain.start, chain.end)
    spans = scheme.decode_batch(best, lengths)
    # Sums over all sequences are needed only where there is a span to score.
    with_spans = np.zeros(len(lengths), dtype=bool)
    with_spans[spans[:, 0]] = True
    if not with_spans.any():
        return spans, np.zeros(0)
    some, their_lengths = emissions[with_spans], lengths[with_spans]
    messages = forward_backward(some, their_lengths, chain.transitions, chain.start, chain.end)
    local = spans.copy()
    local[:, 0] = np.cumsum(with_spans)[spans[:, 0]] - 1
    return spans, span_posteriors(messages, scheme, local)


def _best_sequences(
    lengths: NDArray[np.int32], emissions: Floats, chain: Chain
) -> tuple[NDArray[np.intp], Floats]:
    best = viterbi(emissions, lengths, chain.transitions, chain.start, chain.end)
    messages = forward_backward(emissions, lengths, chain.transitions, chain.start, chain.end)
    return best, np.take_along_axis(marginals(messages), best[:, :, None], axis=2)[:, :, 0]


def _likeliest(logits: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return each word's likeliest label and its probability under a softmax."""
    best = logits.argmax(axis=2)
    peak = np.take_along_axis(logits, best[:, :, None], axis=2)
    return best, 1 / np.exp(logits - peak).sum(axis=2)
