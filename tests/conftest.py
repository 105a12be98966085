"""What all tests share."""

from __future__ import annotations

import signal

pytest_plugins = ["shared_fixtures"]  # of tests/support


def pytest_configure() -> None:
    """Let Ctrl-C interrupt, as some tests do: a shell that starts this in the background has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
