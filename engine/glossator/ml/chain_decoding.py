"""From logits to tags and spans with probabilities, vectorised over batches of like length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from glossator.ml.batching import bucket_by_length
from glossator.ml.linear_chain import (
    forward_backward,
    log_partition,
    marginals,
    path_score,
    span_posteriors,
    viterbi,
)
from glossator.ml.span_scheme import SpanScheme
from glossator.ml.word_sequences import Ints, Layout, Positions, WordSequences
from glossator.ml.words import Words
from glossator.stages import ScoredSpan, TokenTags

Reals: TypeAlias = NDArray[np.floating[Any]]

DECODE_POSITIONS = 2048  # words decoded at a time, where sentences are joined


class Chain(NamedTuple):
    """The log potentials of a linear chain over labels, beside its emissions; -inf forbids.

    Attributes:
        transitions: (labels, labels), from row to column.
        start: (labels,).
        end: (labels,).

    Example:
        The chain of a softmax that still yields well-formed spans:

            chain = Chain.of_scheme(SpanScheme.bioes(("LOC", "PER")))
    """

    transitions: Reals
    start: Reals
    end: Reals

    @classmethod
    def of_scheme(cls, scheme: SpanScheme) -> Chain:
        """Return potentials that forbid ill-formed sequences and prefer none of the others."""
        return cls(*scheme.constraints())

    def divided_by(self, temperature: float) -> Chain:
        """Return the potentials at a temperature."""
        return Chain(self.transitions / temperature, self.start / temperature, self.end / temperature)


Answer: TypeAlias = tuple[Layout, Reals]
"""Sequences and their logits, (batch, time, labels)."""


def log_likelihood(
    emissions: Reals, lengths: Ints, labels: NDArray[np.integer[Any]], chain: Chain, temperature: float
) -> float:
    """Return the log-likelihood of the labels of some sequences, in nats.

    Example:
        fit_temperature(lambda temperature: log_likelihood(emissions, lengths, labels, chain, temperature))

    Args:
        emissions: (batch, time, labels) potentials.
        lengths: (batch,) words of each sequence.
        labels: (batch, time) gold labels of all words; any in the padding.
        chain: The potentials of transitions, beside the emissions.
        temperature: The divisor of all potentials.
    """
    scaled, potentials = chain.divided_by(temperature), emissions / temperature
    path = path_score(potentials, lengths, labels, *scaled)
    return float((path - log_partition(potentials, lengths, *scaled)).sum())


def join_sentences(answers: Iterable[Answer], words: Words, labels: int) -> Iterator[Answer]:
    """Yield whole sentences and their logits, from answers for parts of sentences.

    Args:
        answers: Sequences that together hold every word once.
        words: The words of the Docs.
        labels: Columns of the logits.
    """
    logits = np.zeros((len(words.positions), labels), dtype=np.float32)
    for sequences, part in answers:
        logits[sequences.positions[sequences.mask]] = part[sequences.mask]

    starts = words.sentence_starts
    for batch in bucket_by_length(words.lengths, DECODE_POSITIONS):
        sentences = WordSequences.between(starts[batch], starts[batch + 1])
        yield sentences, logits[sentences.positions]


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
        scheme: The labels that spans are spelt in.
        chain: The potentials of transitions, beside the logits.
        temperature: The divisor of all potentials.
    """
    scaled = chain.divided_by(temperature)
    columns = [np.zeros((0, 3), dtype=np.intp)]
    scores = [np.zeros(0)]
    for sentences, logits in answers:
        spans, posteriors = _spans_of(sentences.lengths, logits / temperature, scheme, scaled)
        starts = sentences.positions[spans[:, 0], 0]
        columns.append(np.column_stack([spans[:, 1] + starts, spans[:, 2] + starts, spans[:, 3]]))
        scores.append(posteriors)
    return words.spans(np.concatenate(columns), np.concatenate(scores), scheme.types)


def decode_tags(
    answers: Iterable[Answer], words: Words, chain: Chain | None, temperature: float
) -> list[TokenTags]:
    """Return the tags of each Doc.

    With a chain they are those of the best sequences, with their marginal probabilities; without one each
    word has the likeliest tag of a softmax.
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
        ids[sentences.positions[mask]] = best[mask]
        probabilities[sentences.positions[mask]] = likelihoods[mask]
    tags = zip(words.scatter(ids), words.scatter(probabilities), strict=True)
    return [TokenTags(ids=ids, probabilities=probabilities) for ids, probabilities in tags]


def _spans_of(
    lengths: Ints, emissions: Reals, scheme: SpanScheme, chain: Chain
) -> tuple[Positions, NDArray[np.float64]]:
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


def _best_sequences(lengths: Ints, emissions: Reals, chain: Chain) -> tuple[Positions, Reals]:
    best = viterbi(emissions, lengths, chain.transitions, chain.start, chain.end)
    messages = forward_backward(emissions, lengths, chain.transitions, chain.start, chain.end)
    return best, np.take_along_axis(marginals(messages), best[:, :, None], axis=2)[:, :, 0]


def _likeliest(logits: Reals) -> tuple[Positions, Reals]:
    """Return each word's likeliest label and its probability under a softmax."""
    best = logits.argmax(axis=2)
    peak = np.take_along_axis(logits, best[:, :, None], axis=2)
    return best, 1 / np.exp(logits - peak).sum(axis=2)
