"""Train recipes of ours once, as a user does, and keep beside each pipeline what that took."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from measured_run import Cost, measured_run

TRAIN = [sys.executable, "-c", "from glossator.cli import main; main()", "train"]


def train(name: str, seed: int, folder: Path) -> Cost | None:
    """Train a recipe unless its pipeline is there; return what that took, if it is known.

    It is kept in a file beside the pipeline.
    """
    kept = folder.with_name(f"{folder.name}.cost.json")
    if not folder.is_dir():
        cost = measured_run([*TRAIN, name, "-o", str(folder), "--set", f"glossator.seed={seed}"])
        kept.write_text(json.dumps(asdict(cost)) + "\n", encoding="utf-8")
    return Cost(**json.loads(kept.read_text(encoding="utf-8"))) if kept.exists() else None
