"""Loading Keras on TensorFlow: only when a network is built, silently, or with a clear error."""

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
    """Raise `StageError` unless the libraries that export to ONNX are installed; nothing is imported."""
    missing = [name for name in ("onnx", "tf2onnx") if importlib.util.find_spec(name) is None]
    if missing:
        raise StageError(f"exporting needs {' and '.join(missing)}: pip install 'glossator[train]'")


@contextmanager
def quietly() -> Iterator[None]:
    """Suppress the messages of TensorFlow and its converter, on standard error and as warnings."""
    # Their C++ code writes to the file descriptor, past Python's sys.stderr.
    sys.stderr.flush()
    stderr = os.dup(2)
    devnull = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stderr.flush()
        os.dup2(stderr, 2)
        os.close(devnull)
        os.close(stderr)
