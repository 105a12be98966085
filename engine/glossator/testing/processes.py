"""Other processes: a fresh interpreter, and a spawned worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from glossator.testing import worker
from glossator.testing.outcome import Failed, NotApplicable

SECONDS = 900


def run_python(*arguments: str) -> str:
    """Run a fresh interpreter that finds the modules this one finds; return what it printed.

    Raises:
        Failed: It ended with an error.
    """
    found = os.pathsep.join(folder for folder in sys.path if folder)
    # Another seed of strings' hashes: what hangs on the order of a set shows.
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": found, "PYTHONHASHSEED": "1", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        last_lines = done.stderr.strip().splitlines()[-1:]
        raise Failed(f"a fresh process ended with code {done.returncode}: {' '.join(last_lines)}")
    return done.stdout


def fresh_report(order: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return `worker.report` of a fresh interpreter; files are exchanged in `folder`."""
    sent, received = folder / "order.json", folder / "report.json"
    sent.write_text(json.dumps(order), encoding="utf-8")
    run_python("-m", worker.__name__, str(sent), str(received))
    return _available(json.loads(received.read_text(encoding="utf-8")))


def spawned_report(order: Mapping[str, Any]) -> dict[str, Any]:
    """Return `worker.report` of a worker that multiprocessing spawned."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return _available(pool.submit(worker.report, order).result(timeout=SECONDS))


def _available(report: dict[str, Any]) -> dict[str, Any]:
    if "unavailable" in report:
        raise NotApplicable(f"another process cannot import it: {report['unavailable']}")
    return report
