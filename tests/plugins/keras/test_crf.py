"""Everything is checked against the enumeration of all label sequences, or against `ml.linear_chain`."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glossator.ml.linear_chain import forward_backward, log_partition, marginals, path_score, viterbi
from glossator.ml.span_scheme import SpanScheme

keras = pytest.importorskip("keras", reason="needs glossator[train]")
tf = pytest.importorskip("tensorflow", reason="needs glossator[train]")

from glossator_keras.crf import CRF  # noqa: E402

# Of Keras 3.15 and tf2onnx 1.17 with numpy 2.4, when they save and export.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning"),
]


@dataclass
class Case:
    """A chain with random potentials, and a batch with garbage in its padding."""

    crf: CRF
    emissions: np.ndarray
    labels: np.ndarray
    lengths: np.ndarray

    @property
    def batch(self):
        return self.emissions, self.lengths


def chain(labels, seed=0, *, scale=1.0, allowed=(None, None, None), dtype="float64"):
    crf = CRF(*allowed, dtype=dtype)
    crf.build((None, None, labels))
    rng = np.random.default_rng(seed)
    for weight in crf.weights:
        weight.assign(scale * rng.normal(size=weight.shape))
    return crf


def over(scheme, **options):
    allowed = (scheme.transition_allowed, scheme.start_allowed, scheme.end_allowed)
    return chain(len(scheme.labels), allowed=allowed, **options)


def random_case(seed, labels, max_length, scale=1.0, forbidden=0.0, dtype="float64"):
    rng = np.random.default_rng(seed)
    allowed = [rng.random(shape) >= forbidden for shape in ((labels, labels), labels, labels)]
    for each in allowed:
        each.flat[0] = True  # so that every row has a sequence: nothing but label 0
    batch, time = int(rng.integers(1, 4)), max_length + int(rng.integers(0, 3))
    lengths = rng.integers(0, max_length + 1, batch)
    emissions = scale * rng.normal(size=(batch, time, labels))
    emissions[np.arange(time) >= lengths[:, None]] = rng.choice([np.nan, np.inf, -np.inf, 1e30])
    crf = chain(labels, seed, scale=scale, allowed=allowed, dtype=dtype)
    return Case(crf, emissions.astype(dtype), rng.integers(0, labels, (batch, time)), lengths)


def enumerate_all(case, row):
    """All sequences of a row, and their scores, added up potential by potential."""
    transitions, start, end = case.crf.potentials()
    length, labels = case.lengths[row], len(start)
    sequences = np.indices((labels,) * length).reshape(length, labels**length).T
    scores = np.zeros(len(sequences))
    for time in range(length):
        scores += case.emissions[row, time, sequences[:, time]]
        if time:
            scores += transitions[sequences[:, time - 1], sequences[:, time]]
    if length:
        scores += start[sequences[:, 0]] + end[sequences[:, -1]]
    return sequences, scores


def log_sum(scores):
    return scores.max() + np.log(np.exp(scores - scores.max()).sum())


def numpy_log_likelihood(crf, emissions, labels, lengths):
    chosen = path_score(emissions, lengths, labels, *crf.potentials())
    return chosen - log_partition(emissions, lengths, *crf.potentials())


def numpy_marginals(crf, emissions, lengths):
    return marginals(forward_backward(emissions, lengths, *crf.potentials()))


def log_likelihood_and_gradients(crf, emissions, labels, mask, weights=1.0, graph=False):
    """Log likelihoods, and gradients of their weighted sum by emissions, transitions, start and end."""
    emissions = tf.constant(emissions)

    def differentiate():
        with tf.GradientTape() as tape:
            tape.watch(emissions)
            found = crf.log_likelihood(emissions, labels, mask)
            total = tf.reduce_sum(found * weights)
        return found, *tape.gradient(total, [emissions, *(weight.value for weight in crf.weights)])

    found, *gradients = tf.function(differentiate)() if graph else differentiate()
    return found.numpy(), [each.numpy() for each in gradients]


cases = st.builds(
    random_case,
    seed=st.integers(0, 2**32 - 1),
    labels=st.integers(1, 4),
    max_length=st.integers(0, 4),
    scale=st.sampled_from((0.0, 1.0, 30.0, 3000.0)),
    forbidden=st.sampled_from((0.0, 0.3, 0.6)),
    dtype=st.sampled_from(("float64", "float32")),
)


@settings(max_examples=80, deadline=None)
@given(cases)
def test_every_answer_is_that_of_the_enumeration(case):
    digits = np.finfo(case.emissions.dtype).eps * 100
    found = case.crf.log_likelihood(case.emissions, case.labels, case.lengths).numpy()
    probabilities = case.crf.marginals(*case.batch).numpy()
    best = case.crf.viterbi(*case.batch).numpy()
    assert probabilities.shape == case.emissions.shape
    assert best.shape == case.labels.shape
    for row, length in enumerate(case.lengths):
        sequences, scores = enumerate_all(case, row)
        near = digits * (1 + np.abs(scores[np.isfinite(scores)]).max())
        share = np.exp(scores - log_sum(scores))
        expected = scores[(sequences == case.labels[row, :length]).all(axis=1)] - log_sum(scores)
        if np.isfinite(expected):
            np.testing.assert_allclose(found[row], expected[0], atol=near)
        else:
            assert -1e11 < found[row] < -1e8
        assert scores[(sequences == best[row, :length]).all(axis=1)] >= scores.max() - near
        for time in range(length):
            expected = [share[sequences[:, time] == label].sum() for label in range(probabilities.shape[2])]
            np.testing.assert_allclose(probabilities[row, time], expected, atol=near)
        assert not best[row, length:].any()
        assert not probabilities[row, length:].any()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4), st.sampled_from((0.0, 0.4)))
def test_gradients_are_finite_differences(seed, labels, max_length, forbidden):
    case, rng = random_case(seed, labels, max_length, forbidden=forbidden), np.random.default_rng(seed)
    case.labels = case.crf.viterbi(*case.batch).numpy()  # some that are allowed
    weights = rng.normal(size=len(case.lengths))
    _, gradients = log_likelihood_and_gradients(case.crf, case.emissions, case.labels, case.lengths, weights)
    variables = (case.crf.transitions, case.crf.start, case.crf.end)
    values = [case.emissions, *(variable.numpy() for variable in variables)]

    def objective(which, change):
        emissions, *potentials = [each + change if i == which else each for i, each in enumerate(values)]
        for variable, value in zip(variables, potentials, strict=True):
            variable.assign(value)
        return weights @ case.crf.log_likelihood(emissions, case.labels, case.lengths).numpy()

    for which, gradient in enumerate(gradients):
        change = 1e-5 * rng.normal(size=gradient.shape)
        difference = (objective(which, change) - objective(which, -change)) / 2
        np.testing.assert_allclose((gradient * change).sum(), difference, rtol=1e-6, atol=1e-12)
    assert not gradients[0][np.arange(case.labels.shape[1]) >= case.lengths[:, None]].any()
    for gradient, potentials in zip(gradients[1:], case.crf.potentials(), strict=True):
        assert not gradient[np.isneginf(potentials)].any()


@pytest.mark.parametrize("make", [SpanScheme.bio, SpanScheme.bioes])
def test_thousands_of_steps_are_as_exact_as_a_few(make):
    scheme = make(("X", "Y"))
    crf = over(scheme, dtype="float32")
    lengths = np.array([5000, 4321, 1])
    emissions = np.random.default_rng(2).normal(100, 5, size=(3, 5000, len(scheme.labels))).astype(np.float32)
    potentials = crf.potentials()
    labels = viterbi(emissions, lengths, *potentials)
    found, gradients = log_likelihood_and_gradients(crf, emissions, labels, lengths, graph=True)
    expected = numpy_log_likelihood(crf, emissions, labels, lengths)
    # A sum of 5,000 numbers in single precision. Posteriors are no such sum: they are exact to 1e-6 anywhere.
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    known = np.arange(5000) < lengths[:, None]
    likely = numpy_marginals(crf, emissions, lengths)
    seen = np.eye(len(scheme.labels))[labels] * known[:, :, None]
    np.testing.assert_allclose(gradients[0], seen - likely, atol=2e-5)
    assert all(np.isfinite(each).all() for each in gradients)
    answers = tf.function(lambda: (crf.marginals(emissions, lengths), crf.viterbi(emissions, lengths)))
    probabilities, best = answers()
    np.testing.assert_allclose(probabilities, likely, atol=2e-5)
    scores = [path_score(emissions, lengths, each, *potentials) for each in (best, labels)]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-3)


def test_one_narrow_path_is_found_however_unlikely_it_looks_on_the_way():
    # Label 1 swallows and may not end, so that all zeros is the only sequence, against 200 better steps.
    crf = CRF([[True, True], [False, True]], [True, True], [True, False])
    crf.build((None, None, 2))
    emissions = np.zeros((1, 200, 2), dtype=np.float32)
    emissions[:, :, 1] = 2.0
    labels = np.zeros((1, 200), dtype=int)
    found, gradients = log_likelihood_and_gradients(crf, emissions, labels, None)
    np.testing.assert_allclose(found, 0.0, atol=1e-3)
    np.testing.assert_allclose(gradients[0], 0.0, atol=1e-5)
    assert not crf.viterbi(emissions).numpy().any()
    np.testing.assert_allclose(crf.marginals(emissions)[0], [[1.0, 0.0]] * 200, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 9))
def test_padding_changes_nothing(seed, more):
    case = random_case(seed, 3, 5, forbidden=0.3)
    wider = np.pad(case.emissions, ((0, 0), (0, more), (0, 0)), constant_values=np.nan)
    labels = np.pad(case.labels, ((0, 0), (0, more)), constant_values=-1)
    time, likely = case.labels.shape[1], case.crf.marginals(*case.batch)
    best = case.crf.viterbi(*case.batch)
    np.testing.assert_allclose(
        case.crf.log_likelihood(case.emissions, case.labels, case.lengths),
        case.crf.log_likelihood(wider, labels, case.lengths),
    )
    np.testing.assert_allclose(case.crf.marginals(wider, case.lengths)[:, :time], likely, atol=1e-12)
    np.testing.assert_array_equal(case.crf.viterbi(wider, case.lengths)[:, :time], best)
    for row, length in enumerate(case.lengths):
        alone = case.emissions[row : row + 1, :length]
        np.testing.assert_array_equal(case.crf.viterbi(alone)[0], best[row, :length])
        np.testing.assert_allclose(case.crf.marginals(alone)[0], likely[row, :length], atol=1e-12)


def test_a_mask_may_pad_at_either_side_and_cuts_in_the_middle():
    crf, rng = over(SpanScheme.bio(("X",))), np.random.default_rng(3)
    emissions, labels = rng.normal(size=(1, 5, 3)), np.array([[0, 1, 2, 1, 0]])
    alone = crf.log_likelihood(emissions, labels).numpy()
    expected = crf.marginals(emissions).numpy(), crf.viterbi(emissions).numpy()

    def spread(array, positions, fill):
        wide = np.full((1, 9, *array.shape[2:]), fill, dtype=array.dtype)
        wide[:, positions] = array
        return wide

    for positions in ([0, 1, 2, 3, 4], [4, 5, 6, 7, 8], [2, 3, 4, 5, 6]):
        mask = spread(np.ones((1, 5), dtype=bool), positions, False)
        wide = spread(emissions, positions, np.nan)
        np.testing.assert_allclose(crf.log_likelihood(wide, spread(labels, positions, 7), mask), alone)
        np.testing.assert_allclose(crf.marginals(wide, mask), spread(expected[0], positions, 0))
        np.testing.assert_array_equal(crf.viterbi(wide, mask), spread(expected[1], positions, 0))

    cut = np.array([[True, True, False, True, True]])
    parts = [crf.log_likelihood(emissions[:, part], labels[:, part]) for part in (slice(0, 2), slice(3, 5))]
    np.testing.assert_allclose(crf.log_likelihood(emissions, labels, cut), parts[0] + parts[1])


def test_lengths_and_booleans_are_the_same_mask():
    case = random_case(5, 3, 4)
    mask = np.arange(case.labels.shape[1]) < case.lengths[:, None]
    for dtype in (np.int32, np.int64, np.float32):
        np.testing.assert_array_equal(
            case.crf.marginals(case.emissions, case.lengths.astype(dtype)),
            case.crf.marginals(case.emissions, mask),
        )


@pytest.mark.parametrize("shape", [(2, 0, 3), (2, 4, 3)])
def test_batches_without_a_step(shape):
    crf = over(SpanScheme.bio(("X",)))
    emissions, labels = np.full(shape, np.nan), np.full(shape[:2], -1)
    found, gradients = log_likelihood_and_gradients(crf, emissions, labels, np.zeros(shape[0], dtype=int))
    np.testing.assert_array_equal(found, np.zeros(shape[0]))
    assert not any(each.any() for each in gradients)
    assert crf.viterbi(emissions, np.zeros(shape[0])).shape == shape[:2]
    assert not crf.marginals(emissions, np.zeros(shape[0])).numpy().any()


def test_labels_that_cannot_be_are_next_to_impossible_and_learning_goes_on():
    scheme = SpanScheme.bio(("X",))
    crf = over(scheme, dtype="float32")
    emissions = np.random.default_rng(4).normal(size=(4, 3, 3)).astype(np.float32)
    inside = scheme.labels.index("I-X")
    labels = np.array([[inside, 0, 0], [0, 0, 7], [0, -2, 0], [0, 0, 0]])
    found, gradients = log_likelihood_and_gradients(crf, emissions, labels, None)
    assert (found[:3] < -1e8).all()
    assert -20 < found[3] < 0
    assert all(np.isfinite(each).all() for each in (found, *gradients))
    assert all(np.abs(each).max() < 20 for each in gradients)


def test_rows_that_the_constraints_leave_no_sequence_stay_finite():
    crf = CRF(start_allowed=[True, False], end_allowed=[False, True])
    crf.build((None, None, 2))
    emissions = np.zeros((2, 2, 2), dtype=np.float32)
    lengths = np.array([1, 2])
    found, gradients = log_likelihood_and_gradients(crf, emissions, np.array([[0, 0], [0, 1]]), lengths)
    assert all(np.isfinite(each).all() for each in (found, *gradients))
    np.testing.assert_allclose(found[1], 0.0, atol=1e-6)
    assert np.isfinite(crf.marginals(emissions, lengths)).all()
    assert crf.viterbi(emissions, lengths)[1].numpy().tolist() == [0, 1]


def test_potentials_forbid_what_is_forbidden():
    scheme = SpanScheme.bioes(("X", "Y"))
    crf = over(scheme, dtype="float32")
    for potentials, allowed, weight in zip(
        crf.potentials(),
        (scheme.transition_allowed, scheme.start_allowed, scheme.end_allowed),
        (crf.transitions, crf.start, crf.end),
        strict=True,
    ):
        assert potentials.dtype == np.float32
        np.testing.assert_array_equal(potentials, np.where(allowed, weight.numpy(), -np.inf))
    free = CRF()
    free.build((None, None, 3))
    assert all(not each.any() for each in free.potentials())


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
def test_one_graph_serves_all_shapes(compiled):
    crf = over(SpanScheme.bio(("X",)), dtype="float32")
    reals, integers = tf.TensorSpec((None, None, 3)), tf.TensorSpec((None, None), tf.int32)
    lengths_spec = tf.TensorSpec((None,), tf.int32)

    @tf.function(input_signature=[reals, integers, lengths_spec], jit_compile=compiled)
    def graph(emissions, labels, lengths):
        with tf.GradientTape() as tape:
            tape.watch(emissions)
            found = crf.log_likelihood(emissions, labels, lengths)
        gradients = tape.gradient(found, [emissions, crf.transitions.value])
        return found, *gradients, crf.marginals(emissions, lengths), crf.viterbi(emissions, lengths)

    for batch, time in ((2, 6), (3, 1)):
        emissions = np.random.default_rng(time).normal(size=(batch, time, 3)).astype(np.float32)
        lengths = np.arange(batch, dtype=np.int32) % (time + 1)
        labels = viterbi(emissions, lengths, *crf.potentials()).astype(np.int32)
        found, by_emissions, by_transitions, probabilities, best = graph(emissions, labels, lengths)
        eager, gradients = log_likelihood_and_gradients(crf, emissions, labels, lengths)
        np.testing.assert_allclose(found, eager, atol=1e-5)
        np.testing.assert_allclose(by_emissions, gradients[0], atol=1e-5)
        np.testing.assert_allclose(by_transitions, gradients[1], atol=1e-5)
        np.testing.assert_allclose(probabilities, numpy_marginals(crf, emissions, lengths), atol=1e-5)
        np.testing.assert_array_equal(best, labels)


@pytest.mark.parametrize(
    ("constraint", "shape"),
    [("transition_allowed", (4, 3)), ("start_allowed", (4,)), ("end_allowed", (1, 3))],
)
def test_constraints_of_another_number_of_labels_are_refused(constraint, shape):
    crf = CRF(**{constraint: np.ones(shape, dtype=bool)}, name="chain")
    with pytest.raises(ValueError, match=r"chain: .* have the shape .* of 3 labels"):
        crf(np.zeros((1, 2, 3), dtype=np.float32))


def test_half_precision_stops_before_the_chain():
    crf = CRF(dtype="mixed_float16")
    emissions = np.full((1, 2, 3), 1 / 3, dtype=np.float32)
    np.testing.assert_array_equal(crf(emissions), emissions)
    assert crf(emissions.astype(np.float16)).dtype == tf.float32
    assert crf.potentials()[0].dtype == np.float32


def network(labels, crf, *, words=4):
    """A network that sees one word at a time, and nothing of where it stands."""
    inputs = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(words, 4, mask_zero=True)(inputs)
    return keras.Model(inputs, crf(keras.layers.Dense(labels)(embedded)))


def sentences(rows=30, words=4, labels=3):
    rng = np.random.default_rng(6)
    inside = np.arange(7) < rng.integers(1, 8, rows)[:, None]
    texts = np.where(inside, rng.integers(1, words, (rows, 7)), 0).astype(np.int32)
    return texts, np.where(inside, rng.integers(0, labels, (rows, 7)), -1), inside.sum(axis=1)


def test_a_chain_learns_an_order_that_a_softmax_cannot():
    keras.utils.set_random_seed(0)
    texts, _, lengths = sentences(words=2)  # the same word over and over
    labels = np.where(texts > 0, np.arange(7) % 2, -1)  # whose label is this, that, this, that
    crf = CRF()
    model = network(2, crf, words=2)
    model.compile(keras.optimizers.Adam(0.1), loss=crf.loss)
    history = model.fit(texts, labels, epochs=40, verbose=0).history["loss"]
    assert history[-1] < 0.2 < 2 < history[0]
    emissions = model.predict(texts, verbose=0)
    np.testing.assert_array_equal(crf.viterbi(emissions, lengths), np.maximum(labels, 0))
    assert len(set(emissions[texts > 0].argmax(axis=1))) == 1


def test_the_loss_is_the_mean_over_rows_whatever_the_padding():
    texts, labels, lengths = sentences()
    crf = CRF()
    model = network(3, crf)
    model.compile("sgd", loss=crf.loss)
    model.fit(texts, labels, verbose=0)
    rows = -numpy_log_likelihood(crf, model.predict(texts, verbose=0), labels, lengths)
    wider = np.pad(texts, ((0, 0), (0, 4))), np.pad(labels, ((0, 0), (0, 4)), constant_values=-1)
    for batch in ((texts, labels), wider):
        np.testing.assert_allclose(model.evaluate(*batch, verbose=0), rows.mean(), rtol=1e-5)
    weights = np.arange(len(texts)) % 3
    weighted = model.evaluate(texts, labels, sample_weight=weights, verbose=0)
    np.testing.assert_allclose(weighted, (rows * weights).mean(), rtol=1e-5)


@pytest.mark.parametrize("scheme", [None, SpanScheme.bio(("X",))], ids=["free", "constrained"])
def test_a_saved_model_comes_back_with_its_chain(tmp_path, scheme):
    texts, _, lengths = sentences()
    labels = np.where(texts > 0, 0, -1)
    model = network(3, CRF.over(scheme, name="chain"))
    model.compile("sgd", loss=model.get_layer("chain").loss)
    model.fit(texts, labels, verbose=0)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="compile=False"):
        keras.models.load_model(tmp_path / "model.keras")

    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    before, after = model.get_layer("chain"), loaded.get_layer("chain")
    for old, new in zip(before.potentials(), after.potentials(), strict=True):
        np.testing.assert_array_equal(old, new)
    emissions = model.predict(texts, verbose=0)
    np.testing.assert_array_equal(loaded.predict(texts, verbose=0), emissions)
    np.testing.assert_array_equal(after.viterbi(emissions, lengths), before.viterbi(emissions, lengths))
    loaded.compile("sgd", loss=after.loss)
    np.testing.assert_allclose(
        loaded.evaluate(texts, labels, verbose=0), model.evaluate(texts, labels, verbose=0), rtol=1e-6
    )


def test_its_config_is_json():
    scheme = SpanScheme.bioes(("X",))
    config = json.loads(json.dumps(CRF.over(scheme).get_config()))
    again = CRF.from_config(config)
    np.testing.assert_array_equal(again.transition_allowed, scheme.transition_allowed)
    np.testing.assert_array_equal(again.start_allowed, scheme.start_allowed)
    np.testing.assert_array_equal(again.end_allowed, scheme.end_allowed)
    assert CRF.from_config(CRF().get_config()).transition_allowed is None


def test_a_network_with_a_chain_exports_as_a_plain_one(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    texts, _, _ = sentences()
    model = network(3, CRF.over(SpanScheme.bio(("X",))))
    expected = model.predict(texts, verbose=0)
    model.export(tmp_path / "network.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: texts})
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
