import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glossator.ml.lbfgs import minimize

seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from(["float64", "float32"])


def random_quadratic(seed, dtype="float64"):
    """A strictly convex quadratic of 1 to 12 variables, and where its minimum is."""
    generator = np.random.default_rng(seed)
    size = int(generator.integers(1, 13))
    root = generator.normal(size=(size, size))
    matrix = (root @ root.T + np.diag(generator.uniform(0.5, 5, size))).astype(dtype)
    minimum = generator.normal(scale=3, size=size).astype(dtype)

    def function(x):
        return 0.5 * float((x - minimum) @ matrix @ (x - minimum)), matrix @ (x - minimum)

    return function, matrix, minimum


def logistic_regression(seed):
    """The mean log-loss of a logistic regression with a little L2, as a function of its weights."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(40, 7)) * generator.uniform(0.2, 3, 7)
    gold = (features @ generator.normal(size=7) + generator.normal(size=40) > 0).astype(float)

    def function(weights):
        logits = features @ weights
        value = np.mean(np.logaddexp(0, logits) - gold * logits) + 0.005 * weights @ weights
        error = (1 / (1 + np.exp(-logits)) - gold) / len(gold)
        return float(value), features.T @ error + 0.01 * weights

    return function


def rosenbrock(x):
    slope = -400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0])
    value = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
    return float(value), np.array([slope, 200 * (x[1] - x[0] ** 2)])


@given(seeds, dtypes)
def test_it_finds_the_minimum_of_a_quadratic(seed, dtype):
    function, _, minimum = random_quadratic(seed, dtype)
    found = minimize(function, np.zeros(len(minimum), dtype=dtype), max_iterations=500, tolerance=1e-12)
    assert found.dtype == dtype
    assert found == pytest.approx(minimum, abs=1e-4 if dtype == "float64" else 0.02)


@given(seeds)
def test_the_gradient_of_a_logistic_regression_vanishes_at_its_minimum(seed):
    function = logistic_regression(seed)
    found = minimize(function, np.zeros(7), max_iterations=500, tolerance=1e-14)
    assert np.abs(function(found)[1]).max() < 1e-5


def test_a_curved_valley_is_followed():
    found = minimize(rosenbrock, np.array([-1.2, 1.0]), max_iterations=200, tolerance=1e-14)
    assert found == pytest.approx([1, 1], abs=1e-5)


@given(seeds, st.floats(0.01, 20))
def test_with_an_l1_penalty_it_ends_where_the_optimality_conditions_hold(seed, l1):
    function, _, minimum = random_quadratic(seed)
    found = minimize(function, np.zeros(len(minimum)), l1=l1, max_iterations=2000, tolerance=1e-14)
    gradient = function(found)[1]
    tolerance = 1e-3 * (1 + l1)
    # Where a variable is 0, the penalty holds it there; elsewhere it balances the gradient.
    assert (np.abs(gradient[found == 0]) <= l1 + tolerance).all()
    moved = found != 0
    assert gradient[moved] == pytest.approx(-l1 * np.sign(found[moved]), abs=tolerance)


@given(seeds)
def test_of_separate_variables_each_is_thresholded_softly(seed):
    generator = np.random.default_rng(seed)
    minimum, l1 = generator.normal(scale=2, size=20), generator.uniform(0, 3, size=20)
    found = minimize(
        lambda x: (0.5 * float((x - minimum) @ (x - minimum)), x - minimum),
        generator.normal(size=20),
        l1=l1,
        max_iterations=200,
        tolerance=1e-14,
    )
    expected = np.sign(minimum) * np.maximum(np.abs(minimum) - l1, 0)
    assert found == pytest.approx(expected, abs=1e-6)
    assert np.array_equal(found == 0, expected == 0)


def test_a_strong_penalty_leaves_every_variable_at_zero():
    function, _, minimum = random_quadratic(3)
    strong = 2 * float(np.abs(function(np.zeros(len(minimum)))[1]).max())
    found = minimize(function, np.ones(len(minimum)), l1=strong, max_iterations=300, tolerance=1e-14)
    assert not found.any()


@given(seeds, st.sampled_from([0.0, 0.5]), st.integers(0, 8))
def test_more_iterations_never_end_higher(seed, l1, iterations):
    function = logistic_regression(seed)
    start = np.random.default_rng(seed).normal(size=7)

    def value_after(count):
        found = minimize(function, start, l1=l1, max_iterations=count, tolerance=0.0)
        return function(found)[0] + l1 * np.abs(found).sum()

    assert value_after(iterations + 1) <= value_after(iterations)


def test_no_iteration_is_where_it_starts_and_the_start_is_not_changed():
    function, _, minimum = random_quadratic(1)
    start = np.ones(len(minimum))
    assert np.array_equal(minimize(function, start, max_iterations=0, tolerance=0.1), start)
    minimize(function, start, max_iterations=50, tolerance=0.0)
    assert np.array_equal(start, np.ones(len(minimum)))


def test_it_stops_at_the_minimum_and_does_not_use_up_its_iterations():
    calls = []

    def counted(x):
        calls.append(x)
        return function(x)

    function = logistic_regression(5)
    found = minimize(counted, np.zeros(7), max_iterations=10_000, tolerance=1e-6)
    assert len(calls) < 200
    calls.clear()
    minimize(counted, found, max_iterations=10_000, tolerance=1e-6)
    assert len(calls) < 200


def test_a_step_into_infinity_is_shortened():
    def barrier(x):  # infinite left of 0, which the estimated curvature does not know
        if (x <= 0).any():
            return np.inf, np.zeros_like(x)
        return float(np.sum(x - np.log(x))), 1 - 1 / x

    found = minimize(barrier, np.array([40.0, 0.01]), max_iterations=200, tolerance=1e-14)
    assert found == pytest.approx([1, 1], abs=1e-5)
