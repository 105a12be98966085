"""Shared by the stages built with thinc: optimizer and random state as arrays, weights on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from thinc.api import Adam, Model, Optimizer, fix_random_seed, use_ops

from glossator.errors import PipelineError
from glossator.util.arrays import read_arrays, write_arrays

if TYPE_CHECKING:
    from glossator.stages import TrainingState

MOMENTS = ("mom1", "mom2")  # Adam's averages of gradients and of their squares, by thinc's names


def adam(learn_rate: float) -> Optimizer:
    """Return Adam with decoupled weight decay, the default of spaCy's components.

    Example:
        network.finish_update(adam(0.001))
    """
    optimizer: Optimizer = Adam(
        learn_rate, L2=0.01, L2_is_weight_decay=True, grad_clip=1.0, use_averages=False
    )
    return optimizer


def fast_ops() -> AbstractContextManager[None]:
    """Build networks with numpy's matrix product, which is faster than thinc's default, BLIS.

    Example:
        with fast_ops():
            network = Linear(3, 5)
    """
    return use_ops("numpy", use_blis=False)


def draw_weights(network: Model[Any, Any], seed: int) -> None:
    """Draw a network's weights, and leave the random state from which dropout is drawn in training.

    Example:
        draw_weights(network, seed=0)
    """
    fix_random_seed(seed)  # thinc's and numpy's global random states
    network.initialize()


def training_state(network: Model[Any, Any], optimizer: Optimizer) -> TrainingState:
    """Return the optimizer's moments and steps, and numpy's random state, as plain arrays.

    Example:
        write_arrays(file, training_state(network, optimizer))
    """
    state: dict[str, np.ndarray] = {}
    for name, key in _parameters(network):
        for moment in MOMENTS:
            if key in getattr(optimizer, moment):
                state[f"{name}.{moment}"] = np.asarray(getattr(optimizer, moment)[key])
        state[f"{name}.updates"] = np.asarray(optimizer.nr_update.get(key, 0))
    # Dropout draws from numpy's global random state: without it, a resumed run would differ.
    _, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    state["random.keys"] = np.asarray(keys)
    state["random.rest"] = np.asarray([position, has_gauss, gauss], dtype=np.float64)
    return state


def restore(network: Model[Any, Any], optimizer: Optimizer, state: TrainingState) -> None:
    """Restore what `training_state` returned.

    Example:
        restore(network, optimizer, read_arrays(file))
    """
    for name, key in _parameters(network):
        for moment in MOMENTS:
            if f"{name}.{moment}" in state:
                getattr(optimizer, moment)[key] = np.array(state[f"{name}.{moment}"])
        optimizer.nr_update[key] = int(state[f"{name}.updates"])
    position, has_gauss, gauss = state["random.rest"]
    np.random.set_state(("MT19937", state["random.keys"], int(position), int(has_gauss), float(gauss)))


def write_weights(path: Path, network: Model[Any, Any], metadata: Mapping[str, Any]) -> None:
    """Write a network's weights, and the metadata needed to build it again, into a folder.

    Example:
        write_weights(folder, network, {"labels": ["food", "travel"], "width": 96})
    """
    write_arrays(path / "weights.npz", {name: np.asarray(value) for name, value in _values(network)})
    (path / "network.json").write_text(json.dumps(metadata, ensure_ascii=False, indent=1), encoding="utf-8")


def read_metadata(path: Path) -> dict[str, Any]:
    """Read the metadata that `write_weights` wrote.

    Example:
        labels = tuple(read_metadata(folder)["labels"])

    Raises:
        PipelineError: The file is missing or damaged.
    """
    try:
        metadata = json.loads((path / "network.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PipelineError(f"{path / 'network.json'} is missing or damaged: {error}") from error
    if not isinstance(metadata, dict):
        raise PipelineError(f"{path / 'network.json'} is damaged: it is not a JSON object")
    return metadata


def read_weights(path: Path, network: Model[Any, Any]) -> None:
    """Read the weights that `write_weights` wrote into a network of the same shape.

    Example:
        network.initialize()
        read_weights(folder, network)

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
    # thinc counts the nodes of a process in the order in which they are made; their order in `walk` is fixed.
    return [
        (f"{i}.{name}", (node.id, name)) for i, node in enumerate(network.walk()) for name in node.param_names
    ]


def _values(network: Model[Any, Any]) -> Sequence[tuple[str, Any]]:
    nodes = list(network.walk())
    return [
        (name, nodes[int(name.split(".", 1)[0])].get_param(parameter))
        for name, (_, parameter) in _parameters(network)
        if nodes[int(name.split(".", 1)[0])].has_param(parameter)
    ]


def _node(network: Model[Any, Any], name: str) -> Model[Any, Any]:
    return list(network.walk())[int(name.split(".", 1)[0])]
