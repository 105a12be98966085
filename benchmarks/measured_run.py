"""Run a command, and measure its time and memory.

The command is started by a small process of its own, this module as a script: the peak of a child counts the
memory of the process that forked it, and a benchmark may hold much.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

MEGABYTE = 1_000_000
# getrusage counts bytes there, and kilobytes elsewhere
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took, from its start to its end.

    Attributes:
        seconds: Wall time.
        cpu_seconds: Processor time of all its threads; if well below `seconds`, the machine had other work.
        peak_megabytes: The most memory it held at once.
    """

    seconds: float
    cpu_seconds: float
    peak_megabytes: float


def measured_run(command: Sequence[str]) -> Cost:
    """Run a command to its end and return what it took; raise `ClickException` if it fails.

    Example:
        measured_run([sys.executable, "-c", "print('done')"]).peak_megabytes  # about 10
    """
    if not hasattr(os, "wait4"):
        raise click.ClickException("this system does not tell the peak memory of a process (os.wait4)")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "cost.json"
        done = subprocess.run([sys.executable, __file__, str(report), *command], check=False)
        if done.returncode:
            raise click.ClickException(f"{' '.join(command)} failed with exit code {done.returncode}")
        return Cost(**json.loads(report.read_text(encoding="utf-8")))


def main(report: str, *command: str) -> int:
    """Run a command, write its cost to the file `report`, and return its exit code."""
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)

    cost = Cost(
        seconds=round(time.perf_counter() - started, 2),
        cpu_seconds=round(usage.ru_utime + usage.ru_stime, 2),
        peak_megabytes=round(usage.ru_maxrss * _RSS_UNIT / MEGABYTE, 1),
    )
    Path(report).write_text(json.dumps(asdict(cost)), encoding="utf-8")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
