"""Show that the command line starts quickly, and that `import glossator` loads nothing heavy.

The yardstick for `--help` is a Python that imports click alone, which no command line built on it can
beat; for annotating one sentence from a cold start, with `--pipeline`, one that imports spaCy alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import click

HELP_BAR, ANNOTATE_BAR = 2.5, 1.3
HEAVY = ("spacy", "numpy", "thinc")
GLOSSATOR = ("-c", "from glossator.cli import main; main()")
SENTENCE = "Marta Lindqvist took the early ferry from Ostrava.\n"


@click.command()
@click.option("--rounds", default=15, show_default=True, help="How often each runs.")
@click.option("--pipeline", type=click.Path(path_type=Path), help="Annotate one sentence with it, too.")
def main(rounds: int, pipeline: Path | None) -> None:
    """Compare the start of the command line with that of Python and one library, in turns."""
    slow = is_slow("glossator --help", (*GLOSSATOR, "--help"), "click", HELP_BAR, rounds)
    if pipeline is not None:
        with tempfile.TemporaryDirectory() as folder:
            text = Path(folder) / "sentence.txt"
            text.write_text(SENTENCE, encoding="utf-8")
            annotate = (*GLOSSATOR, "annotate", str(text), "--pipeline", str(pipeline))
            slow |= is_slow("annotating a sentence", annotate, "spacy", ANNOTATE_BAR, rounds)
    loaded = heavy_modules("glossator")
    click.echo(f"import glossator loads: {', '.join(loaded) or 'nothing heavy'}")
    sys.exit(1 if slow or loaded else 0)


def is_slow(what: str, ours: Sequence[str], library: str, bar: float, rounds: int) -> bool:
    """Print how long ours takes beside the import of a library; return whether the ratio is above the bar."""
    yardstick = ("-c", f"import {library}")
    for arguments in (ours, yardstick):  # the first run compiles and fills caches
        seconds_of(arguments)
    laps = [(seconds_of(ours), seconds_of(yardstick)) for _ in range(rounds)]
    ratio = median(mine / bare for mine, bare in laps)
    mine, bare = (1000 * median(side) for side in zip(*laps, strict=True))
    click.echo(f"{what}: {mine:.0f} ms; import {library} alone: {bare:.0f} ms; medians of {rounds}")
    click.echo(f"ratio {ratio:.2f}, at most {bar}")
    return ratio > bar


def seconds_of(arguments: Sequence[str]) -> float:
    """Return how long a Python process with these arguments takes from start to end."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def heavy_modules(module: str) -> list[str]:
    """Return which of the heavy modules a fresh Python has loaded after importing `module`."""
    code = f"import json, sys, {module}; print(json.dumps([n for n in {HEAVY!r} if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, encoding="utf-8")
    found: list[str] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
