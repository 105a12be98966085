"""Measure `glossator vectors`: training beside plain gensim, and importing a large GloVe file.

The yardstick of training is gensim itself, fed with the same sentences as lists in memory; tokenizing,
which gensim does not do, is told apart. `--import-check` generates a GloVe text, imports it in a process
of its own, and starts a pipeline with and without the vectors.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import click
import numpy as np
from gensim.models import Word2Vec

from glossator.builtin.tokenizers import SpacyTokenizer
from glossator.commands import InputFormat
from glossator.errors import DataError
from glossator.pipeline.pipeline import Pipeline
from glossator.plugins.manager import PluginManager
from glossator_vectors.texts.paragraphs import read_paragraphs
from glossator_vectors.training.settings import TrainingSettings
from glossator_vectors.training.tokenized_corpus import TokenizedCorpus
from glossator_vectors.training.trainer import train_vectors

SENTENCE = "Marta Lindqvist took the early ferry from Ostrava."
IMPORT_BAR, START_BAR, ROUNDS = 60.0, 1.0, 5
LINES_AT_ONCE = 1000

MEASURED_IMPORT = """
import json, resource, sys, time
from pathlib import Path
from glossator_vectors.files.importing import import_vectors
started = time.perf_counter()
done = import_vectors(Path(sys.argv[1]), Path(sys.argv[2]))
seconds = time.perf_counter() - started
print(json.dumps([done.kept, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""
MEASURED_START = """
import sys, time
started = time.perf_counter()
import glossator
glossator.load(sys.argv[1])(sys.argv[2])
print(time.perf_counter() - started)
"""


@click.command()
@click.argument("texts", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--width", default=128, show_default=True)
@click.option("--epochs", default=5, show_default=True)
@click.option("--workers", default=1, show_default=True)
@click.option("--import-check", is_flag=True, help="Generate, import and use a GloVe file.")
@click.option("--words", default=400_000, show_default=True, help="Words of the GloVe file.")
@click.option("--numbers", default=300, show_default=True, help="Numbers in each of its vectors.")
def main(
    texts: tuple[Path, ...],
    width: int,
    epochs: int,
    workers: int,
    import_check: bool,
    words: int,
    numbers: int,
) -> None:
    """Train on TEXTS beside gensim, or check the import."""
    if not texts and not import_check:
        raise click.UsageError("name texts to train on, or give --import-check")
    with tempfile.TemporaryDirectory() as folder:
        if texts:
            compare_training(
                texts, TrainingSettings(width=width, epochs=epochs, workers=workers), Path(folder)
            )
        slow = import_check and is_import_slow(Path(folder), words, numbers)
    sys.exit(1 if slow else 0)


def compare_training(texts: Sequence[Path], settings: TrainingSettings, folder: Path) -> None:
    """Print the words/s of training beside those of plain gensim on the same sentences, in turns."""
    corpus = TokenizedCorpus(folder)
    corpus.add(pieces(texts), SpacyTokenizer("en"))
    sentences = list(corpus)
    laps = [
        (plain_seconds(sentences, settings), train_vectors(pieces(texts), folder / "ours", settings))
        for _ in range(ROUNDS)
    ]
    words = corpus.words * settings.epochs
    plain = median(bare for bare, _ in laps)
    click.echo(
        f"{corpus.words:,} words, {settings.epochs} epochs, {settings.workers} workers; medians of {ROUNDS}"
    )
    click.echo(f"plain gensim        {words / plain:12,.0f} words/s")
    alone = [(bare, ours.training_seconds) for bare, ours in laps]
    whole = [(bare, ours.training_seconds + ours.tokenizing_seconds) for bare, ours in laps]
    for what, pairs in (("vectors train      ", alone), ("  with tokenizing  ", whole)):
        rate = words / median(mine for _, mine in pairs)
        click.echo(
            f"{what:<19} {rate:12,.0f} words/s, ratio {median(bare / mine for bare, mine in pairs):.2f}"
        )


def plain_seconds(sentences: list[list[str]], settings: TrainingSettings) -> float:
    """Return how long gensim takes to train on sentences in memory."""
    started = time.perf_counter()
    Word2Vec(
        sentences,
        vector_size=settings.width,
        window=settings.window,
        min_count=settings.min_count,
        epochs=settings.epochs,
        workers=settings.workers,
        seed=settings.seed,
    )
    return time.perf_counter() - started


def pieces(texts: Sequence[Path]) -> Iterator[str]:
    """Yield the texts as `vectors train` reads them."""
    for item in read_paragraphs(texts, InputFormat(), PluginManager.from_environment()):
        if not isinstance(item, DataError):
            yield item.text


def is_import_slow(folder: Path, words: int, numbers: int) -> bool:
    """Print what importing a GloVe file takes and what it adds to a start; return whether it is too much."""
    file, vectors = folder / "glove.txt", folder / "vectors"
    write_glove(file, words, numbers)
    kept, seconds, megabytes = json.loads(python(MEASURED_IMPORT, file, vectors))
    click.echo(
        f"{kept:,} x {numbers} ({file.stat().st_size / 1e6:,.0f} MB) imported in {seconds:.1f} s, "
        f"at most {IMPORT_BAR:.0f}; peak memory {megabytes:,.0f} MB"
    )
    with_vectors, without = folder / "with", folder / "without"
    save_pipeline(with_vectors, "vectors", path=str(vectors))
    save_pipeline(without, "hash", width=numbers)
    laps = [(start(with_vectors), start(without)) for _ in range(ROUNDS)]
    longer = median(mine - bare for mine, bare in laps)
    mine, bare = (median(side) for side in zip(*laps, strict=True))
    click.echo(f"a start with the vectors {mine:.2f} s, without {bare:.2f} s; medians of {ROUNDS}")
    click.echo(f"difference {longer:.3f} s, at most {START_BAR}")
    return seconds > IMPORT_BAR or longer > START_BAR


def write_glove(file: Path, words: int, numbers: int) -> None:
    """Write a GloVe text of made-up words and random numbers with five decimals, as GloVe's have."""
    generator = np.random.default_rng(0)
    with file.open("w", encoding="utf-8") as target:
        for start in range(0, words, LINES_AT_ONCE):
            rows = generator.normal(scale=0.4, size=(min(LINES_AT_ONCE, words - start), numbers))
            for i, row in enumerate(rows.tolist(), start=start):
                target.write(f"word{i} {' '.join(f'{value:.5f}' for value in row)}\n")


def save_pipeline(folder: Path, stage: str, **settings: str | int) -> None:
    """Save a pipeline whose Docs get the vectors of an embedder."""
    pipeline = Pipeline("en").add_embedder("words", stage, **settings)
    pipeline.tensor = "words"
    pipeline.prepare().save(folder)


def start(pipeline: Path) -> float:
    """Return how long a fresh process takes to load a pipeline and annotate a sentence."""
    return float(python(MEASURED_START, pipeline, SENTENCE))


def python(code: str, *arguments: str | Path) -> str:
    """Return the last line that a fresh Python prints."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return done.stdout.splitlines()[-1]


if __name__ == "__main__":
    main()
