"""What all tests share."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no fault: no test is timed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

pytest_plugins = ["shared_fixtures", "stepwise_stages"]  # of tests/support


def pytest_configure() -> None:
    """Let Ctrl-C interrupt, as some tests do: a shell that starts this in the background has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m "not slow"`, do not import modules that are slow as a whole: TensorFlow takes its time."""
    if config.option.markexpr != "not slow" or collection_path.suffix != ".py":
        return None
    return is_slow(collection_path.read_text(encoding="utf-8")) or None


def is_slow(code: str) -> bool:
    """Whether a module marks all its tests as slow."""
    _, _, mark = code.partition("\npytestmark = ")
    return mark.removeprefix("[").lstrip().startswith("pytest.mark.slow")
