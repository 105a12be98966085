"""L-BFGS: minimizes smooth functions of many variables, and with OWL-QN also those with an L1 penalty.

Nocedal 1980, "Updating quasi-Newton matrices with limited storage"; Andrew & Gao 2007, "Scalable training of
L1-regularized log-linear models".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[Any]
    Function = Callable[[Vector], tuple[float, Vector]]

_HISTORY = 6  # steps that the curvature is estimated from
_PERIOD = 10  # iterations over which the decrease is measured
_SUFFICIENT = 1e-4  # share of the decrease promised by the gradient that a step must reach
_CURVATURE = 0.9  # a step is too short while the slope is still steeper than this share of the first slope
_MOST_TRIALS = 20  # step sizes tried before the search gives up: no decrease is left within rounding


def minimize(
    function: Function, start: Vector, *, l1: float | Vector = 0.0, max_iterations: int, tolerance: float
) -> Vector:
    """Minimize `function(x) + sum(l1 * |x|)`.

    It ends when ten iterations together lower the value by less than `tolerance` of itself, when no step
    lowers it any more, or after `max_iterations`. The value never rises from one iteration to the next.

    Example:
        minimize(lambda x: (x @ x - x.sum(), 2 * x - 1), np.zeros(2), max_iterations=50, tolerance=1e-9)
        # [0.5, 0.5]

    Args:
        function: Returns the value and the (n,) gradient of a function bounded from below; convex, if the
            minimum is to be the only one.
        start: (n,) where to start, float64 or float32; it is not changed. All vectors have its type.
        l1: The weight of the L1 penalty, 0 or more: one for all variables, or (n,) one for each.
        max_iterations: The maximum number of steps.
        tolerance: The relative decrease of the value that ten further iterations are worth.

    Returns:
        (n,) the best point found, of the type of `start`. With an L1 penalty many variables are exactly 0.
    """
    penalty = np.asarray(l1, dtype=start.dtype)
    here = _evaluate(function, start, penalty)
    curvature = _Curvature()
    values = deque([here.value], maxlen=_PERIOD + 1)

    for _ in range(max_iterations):
        direction = _direction(here, curvature, sparse=bool(penalty.any()))
        there = _search(function, here, direction, penalty, first=curvature.is_empty)
        if there is None and not curvature.is_empty:
            # Where the estimated curvature misleads, the gradient may still lead down.
            curvature = _Curvature()
            there = _search(function, here, _direction(here, curvature, sparse=False), penalty, first=True)
        if there is None:
            break
        curvature.add(there.x - here.x, there.gradient - here.gradient)
        here = there
        values.append(here.value)
        if len(values) > _PERIOD and values[0] - here.value <= tolerance * abs(here.value):
            break
    return here.x


@dataclass(frozen=True, slots=True)
class _Point:
    """A point: the penalized value, the gradient without the penalty, and the steepest slope with it."""

    x: Vector
    value: float
    gradient: Vector
    slope: Vector


def _evaluate(function: Function, x: Vector, penalty: Vector) -> _Point:
    value, gradient = function(x)
    gradient = np.asarray(gradient, dtype=x.dtype)
    if not penalty.any():
        return _Point(x, float(value), gradient, gradient)
    penalized = float(value) + float(np.sum(penalty * np.abs(x)))
    return _Point(x, penalized, gradient, _pseudo_gradient(x, gradient, penalty))


def _pseudo_gradient(x: Vector, gradient: Vector, penalty: Vector) -> Vector:
    """Return the gradient of the penalized value; where |x| has two slopes, the one that leads down, or 0."""
    at_zero = np.sign(gradient) * np.maximum(np.abs(gradient) - penalty, 0)
    return np.asarray(np.where(x == 0, at_zero, gradient + np.sign(x) * penalty), dtype=x.dtype)


def _direction(here: _Point, curvature: _Curvature, *, sparse: bool) -> Vector:
    direction = -curvature.inverse_times(here.slope)
    if sparse:
        direction[direction * here.slope > 0] = 0
    return direction


def _search(
    function: Function, here: _Point, direction: Vector, penalty: Vector, *, first: bool
) -> _Point | None:
    """Return a point further along the direction whose value is sufficiently lower, or None.

    The step size is bisected between one that is too long and one that is too short (weak Wolfe conditions,
    Lewis & Overton 2013, "Nonsmooth optimization via quasi-Newton methods").
    """
    slope = float(here.slope @ direction)
    if not slope < 0:
        return None
    sparse = bool(penalty.any())
    # Before anything is known of the curvature, the first step has length 1.
    step = 1 / float(np.linalg.norm(direction)) if first else 1.0
    shortest, longest = 0.0, np.inf
    best = None

    for _ in range(_MOST_TRIALS):
        x = here.x + here.x.dtype.type(step) * direction
        if sparse:
            x = _within_orthant(x, here)
        there = _evaluate(function, x, penalty)
        promised = float(here.slope @ (x - here.x)) if sparse else step * slope
        if not there.value <= here.value + _SUFFICIENT * promised or not there.value < here.value:
            longest = step
        elif sparse or float(there.gradient @ direction) >= _CURVATURE * slope:
            return there
        else:
            best, shortest = there, step
        step = 2 * step if longest == np.inf else (shortest + longest) / 2
    return best


def _within_orthant(x: Vector, here: _Point) -> Vector:
    """Set variables that changed their sign to 0: |x| is linear only as long as no sign changes."""
    signs = np.where(here.x == 0, -np.sign(here.slope), np.sign(here.x))
    return np.asarray(np.where(x * signs > 0, x, 0), dtype=x.dtype)


class _Curvature:
    """The inverse of the second derivative, estimated from the last steps."""

    def __init__(self) -> None:
        self._steps: deque[tuple[Vector, Vector, float]] = deque(maxlen=_HISTORY)

    @property
    def is_empty(self) -> bool:
        return not self._steps

    def add(self, step: Vector, change: Vector) -> None:
        """Learn from a step and the change of the gradient over it."""
        product = float(step @ change)
        # Without positive curvature the estimate would no longer lead down.
        if product > np.finfo(step.dtype).eps * float(change @ change):
            self._steps.append((step, change, product))

    def inverse_times(self, gradient: Vector) -> Vector:
        """Return the inverse times a gradient (the two-loop recursion of Nocedal 1980)."""
        result = gradient.copy()
        shares = []
        for step, change, product in reversed(self._steps):
            share = float(step @ result) / product
            result -= result.dtype.type(share) * change
            shares.append(share)
        if self._steps:
            _, change, product = self._steps[-1]
            result *= result.dtype.type(product / float(change @ change))
        for (step, change, product), share in zip(self._steps, reversed(shares), strict=True):
            result += result.dtype.type(share - float(change @ result) / product) * step
        return result
