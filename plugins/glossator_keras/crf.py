"""A linear-chain conditional random field (Lafferty, McCallum and Pereira 2001) as a Keras layer.

It stands last in a network, as in Lample et al. 2016. Its input are the log potentials of each label at each
step, the emissions; it returns them unchanged, so that the network exports like any other. The layer holds
the potentials between steps, and its methods compute from both together:

    crf = CRF.over(scheme)
    model = keras.Model(inputs, crf(keras.layers.Dense(len(scheme.labels))(hidden)))
    model.compile("adam", loss=crf.loss)
    model.fit(texts, labels)  # -1 in the padding
    best = crf.viterbi(model.predict(texts), lengths)

Inside, one more label means "outside": before the first step, at each step that a mask leaves out, and after
the last. Each row is then a walk from outside to outside; to start and to end are moves like any others, and
sums need no special case for where rows begin and end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from glossator.ml.span_scheme import SpanScheme
from glossator_keras.arrays import Mask, Reals, Tensor

LayerConfig: TypeAlias = dict[str, object]

# The log potential of forbidden moves: finite, so that no difference is NaN, and below any sum of others.
_FORBIDDEN = -1e9
_RESCALED_EVERY = 256  # steps of the backward pass


@keras.saving.register_keras_serializable(package="glossator")
class CRF(keras.layers.Layer):
    """A linear chain over labels: its likelihood, its marginals and its best sequences.

    The potentials between steps start at 0, where the chain is a softmax at each step except for forbidden
    moves. Random ones would gain nothing: the likelihood is concave in them, with no symmetry to break.

    Methods take `emissions`, (batch, time, labels), and a `mask`: (batch, time) booleans or (batch,) lengths;
    None keeps all steps. Emissions of masked steps are never read. Such steps may stand anywhere; between
    others they cut a row into two sequences. Where constraints leave a row no sequence at all, its answers
    are finite and meaningless.

    Sums are done in the log domain: slower than with scaled probabilities, and exact however far apart
    potentials lie.

    Args:
        transition_allowed: (labels, labels), whether the second label may follow the first; None allows all.
        start_allowed: (labels,), whether a sequence may start with the label.
        end_allowed: (labels,), whether a sequence may end with the label.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: When the layer is built on emissions with another number of labels.

    Example:
        A chain over five labels without constraints, after a dense layer:

            crf = CRF()
            model = keras.Model(inputs, crf(keras.layers.Dense(5)(hidden)))
            model.compile("adam", loss=crf.loss)
    """

    def __init__(
        self,
        transition_allowed: ArrayLike | None = None,
        start_allowed: ArrayLike | None = None,
        end_allowed: ArrayLike | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)  # sums over sequences need at least single precision
        self.supports_masking = True
        self.transition_allowed = _booleans(transition_allowed)
        self.start_allowed = _booleans(start_allowed)
        self.end_allowed = _booleans(end_allowed)
        self.loss = CRFLoss(self.log_likelihood)

    @classmethod
    def over(cls, scheme: SpanScheme | None, **kwargs: Any) -> CRF:
        """Return a chain with the constraints of a scheme; without any where it is None."""
        if scheme is None:
            return cls(**kwargs)
        return cls(scheme.transition_allowed, scheme.start_allowed, scheme.end_allowed, **kwargs)

    def build(self, emissions_shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        labels = emissions_shape[-1]
        self.transitions = self._weight("transitions", (labels, labels), self.transition_allowed)
        self.start = self._weight("start", (labels,), self.start_allowed)
        self.end = self._weight("end", (labels,), self.end_allowed)

    def call(self, emissions: Tensor, mask: Tensor = None) -> Tensor:
        """Return the emissions, whatever the mask."""
        # A copy: the input tensor carries a mask of steps, by which Keras would weigh the losses of rows.
        return ops.copy(ops.cast(emissions, self.variable_dtype))

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor) -> None:
        """Return None: in training, the labels tell which steps count."""

    def get_config(self) -> LayerConfig:
        """Return the arguments of the layer, the constraints as nested lists."""
        names = ("transition_allowed", "start_allowed", "end_allowed")
        arrays = {name: getattr(self, name) for name in names}
        lists = {name: None if array is None else array.tolist() for name, array in arrays.items()}
        return {**super().get_config(), **lists}

    def log_likelihood(self, emissions: Tensor, labels: Tensor, mask: Tensor = None) -> Tensor:
        """Return the (batch,) log probabilities of (batch, time) labels.

        It is 0 for rows without a step, and about -1e9 or below where labels are forbidden or out of range.
        """
        steps, moves = self._walk(emissions, mask)
        labels, outside = ops.cast(labels, "int32"), moves.shape[0] - 1
        valid = _full_mask(emissions, mask) & (labels >= 0) & (labels < outside)
        labels = ops.pad(ops.where(valid, labels, outside), ((0, 0), (1, 1)), constant_values=outside)
        moved = ops.take(ops.reshape(moves, (-1,)), labels[:, :-1] * (outside + 1) + labels[:, 1:])
        emitted = ops.take_along_axis(steps, labels[:, 1:, None], axis=2)[:, :, 0]
        return ops.sum(moved + emitted, axis=1) - _log_partition(steps, moves)

    def marginals(self, emissions: Tensor, mask: Tensor = None) -> Tensor:
        """Return the (batch, time, labels) probability of each label at each step; 0 where masked."""
        steps, moves = self._walk(emissions, mask)
        reached, _ = _forward(steps, moves, ops.logsumexp)
        expected, _ = _backward(reached, moves, ops.ones_like(steps[:, 0, 0]))
        return expected[:, :-1, :-1]

    def viterbi(self, emissions: Tensor, mask: Tensor = None) -> Tensor:
        """Return the (batch, time) labels of the best sequences; 0 where masked."""
        steps, moves = self._walk(emissions, mask)
        reached, _ = _forward(steps, moves, ops.max)
        into = ops.transpose(moves)

        def step(label: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
            label = ops.argmax(before + ops.take(into, label, axis=0), axis=1)
            return label, label

        outside = ops.full_like(reached[0, :, 0], moves.shape[0] - 1, dtype="int32")
        _, labels = ops.scan(step, outside, reached[1:], reverse=True)
        return ops.where(_full_mask(emissions, mask), ops.transpose(labels), 0)

    def potentials(self) -> tuple[Reals, Reals, Reals]:
        """Return transitions, start and end as `ml.linear_chain` takes them: -inf where forbidden."""
        transitions, start, end = (
            ops.convert_to_numpy(ops.copy(potentials)) for potentials in self._constrained(-np.inf)
        )
        return transitions, start, end

    def _weight(self, name: str, shape: tuple[int | None, ...], allowed: Mask | None) -> Tensor:
        if allowed is not None and allowed.shape != shape:
            raise ValueError(
                f"{self.name}: the constraints of {name} have the shape {allowed.shape}, "
                f"but emissions of {shape[0]} labels need {shape}"
            )
        return self.add_weight(name=name, shape=shape, initializer="zeros")

    def _constrained(self, forbidden: float) -> list[Tensor]:
        """Return transitions, start and end, with this value where they are forbidden."""
        weights = (ops.convert_to_tensor(weight) for weight in (self.transitions, self.start, self.end))
        allowed = (self.transition_allowed, self.start_allowed, self.end_allowed)
        return [
            weight if mask is None else ops.where(mask, weight, forbidden)
            for weight, mask in zip(weights, allowed, strict=True)
        ]

    def _walk(self, emissions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the potentials of being at a label and of moving between two; the last label is "outside".

        Returns:
            (batch, time + 1, labels + 1), the last step outside; (labels + 1, labels + 1), row to column.
        """
        keep = ops.pad(_full_mask(emissions, mask), ((0, 0), (0, 1)))[:, :, None]
        emissions = ops.pad(ops.convert_to_tensor(emissions, self.variable_dtype), ((0, 0), (0, 1), (0, 0)))
        # Only differences within a step matter, and near 0 sums over thousands of steps keep more digits.
        emissions = emissions - ops.stop_gradient(ops.max(emissions, axis=2, keepdims=True))
        inside, outside = ops.where(keep, emissions, _FORBIDDEN), ops.where(keep, _FORBIDDEN, 0)
        steps = ops.concatenate([inside, ops.cast(outside, inside.dtype)], axis=2)
        transitions, start, end = self._constrained(_FORBIDDEN)
        within = ops.concatenate([transitions, end[:, None]], axis=1)
        return steps, ops.concatenate([within, ops.pad(start, (0, 1))[None]], axis=0)


@keras.saving.register_keras_serializable(package="glossator")
class CRFLoss(keras.losses.Loss):
    """The negative log likelihood of each row, of which Keras takes the mean.

    Args:
        log_likelihood: The `log_likelihood` of the layer.

    Example:
        The layer has one:

            model.compile("adam", loss=crf.loss)
    """

    def __init__(self, log_likelihood: Callable[..., Tensor]) -> None:
        super().__init__()
        self.log_likelihood = log_likelihood

    def call(self, labels: Tensor, emissions: Tensor) -> Tensor:
        """Return the (batch,) losses of (batch, time) labels, -1 in the padding."""
        labels = ops.cast(labels, "int32")
        return -self.log_likelihood(emissions, labels, labels >= 0)

    @classmethod
    def from_config(cls, config: LayerConfig) -> CRFLoss:
        """Raise ValueError: a file cannot tell which layer of which model the loss belongs to."""
        raise ValueError(
            "the loss of a CRF belongs to its layer: load the model with compile=False, "
            "then compile it with loss=crf.loss of the layer that was loaded"
        )


def _booleans(values: ArrayLike | None) -> Mask | None:
    return None if values is None else np.asarray(values, dtype=bool)


def _full_mask(emissions: Tensor, mask: Tensor) -> Tensor:
    """Return a mask in its (batch, time) form."""
    batch, time, _ = ops.shape(emissions)
    if mask is None:
        return ops.ones((batch, time), dtype="bool")
    mask = ops.convert_to_tensor(mask)
    if len(mask.shape) == 1:
        return ops.less(ops.arange(time), mask[:, None])
    return ops.cast(mask, "bool")


@ops.custom_gradient
def _log_partition(steps: Tensor, moves: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, Tensor]]]:
    """Return the (batch,) log of the sum over all walks; its gradient counts steps and moves.

    Backends could derive the gradient, too, but take up to six times as long and keep (batch, labels, labels)
    of each step.
    """
    reached, last = _forward(steps, moves, ops.logsumexp)
    total = last[:, -1] + ops.sum(ops.max(reached, axis=2), axis=0)
    return total, lambda weights: _backward(reached, moves, weights)


def _forward(steps: Tensor, moves: Tensor, combine: Callable[..., Tensor]) -> tuple[Tensor, Tensor]:
    """Combine all walks up to each label, by `ops.logsumexp` or `ops.max`.

    Returns:
        (time + 1, batch, labels + 1) before each step, and (batch, labels + 1) after the last, each relative
        to the best label one step earlier.
    """
    into = ops.transpose(moves)

    def step(before: Tensor, here: Tensor) -> tuple[Tensor, Tensor]:
        scaled = before - ops.max(before, axis=1, keepdims=True)
        return combine(scaled[:, None, :] + into, axis=2) + here, before

    labels = moves.shape[0]
    outside = ops.cast(ops.where(ops.arange(labels) < labels - 1, _FORBIDDEN, 0), steps.dtype)
    last, reached = ops.scan(step, ops.zeros_like(steps[:, 0]) + outside, ops.transpose(steps, (1, 0, 2)))
    return reached, last


def _backward(reached: Tensor, moves: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return how often walks are expected to make each step and each move.

    A softmax in single precision sums to 1 but for rounding, which on some processors goes to one side and
    over thousands of steps adds up: the shares are scaled to their exact sum every `_RESCALED_EVERY` steps.

    Args:
        reached: Of `_forward` with `ops.logsumexp`.
        moves: As given there.
        weights: (batch,), what the walks of each row count.

    Returns:
        (batch, time + 1, labels + 1), and (labels + 1, labels + 1) over all rows and steps.
    """
    into = ops.transpose(moves)

    def step(state: tuple[Tensor, Tensor, Tensor], before: Tensor) -> tuple[Any, Any]:
        here, _, number = state
        arriving = ops.softmax(before[:, None, :] + into, axis=2) * here[:, :, None]
        earlier = ops.sum(arriving, axis=1)
        is_rescaled = ops.equal(ops.mod(number, _RESCALED_EVERY), 0)
        earlier = ops.where(is_rescaled, _rescaled(earlier, weights), earlier)
        state = earlier, ops.sum(arriving, axis=0), number + 1
        return state, state  # of one form, as Keras's scan needs it on TensorFlow

    labels = moves.shape[0]
    last = weights[:, None] * ops.one_hot(labels - 1, labels, dtype=moves.dtype)
    first_state = (last, ops.zeros_like(moves), ops.convert_to_tensor(1, dtype="int32"))
    _, (earlier, arrived, _) = ops.scan(step, first_state, reached, reverse=True)
    expected = ops.concatenate([earlier[1:], last[None]], axis=0)
    return ops.transpose(expected, (1, 0, 2)), ops.transpose(ops.sum(arrived, axis=0))


def _rescaled(shares: Tensor, totals: Tensor) -> Tensor:
    """Return (batch, labels) shares scaled to sum to (batch,) totals; rows of zeros stay as they are."""
    sums = ops.sum(shares, axis=1)
    is_empty = ops.equal(sums, 0)
    factors = ops.where(is_empty, 1.0, totals / ops.where(is_empty, 1.0, sums))
    return shares * factors[:, None]
