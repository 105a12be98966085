"""Show that `glossator --help` is quick, and that `import glossator` loads nothing heavy.

The yardstick is a Python that imports click alone, which no command line built on it can beat.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

import click

BAR = 2.5
HEAVY = ("spacy", "numpy", "thinc")
HELP = ("-c", "from glossator.cli import main; main()", "--help")
YARDSTICK = ("-c", "import click")


@click.command()
@click.option("--rounds", default=15, show_default=True, help="How often each runs.")
def main(rounds: int) -> None:
    """Compare the start of the command line with that of Python and click, in turns."""
    for arguments in (HELP, YARDSTICK):  # the first run compiles and fills caches
        seconds_of(arguments)
    laps = [(seconds_of(HELP), seconds_of(YARDSTICK)) for _ in range(rounds)]
    ratio = median(ours / bare for ours, bare in laps)
    ours, bare = (1000 * median(side) for side in zip(*laps, strict=True))
    click.echo(f"glossator --help: {ours:.0f} ms; python and click alone: {bare:.0f} ms; medians of {rounds}")
    click.echo(f"ratio {ratio:.2f}, at most {BAR}")
    loaded = heavy_modules("glossator")
    click.echo(f"import glossator loads: {', '.join(loaded) or 'nothing heavy'}")
    sys.exit(1 if ratio > BAR or loaded else 0)


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
