"""Checksums of arithmetic that depends on the processor: run it to see what an environment variable changes.

    export NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4 AVX512_ICL"
    OPENBLAS_CORETYPE=Sandybridge ONEDNN_MAX_CPU_ISA=SSE41 python benchmarks/processor.py

The tests must pass with these variables and without: equality is asserted only where batch, order and kernels
are the same. numpy ignores names of features that it does not know, with a warning; `numpy.show_config()`
lists those it does.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from thinc.api import NumpyOps

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
VARIABLES = (
    "OPENBLAS_CORETYPE",
    "NPY_DISABLE_CPU_FEATURES",
    "ONEDNN_MAX_CPU_ISA",
    "TF_ENABLE_ONEDNN_OPTS",
    "OMP_NUM_THREADS",
)


def main() -> None:
    """Print the variables and one checksum per kind of arithmetic."""
    table = Table("arithmetic", "library", "checksum")
    for name, library, values in results():
        table.add_row(name, library, hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:10])
    console = Console()
    console.print({name: os.environ[name] for name in VARIABLES if name in os.environ})
    console.print(table)


def results() -> list[tuple[str, str, Any]]:
    """Return what is computed, by which library, and the array that comes of it."""
    generator = np.random.default_rng(0)
    left = generator.normal(size=(64, 300)).astype(np.float32)
    right = generator.normal(size=(300, 128)).astype(np.float32)
    computed = [
        ("product", "numpy", left @ right),
        ("exponential", "numpy", np.exp(left)),
        ("logarithm, double", "numpy", np.log(np.abs(left.astype(np.float64)))),
        ("product", "thinc (BLIS)", NumpyOps().gemm(left, right)),
    ]
    if importlib.util.find_spec("tensorflow") is not None:
        import tensorflow as tf

        computed += [
            ("product", "tensorflow", (tf.constant(left) @ tf.constant(right)).numpy()),
            ("softmax", "tensorflow", tf.nn.softmax(tf.constant(left)).numpy()),
        ]
    return computed


if __name__ == "__main__":
    main()
