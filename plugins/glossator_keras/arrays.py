"""Names for the arrays and tensors that pass between the modules of this plugin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
"""Of any type, where several occur."""
Arrays: TypeAlias = Mapping[str, Array]
"""Arrays by name, such as the inputs of a network or a training state."""
Floats: TypeAlias = NDArray[np.float32]
Reals: TypeAlias = NDArray[np.floating[Any]]
"""Of either precision: networks answer in single precision, sums over sequences are done in double."""
Ints: TypeAlias = NDArray[np.int32]
Positions: TypeAlias = NDArray[np.intp]
"""Indices into other arrays."""
Mask: TypeAlias = NDArray[np.bool_]
Tensor: TypeAlias = Any
"""A tensor of the backend that Keras runs on, or an array."""
