"""Runs code in other processes: a fresh interpreter, or a spawned worker."""

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

SECONDS = 900  # generous: a busy machine imports a framework slowly


def run_python(*arguments: str) -> str:
    """Run a fresh interpreter with the import path of this one; return what it printed.

    Example:
        run_python("-c", "print(6 * 7)")  # "42\\n"

    Raises:
        Failed: It ended with an error.
    """
    import_path = os.pathsep.join(folder for folder in sys.path if folder)
    # Another hash seed: results that depend on the order of a set become visible.
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": import_path, "PYTHONHASHSEED": "1", "PYTHONIOENCODING": "utf-8"},
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
    """Return `worker.report` from a fresh interpreter; `folder` holds the exchanged files.

    Example:
        fresh_report(trial.order(learn=False), trial.folder)["answers"]
    """
    sent, received = folder / "order.json", folder / "report.json"
    sent.write_text(json.dumps(order), encoding="utf-8")
    run_python("-m", worker.__name__, str(sent), str(received))
    return _available(json.loads(received.read_text(encoding="utf-8")))


def spawned_report(order: Mapping[str, Any]) -> dict[str, Any]:
    """Return `worker.report` from a worker that multiprocessing spawned.

    Example:
        spawned_report(trial.order(learn=False))["answers"]
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return _available(pool.submit(worker.report, order).result(timeout=SECONDS))


def _available(report: dict[str, Any]) -> dict[str, Any]:
    if "unavailable" in report:
        raise NotApplicable(f"another process cannot import it: {report['unavailable']}")
    return report
