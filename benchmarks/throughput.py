"""Measure text -> DocBin on disk: a pipeline of ours and one of spaCy's on the same text, in turns.

Whatever else the machine does then slows both alike, and the ratio stands. Both load afresh for
every round (untimed), so that each meets the words of the text for the first time, as in real use;
both write one DocBin of the same attributes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median

import click
import spacy
from rich.console import Console
from rich.table import Table
from spacy.tokens import Doc, DocBin

import glossator
from glossator.data import read_files
from glossator.errors import DataError
from glossator.plugins import PluginManager

SLICE = 1_500  # paragraphs on which batch sizes are tried
SENTENCES = 100
SENTENCE = "Marta Lindqvist took the early ferry from Ostrava to see the harbour at Kelso Shipping."


@dataclass(frozen=True, slots=True)
class Annotator:
    """One side of the comparison.

    Attributes:
        name: How the table calls it.
        load: Returns what annotates a stream of texts in batches of a size, and one text.
        batch_sizes: What to try: words for ours, documents for spaCy's.
    """

    name: str
    load: Callable[[], Loaded]
    batch_sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A pipeline ready to run."""

    stream: Callable[[Sequence[str], int], Iterator[Doc]]
    one: Callable[[str], Doc]


@click.command()
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--pipeline", required=True, type=click.Path(path_type=Path), help="Ours: a folder.")
@click.option("--peer", required=True, type=click.Path(path_type=Path), help="spaCy's: a folder.")
@click.option("--only", multiple=True, metavar="HEAD", help="Use this head of ours alone; may be repeated.")
@click.option("--rounds", default=5, show_default=True, help="How often each runs.")
@click.option("--paragraphs", type=int, help="Stop after so many paragraphs of the texts.")
def main(
    texts: tuple[Path, ...],
    pipeline: Path,
    peer: Path,
    only: tuple[str, ...],
    rounds: int,
    paragraphs: int | None,
) -> None:
    """Annotate the paragraphs of each TEXT, blank lines between them, and write them as a DocBin."""
    documents = read_paragraphs(texts, paragraphs)
    tokenize = spacy.load(peer).make_doc
    words = sum(len(tokenize(text)) for text in documents)
    ours = Annotator("glossator", lambda: load_ours(pipeline, only), (5_000, 20_000, 60_000))
    theirs = Annotator("spaCy", lambda: load_peer(peer), (64, 256, 1_000))
    sizes = [best_batch_size(side, documents[:SLICE]) for side in (ours, theirs)]
    laps = in_turns(
        lambda: time_corpus(ours, documents, sizes[0]),
        lambda: time_corpus(theirs, documents, sizes[1]),
        rounds,
    )
    single = in_turns(lambda: time_sentences(ours), lambda: time_sentences(theirs), rounds)
    Console().print(table(laps, single, words, sizes, len(documents)))


def read_paragraphs(files: Sequence[Path], limit: int | None) -> list[str]:
    """Return the paragraphs of text files as texts."""
    records = read_files(files, "paragraphs", {}, "utf-8", PluginManager.from_environment())
    texts = (record.text for record in records if not isinstance(record, DataError))
    return list(islice(texts, limit))


def load_ours(folder: Path, only: Sequence[str]) -> Loaded:
    """Load a pipeline of ours."""
    pipeline = glossator.load(folder, only=only)
    return Loaded(lambda texts, words: pipeline.pipe(texts, batch_words=words), pipeline)


def load_peer(folder: Path) -> Loaded:
    """Load a pipeline of spaCy's."""
    nlp = spacy.load(folder)
    return Loaded(lambda texts, size: nlp.pipe(texts, batch_size=size), nlp)


def best_batch_size(side: Annotator, texts: Sequence[str]) -> int:
    """Return the batch size that was fastest; the first run, which warms up, does not count."""
    time_corpus(side, texts, side.batch_sizes[0])
    return min(side.batch_sizes, key=lambda size: min(time_corpus(side, texts, size) for _ in range(2)))


def time_corpus(side: Annotator, texts: Sequence[str], batch_size: int) -> float:
    """Return the seconds from texts to a DocBin on disk."""
    loaded = side.load()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        docs = DocBin(store_user_data=True)
        for doc in loaded.stream(texts, batch_size):
            docs.add(doc)
        docs.to_disk(Path(folder) / "docs.spacy")
        return time.perf_counter() - started


def time_sentences(side: Annotator) -> float:
    """Return the median seconds of one short sentence, annotated alone."""
    loaded = side.load()
    loaded.one(SENTENCE)
    seconds = []
    for _ in range(SENTENCES):
        started = time.perf_counter()
        loaded.one(SENTENCE)
        seconds.append(time.perf_counter() - started)
    return median(seconds)


def in_turns(
    ours: Callable[[], float], theirs: Callable[[], float], rounds: int
) -> list[tuple[float, float]]:
    """Measure both in every round, whoever was second going first in the next; return (ours, theirs)."""
    laps = []
    for number in range(rounds):
        if number % 2:
            second = theirs()
            laps.append((ours(), second))
        else:
            laps.append((ours(), theirs()))
    return laps


def table(
    laps: list[tuple[float, float]],
    single: list[tuple[float, float]],
    words: int,
    sizes: list[int],
    documents: int,
) -> Table:
    """Lay out the medians and the median ratios of the rounds."""
    laid_out = Table("", "glossator", "spaCy", "ratio", title=f"{documents:,} paragraphs, {words:,} words")
    rates = [(words / ours, words / theirs) for ours, theirs in laps]
    speedups = [ours / theirs for ours, theirs in rates]
    laid_out.add_row(
        "text → DocBin, words/s",
        *(f"{median(side):,.0f}" for side in zip(*rates, strict=True)),
        f"{median(speedups):.2f} ({min(speedups):.2f}–{max(speedups):.2f})",
    )
    laid_out.add_row("  at a batch size of", f"{sizes[0]:,} words", f"{sizes[1]:,} documents", "")
    speedups = [theirs / ours for ours, theirs in single]
    laid_out.add_row(
        "one sentence alone, ms",
        *(f"{1000 * median(side):.2f}" for side in zip(*single, strict=True)),
        f"{median(speedups):.2f} ({min(speedups):.2f}–{max(speedups):.2f})",
    )
    laid_out.caption = f"medians of {len(laps)} rounds in turns; a ratio above 1: glossator is faster"
    return laid_out


if __name__ == "__main__":
    main()
