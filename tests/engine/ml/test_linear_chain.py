"""Everything is checked against the enumeration of all label sequences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glossator.ml.linear_chain import (
    forward_backward,
    log_partition,
    marginals,
    path_score,
    span_posteriors,
    viterbi,
)
from glossator.ml.span_scheme import SpanScheme

# One factor beside which every potential is large makes the exponential domain underflow.
SCALES = (0.0, 1.0, 30.0, 3000.0)
SCHEMES = (SpanScheme.bio, SpanScheme.bioes)


@dataclass
class Chains:
    emissions: np.ndarray
    lengths: np.ndarray
    transitions: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @property
    def potentials(self):
        return self.transitions, self.start, self.end

    @property
    def all(self):
        return (self.emissions, self.lengths, *self.potentials)


def enumerate_all(chains: Chains, row: int) -> tuple[np.ndarray, np.ndarray]:
    """All sequences of a row and their scores, added up potential by potential."""
    length, labels = chains.lengths[row], chains.emissions.shape[2]
    sequences = np.indices((labels,) * length).reshape(length, labels**length).T
    scores = np.zeros(len(sequences))
    for time in range(length):
        scores += chains.emissions[row, time, sequences[:, time]]
        if time:
            scores += chains.transitions[sequences[:, time - 1], sequences[:, time]]
    if length:
        scores += chains.start[sequences[:, 0]] + chains.end[sequences[:, -1]]
    return sequences, scores


def log_sum(scores):
    return scores.max() + np.log(np.exp(scores - scores.max()).sum())


def random_chains(seed: int, labels: int, max_length: int, scale: float, forbidden: float = 0.0) -> Chains:
    rng = np.random.default_rng(seed)
    batch = int(rng.integers(1, 5))
    lengths = rng.integers(0, max_length + 1, batch)
    time = max_length + int(rng.integers(0, 3))
    emissions = (scale * rng.normal(size=(batch, time, labels))).astype(np.float32)
    emissions[np.arange(time) >= lengths[:, None]] = rng.choice([np.nan, np.inf, -np.inf, 1e30])

    def some(*shape):
        return np.where(rng.random(shape) < forbidden, -np.inf, scale * rng.normal(size=shape))

    return Chains(emissions, lengths, some(labels, labels), some(labels), some(labels))


def possible(chains: Chains) -> bool:
    return all(np.isfinite(enumerate_all(chains, row)[1].max()) for row in range(len(chains.lengths)))


chains_strategy = st.builds(
    random_chains,
    seed=st.integers(0, 2**32 - 1),
    labels=st.integers(1, 4),
    max_length=st.integers(0, 5),
    scale=st.sampled_from(SCALES),
    forbidden=st.sampled_from((0.0, 0.2, 0.5)),
)


@settings(max_examples=150, deadline=None)
@given(chains_strategy)
def test_every_answer_is_that_of_the_enumeration(chains):
    if not possible(chains):
        for function in (viterbi, log_partition, forward_backward):
            with pytest.raises(ValueError, match=r"row \d+: the constraints allow no sequence"):
                function(*chains.all)
        return
    best = viterbi(*chains.all)
    best_scores = path_score(chains.emissions, chains.lengths, best, *chains.potentials)
    totals = log_partition(*chains.all)
    messages = forward_backward(*chains.all)
    probabilities = marginals(messages)
    assert best.shape == chains.emissions.shape[:2]
    assert probabilities.shape == chains.emissions.shape
    np.testing.assert_array_equal(messages.log_partition, totals)
    for row, length in enumerate(chains.lengths):
        sequences, scores = enumerate_all(chains, row)
        np.testing.assert_allclose(best_scores[row], scores.max(), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(totals[row], log_sum(scores), rtol=1e-9, atol=1e-9)
        share = np.exp(scores - log_sum(scores))
        for time in range(length):
            expected = [share[sequences[:, time] == label].sum() for label in range(len(chains.start))]
            np.testing.assert_allclose(probabilities[row, time], expected, atol=1e-8)
        assert not best[row, length:].any()
        assert not probabilities[row, length:].any()


@settings(max_examples=60, deadline=None)
@given(chains_strategy, st.integers(0, 2**32 - 1))
def test_path_score_is_that_of_the_enumeration(chains, seed):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, len(chains.start), chains.emissions.shape[:2])
    scores = path_score(chains.emissions, chains.lengths, ids, *chains.potentials)
    for row, length in enumerate(chains.lengths):
        sequences, expected = enumerate_all(chains, row)
        chosen = (sequences == ids[row, :length]).all(axis=1)
        np.testing.assert_allclose(scores[row], expected[chosen][0], rtol=1e-9, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(chains_strategy)
def test_a_row_alone_answers_as_in_its_batch(chains):
    if not possible(chains):
        return
    ids, messages = viterbi(*chains.all), forward_backward(*chains.all)
    probabilities = marginals(messages)
    for row, length in enumerate(chains.lengths):
        alone = chains.emissions[row : row + 1, :length], np.array([length]), *chains.potentials
        np.testing.assert_array_equal(viterbi(*alone)[0], ids[row, :length])
        single = forward_backward(*alone)
        # Potentials of thousands may cancel out: what is left is as exact as they are, not as it is.
        np.testing.assert_allclose(
            single.log_partition[0], messages.log_partition[row], rtol=1e-12, atol=1e-10
        )
        np.testing.assert_allclose(marginals(single)[0], probabilities[row, :length], rtol=1e-9, atol=1e-12)


def is_exactly(labels, start, end, kind, bioes) -> bool:
    """Whether a sequence of label names holds this very span, told from the names alone."""
    if not bioes:
        wanted = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
        return labels[start:end] == wanted and labels[end : end + 1] != [f"I-{kind}"]
    wanted = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 2), f"E-{kind}"]
    return labels[start:end] == ([f"S-{kind}"] if end - start == 1 else wanted)


def all_spans(chains, scheme):
    return np.array(
        [
            (row, start, end, kind)
            for row, length in enumerate(chains.lengths)
            for start in range(length)
            for end in range(start + 1, length + 1)
            for kind in range(len(scheme.types))
        ],
        dtype=int,
    ).reshape(-1, 4)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(((SpanScheme.bio, 1, 5), (SpanScheme.bio, 2, 4), (SpanScheme.bioes, 1, 5))),
    st.sampled_from(SCALES),
    st.sampled_from(("free", "constrained", "random")),
)
def test_span_posteriors_are_exact(seed, shape, scale, constraints):
    make, types, max_length = shape
    scheme = make("XY"[:types])
    forbidden = 0.2 if constraints == "random" else 0.0
    chains = random_chains(seed, len(scheme.labels), max_length, scale, forbidden)
    if constraints == "constrained":
        added = zip(chains.potentials, scheme.constraints(), strict=True)
        chains.transitions, chains.start, chains.end = (a + b for a, b in added)
    if not possible(chains):
        return
    spans = all_spans(chains, scheme)
    posteriors = span_posteriors(forward_backward(*chains.all), scheme, spans)
    assert posteriors.shape == (len(spans),)
    for row in range(len(chains.lengths)):
        sequences, scores = enumerate_all(chains, row)
        share = np.exp(scores - log_sum(scores))
        names = [[scheme.labels[i] for i in sequence] for sequence in sequences.tolist()]
        for (_, start, end, kind), found in zip(
            spans[spans[:, 0] == row], posteriors[spans[:, 0] == row], strict=True
        ):
            holds = [
                is_exactly(labels, start, end, scheme.types[kind], make == SpanScheme.bioes)
                for labels in names
            ]
            np.testing.assert_allclose(found, share[holds].sum(), atol=1e-8)


def test_spans_of_a_constrained_chain_are_as_likely_as_the_segmentations_with_them():
    for make in SCHEMES:
        scheme = make(("X", "Y"))
        rng = np.random.default_rng(7)
        emissions = rng.normal(size=(1, 4, len(scheme.labels)))
        chains = Chains(emissions, np.array([4]), *scheme.constraints())
        sequences, scores = enumerate_all(chains, 0)
        share = np.exp(scores - log_sum(scores))
        decoded = [scheme.decode(sequence) for sequence in sequences]
        spans = all_spans(chains, scheme)
        posteriors = span_posteriors(forward_backward(*chains.all), scheme, spans)
        for (_, start, end, kind), posterior in zip(spans.tolist(), posteriors, strict=True):
            with_it = [(start, end, scheme.types[kind]) in found for found in decoded]
            np.testing.assert_allclose(posterior, share[with_it].sum(), rtol=1e-9)


def test_span_posteriors_refuse_what_leaves_its_row():
    scheme = SpanScheme.bio(("X",))
    messages = forward_backward(np.zeros((1, 5, 3)), np.array([3]), *scheme.constraints())
    for span in ((0, 2, 4, 0), (0, 2, 2, 0), (0, -1, 1, 0)):
        with pytest.raises(ValueError, match="leaves its row"):
            span_posteriors(messages, scheme, np.array([span]))


@pytest.mark.parametrize("make", SCHEMES)
def test_thousands_of_steps_stay_finite(make):
    scheme = make(("X", "Y"))
    rng = np.random.default_rng(1)
    lengths = np.array([5000, 4321, 1])
    emissions = (5 * rng.normal(size=(3, 5000, len(scheme.labels)))).astype(np.float32)
    chain = scheme.constraints()
    ids = viterbi(emissions, lengths, *chain)
    assert np.isfinite(path_score(emissions, lengths, ids, *chain)).all()
    messages = forward_backward(emissions, lengths, *chain)
    assert np.isfinite(messages.log_partition).all()
    sums = marginals(messages).sum(axis=2)
    np.testing.assert_allclose(sums, np.arange(5000) < lengths[:, None], atol=1e-9)
    posteriors = span_posteriors(messages, scheme, scheme.decode_batch(ids, lengths))
    assert ((posteriors >= 0) & (posteriors <= 1)).all()
    # Far ends barely matter to each other: the middle alone answers the same.
    middle = marginals(forward_backward(emissions[:1, 2000:2200], np.array([200]), *chain))
    np.testing.assert_allclose(middle[0, 100], marginals(messages)[0, 2100], atol=1e-9)


def test_no_label_is_likelier_than_certain():
    scheme = SpanScheme.bio(("X", "Y"))
    emissions = 3 * np.random.default_rng(1).normal(size=(1, 3000, 5))
    emissions[:, :, 0] += 40  # certain but for rounding, which goes to either side
    probabilities = marginals(forward_backward(emissions, np.array([3000]), *scheme.constraints()))
    assert probabilities.max() == 1.0
    np.testing.assert_allclose(probabilities[0, :, 0], 1.0, atol=1e-8)


def test_one_narrow_path_is_found_however_unlikely_it_looks_on_the_way():
    # Label 1 swallows and may not end, so that all zeros is the only sequence, against 5,000 better steps.
    steps = 5000
    emissions = np.zeros((2, steps, 2))
    emissions[:, :, 1] = 2.0
    transitions = np.array([[0.0, 0.0], [-np.inf, 0.0]])
    chain = (transitions, np.array([0.0, -np.inf]), np.array([0.0, -np.inf]))
    lengths = np.array([steps, 3])
    messages = forward_backward(emissions, lengths, *chain)
    np.testing.assert_allclose(messages.log_partition, 0.0, atol=1e-9)
    probabilities = marginals(messages)
    np.testing.assert_allclose(probabilities[0], np.tile([1.0, 0.0], (steps, 1)), atol=1e-9)
    assert not viterbi(emissions, lengths, *chain).any()


@pytest.mark.parametrize("gap", [600, 700, 725, 735, 744, 760, 1e5])
def test_small_numbers_lose_no_digits(gap):
    # Both sequences that may be end in a label that seems e^gap less likely than the one that may not.
    emissions = np.array([[[0.3, -0.2], [0.0, -gap]]])
    chain = (np.zeros((2, 2)), np.zeros(2), np.array([-np.inf, 0.0]))
    messages = forward_backward(emissions, np.array([2]), *chain)
    _, scores = enumerate_all(Chains(emissions, np.array([2]), *chain), 0)
    np.testing.assert_allclose(messages.log_partition, log_sum(scores), rtol=1e-12)
    first = np.exp([0.3, -0.2]) / np.exp([0.3, -0.2]).sum()
    np.testing.assert_allclose(marginals(messages)[0], [first, [0.0, 1.0]], rtol=1e-9)


@pytest.mark.parametrize("make", SCHEMES)
def test_potentials_of_a_network_stay_in_the_fast_domain(make, monkeypatch):
    scheme = make(("X", "Y"))
    emissions = 10 * np.random.default_rng(2).normal(size=(4, 50, len(scheme.labels)))
    lengths = np.array([50, 7, 1, 0])
    expected = marginals(forward_backward(emissions, lengths, *scheme.constraints()))
    monkeypatch.delattr("glossator.ml.linear_chain._sweep")
    found = marginals(forward_backward(emissions, lengths, *scheme.constraints()))
    np.testing.assert_array_equal(found, expected)


def test_labels_that_are_reached_in_every_other_step_only_stay_in_the_fast_domain(monkeypatch):
    # From 0 to 1 or 2 and back: as many labels as can be reached differ from step to step, without end.
    transitions = np.full((3, 3), -np.inf)
    transitions[0, 1:] = transitions[1:, 0] = 0.0
    chain = (transitions, np.array([0.0, -np.inf, -np.inf]), np.zeros(3))
    emissions = np.random.default_rng(3).normal(size=(2, 7, 3))
    lengths = np.array([7, 6])
    monkeypatch.delattr("glossator.ml.linear_chain._sweep")
    found = forward_backward(emissions, lengths, *chain)
    for row in range(2):
        _, scores = enumerate_all(Chains(emissions, lengths, *chain), row)
        np.testing.assert_allclose(found.log_partition[row], log_sum(scores), rtol=1e-12)


def test_bad_batches_are_refused():
    chain = SpanScheme.bio(("X",)).constraints()
    emissions = np.zeros((2, 3, 3))
    for lengths in ([3, 4], [-1, 3], [3]):
        with pytest.raises(ValueError, match="lengths"):
            viterbi(emissions, np.array(lengths), *chain)
    emissions[1, 2, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        viterbi(emissions, np.array([3, 3]), *chain)
    viterbi(emissions, np.array([3, 2]), *chain)
    with pytest.raises(ValueError, match="finite"):
        log_partition(np.zeros((1, 1, 3)), np.array([1]), chain[0], chain[1], np.full(3, np.inf))


@pytest.mark.parametrize("shape", [(0, 0, 3), (0, 4, 3), (2, 0, 3), (2, 4, 3)])
def test_batches_without_a_token(shape):
    scheme = SpanScheme.bio(("X",))
    lengths = np.zeros(shape[0], dtype=int)
    batch = (np.zeros(shape), lengths, *scheme.constraints())
    assert viterbi(*batch).shape == shape[:2]
    messages = forward_backward(*batch)
    assert not messages.log_partition.any()
    assert marginals(messages).shape == shape
    spans = scheme.decode_batch(viterbi(*batch), lengths)
    assert spans.shape == (0, 4)
    assert span_posteriors(messages, scheme, spans).shape == (0,)


@st.composite
def segmentations(draw):
    types = draw(st.lists(st.sampled_from(("PER", "LOC", "B", "I-O")), min_size=1, unique=True))
    spans, position = [], 0
    for gap, size in draw(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), max_size=6)):
        start = position + gap
        position = start + size
        spans.append((start, position, draw(st.sampled_from(types))))
    return types, spans, position + draw(st.integers(0, 2))


@settings(max_examples=100, deadline=None)
@given(segmentations(), st.sampled_from(SCHEMES))
def test_what_is_encoded_decodes_and_is_allowed(segmentation, make):
    types, spans, length = segmentation
    scheme = make(types)
    ids = scheme.encode(spans, length)
    assert scheme.decode(ids) == spans
    nothing = np.zeros((1, length, len(scheme.labels)))
    assert path_score(nothing, np.array([length]), ids[None], *scheme.constraints())[0] == 0.0


@pytest.mark.parametrize("make", SCHEMES)
def test_constraints_allow_what_encode_makes_and_nothing_else(make):
    scheme = make(("X", "Y"))
    sequences, scores = enumerate_all(
        Chains(np.zeros((1, 3, len(scheme.labels))), np.array([3]), *scheme.constraints()), 0
    )
    for sequence, score in zip(sequences, scores, strict=True):
        lawful = np.array_equal(scheme.encode(scheme.decode(sequence), 3), sequence)
        assert (score == 0.0) == lawful


def test_decode_batch_reads_rows_apart_and_no_padding():
    scheme = SpanScheme.bio(("X", "Y"))
    ids = np.array([scheme.encode([(0, 2, "X"), (2, 4, "Y")], 4), scheme.encode([(0, 4, "Y")], 4)])
    assert scheme.decode_batch(ids, np.array([4, 3])).tolist() == [[0, 0, 2, 0], [0, 2, 4, 1], [1, 0, 3, 1]]


def test_unlawful_sequences_lose_no_span():
    bio, bioes = SpanScheme.bio(("X", "Y")), SpanScheme.bioes(("X", "Y"))
    assert bio.decode([bio.labels.index(name) for name in ("I-X", "I-Y", "O", "I-Y")]) == [
        (0, 1, "X"),
        (1, 2, "Y"),
        (3, 4, "Y"),
    ]
    assert bioes.decode([bioes.labels.index(name) for name in ("B-X", "I-X", "S-X", "E-Y")]) == [
        (0, 2, "X"),
        (2, 3, "X"),
        (3, 4, "Y"),
    ]


@pytest.mark.parametrize("spans", [[(0, 2, "X"), (1, 3, "X")], [(2, 2, "X")], [(1, 5, "X")], [(-1, 1, "X")]])
def test_encode_refuses_spans_that_do_not_fit(spans):
    with pytest.raises(ValueError, match="span"):
        SpanScheme.bio(("X",)).encode(spans, 4)


def test_encode_names_an_unknown_type():
    with pytest.raises(ValueError, match="'Z'"):
        SpanScheme.bio(("X",)).encode([(0, 1, "Z")], 4)
