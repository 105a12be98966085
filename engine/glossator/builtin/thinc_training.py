"""What the thinc-built stages share: their optimizer's and random state as arrays, their weights on disk."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
from thinc.api import Adam, Model, Optimizer, fix_random_seed, use_ops
from threadpoolctl import ThreadpoolController

from glossator.errors import PipelineError
from glossator.util.arrays import read_arrays, write_arrays

if TYPE_CHECKING:
    from glossator.stages import TrainingState

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
Moments = ("mom1", "mom2")


def adam(learn_rate: float) -> Optimizer:
    """Return Adam with decoupled weight decay, as spaCy's components are trained with by default."""
    optimizer: Optimizer = Adam(
        learn_rate, L2=0.01, L2_is_weight_decay=True, grad_clip=1.0, use_averages=False
    )
    return optimizer


def fast_ops() -> AbstractContextManager[None]:
    """Build networks on numpy's own matrix product, which is faster than thinc's default, BLIS."""
    return use_ops("numpy", use_blis=False)


def on_one_thread(function: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Keep the matrix products inside a function to one thread.

    They are so small here that threads wait for each other more than they work and, where anything
    else runs, wait busily: one sentence took ten times as long.
    """

    @functools.wraps(function)
    def limited(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        with _controller().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def seed_everything(seed: int) -> None:
    """Start thinc's and numpy's random numbers: thinc draws weights and dropout from them."""
    fix_random_seed(seed)


def training_state(network: Model[Any, Any], optimizer: Optimizer) -> TrainingState:
    """Return the optimizer's moments and steps and numpy's random state as plain arrays."""
    state: dict[str, np.ndarray] = {}
    for place, key in _parameters(network):
        for moment in Moments:
            if key in getattr(optimizer, moment):
                state[f"{place}.{moment}"] = np.asarray(getattr(optimizer, moment)[key])
        state[f"{place}.updates"] = np.asarray(optimizer.nr_update.get(key, 0))
    _, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    state["random.keys"] = np.asarray(keys)
    state["random.rest"] = np.asarray([position, has_gauss, gauss], dtype=np.float64)
    return state


def restore(network: Model[Any, Any], optimizer: Optimizer, state: TrainingState) -> None:
    """Put back what `training_state` returned."""
    for place, key in _parameters(network):
        for moment in Moments:
            if f"{place}.{moment}" in state:
                getattr(optimizer, moment)[key] = np.array(state[f"{place}.{moment}"])
        optimizer.nr_update[key] = int(state[f"{place}.updates"])
    position, has_gauss, gauss = state["random.rest"]
    np.random.set_state(("MT19937", state["random.keys"], int(position), int(has_gauss), float(gauss)))


def write_weights(path: Path, network: Model[Any, Any], facts: Mapping[str, Any]) -> None:
    """Write a network's weights, and the facts needed to build it again, into a folder."""
    write_arrays(path / "weights.npz", {name: np.asarray(value) for name, value in _values(network)})
    (path / "network.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8")


def read_facts(path: Path) -> dict[str, Any]:
    """Read the facts `write_weights` wrote."""
    try:
        facts = json.loads((path / "network.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PipelineError(f"{path / 'network.json'} is missing or damaged: {error}") from error
    if not isinstance(facts, dict):
        raise PipelineError(f"{path / 'network.json'} is damaged: it holds no object")
    return facts


def read_weights(path: Path, network: Model[Any, Any]) -> None:
    """Read the weights `write_weights` wrote into a network of the same shape.

    Raises:
        PipelineError: The file is missing, damaged, or belongs to a network of another shape.
    """
    file = path / "weights.npz"
    arrays: dict[str, Any] = read_arrays(file)
    for name, value in _values(network):
        if name not in arrays:
            raise PipelineError(f"{file} is damaged: it has no array {name!r}")
        if arrays[name].shape != value.shape:
            raise PipelineError(
                f"{file} is damaged: {name} has shape {arrays[name].shape}, not {value.shape}"
            )
        _, parameter = name.split(".", 1)
        _node(network, name).set_param(parameter, arrays[name])


def _parameters(network: Model[Any, Any]) -> Sequence[tuple[str, tuple[int, str]]]:
    """Return a name that is the same in every process, and thinc's own key, for each parameter."""
    return [
        (f"{i}.{name}", (node.id, name)) for i, node in enumerate(network.walk()) for name in node.param_names
    ]


def _values(network: Model[Any, Any]) -> Sequence[tuple[str, Any]]:
    nodes = list(network.walk())
    return [
        (place, nodes[int(place.split(".", 1)[0])].get_param(name))
        for place, (_, name) in _parameters(network)
        if nodes[int(place.split(".", 1)[0])].has_param(name)
    ]


def _node(network: Model[Any, Any], place: str) -> Model[Any, Any]:
    return list(network.walk())[int(place.split(".", 1)[0])]
