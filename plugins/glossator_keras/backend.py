"""Loading Keras on TensorFlow: only when a network is built, without a word, or with a clear one."""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from glossator.errors import StageError


@functools.cache
def load_keras() -> None:
    """Import Keras and TensorFlow.

    Raises:
        StageError: They are not installed, or Keras runs on another backend here.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        with quietly():
            import keras
            import tensorflow  # noqa: F401
    except ImportError as error:
        raise StageError(
            f"this needs Keras and TensorFlow ({error}): pip install 'glossator[train]'"
        ) from error
    if keras.backend.backend() != "tensorflow":
        raise StageError(f"Keras runs on {keras.backend.backend()} here: set KERAS_BACKEND=tensorflow")


def check_exporting() -> None:
    """Raise `StageError` unless what Keras exports to ONNX by is installed; nothing is imported."""
    missing = [name for name in ("onnx", "tf2onnx") if importlib.util.find_spec(name) is None]
    if missing:
        raise StageError(f"exporting needs {' and '.join(missing)}: pip install 'glossator[train]'")


@contextmanager
def quietly() -> Iterator[None]:
    """Keep what TensorFlow and its converter say of themselves, past Python and in warnings, from people."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
