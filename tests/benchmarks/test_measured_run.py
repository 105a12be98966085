from __future__ import annotations

import sys

import click
import measured_run
import pytest

MEGABYTE = 1_000_000


def of_python(code):
    return measured_run.measured_run([sys.executable, "-c", code])


def test_the_peak_of_memory_is_that_of_the_command_alone():
    held = bytearray(b"x" * (300 * MEGABYTE))
    small, large = of_python("pass"), of_python(f"bytearray(b'x' * {100 * MEGABYTE})")
    assert small.peak_megabytes < len(held) / MEGABYTE / 3, "the memory of this process is counted"
    assert 90 < large.peak_megabytes - small.peak_megabytes < 250


def test_waiting_takes_time_and_no_processor():
    cost = of_python("import time; time.sleep(0.5)")
    assert cost.seconds > 0.5
    assert cost.cpu_seconds < cost.seconds


def test_a_command_that_fails_is_an_error():
    with pytest.raises(click.ClickException, match="failed with exit code 3"):
        of_python("raise SystemExit(3)")
