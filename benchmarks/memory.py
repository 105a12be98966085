"""Show that annotating needs no more memory for a large file than for a small one.

Both files are full of words never seen before, which is what makes a vocabulary grow. The larger
may need at most 1.2 times the memory of the smaller. Needs a system that has `os.wait4` (not Windows).
"""

from __future__ import annotations

import random
import string
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
from measured_run import MEGABYTE, measured_run

BAR = 1.2
ANNOTATE = [sys.executable, "-c", "from glossator.cli import main; main()", "annotate"]
COMMON = """
    the a and of to in was with that on at when old new long window river street morning letter garden
    station opened carried painted answered London Lisbon Ruth Daniel
"""


@click.command()
@click.option(
    "--pipeline", required=True, type=click.Path(path_type=Path), help="The pipeline that annotates."
)
@click.option("--small-mb", default=10.0, show_default=True, help="Size of the smaller text.")
@click.option("--large-mb", default=200.0, show_default=True, help="Size of the larger text.")
@click.option("--seed", default=0, show_default=True, help="Where the texts' randomness starts.")
def main(pipeline: Path, small_mb: float, large_mb: float, seed: int) -> None:
    """Annotate a small and a large text of ever new words and compare the peaks of memory."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = (peak_megabytes(pipeline, Path(folder), size, seed) for size in (small_mb, large_mb))
    click.echo(f"{small_mb:g} MB of text: peak of {small:,.0f} MB")
    click.echo(f"{large_mb:g} MB of text: peak of {large:,.0f} MB")
    click.echo(f"ratio {large / small:.3f}, at most {BAR}")
    sys.exit(1 if large > BAR * small else 0)


def peak_megabytes(pipeline: Path, folder: Path, megabytes: float, seed: int) -> float:
    """Return the peak resident memory of a process that annotates a text of some size."""
    text, output = folder / "text.txt", folder / "out.jsonl"
    write_text(text, int(megabytes * MEGABYTE), seed)
    options = ["--pipeline", str(pipeline), "--from", "lines", "-o", str(output)]
    peak = measured_run([*ANNOTATE, str(text), *options]).peak_megabytes
    output.unlink()
    return peak


def write_text(path: Path, size: int, seed: int) -> None:
    """Write a text of at least `size` bytes, a sentence a line."""
    written = 0
    with path.open("w", encoding="ascii", newline="\n") as file:
        for line in sentences(seed):
            written += file.write(line)
            if written >= size:
                return


def sentences(seed: int) -> Iterator[str]:
    """Yield sentences of 15 words, 5 of them random letters, without end."""
    generator, common = random.Random(seed), COMMON.split()
    while True:
        words = generator.choices(common, k=10)
        letters = "".join(generator.choices(string.ascii_lowercase, k=5 * 8))
        words += [letters[start : start + 8] for start in range(0, len(letters), 8)]
        generator.shuffle(words)
        yield " ".join(words).capitalize() + ".\n"


if __name__ == "__main__":
    main()
