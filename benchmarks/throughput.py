"""Measure text -> DocBin on disk: a pipeline of ours and one of spaCy's on the same text, in turns.

Whatever else the machine does then slows both alike, and the ratio stands. Both load afresh for
every round (untimed), so that each meets the words of the text for the first time, as in real use.
Ours writes as `glossator annotate` does, spaCy's by `DocBin.add` and `to_disk`; in the end both files
are read back, and must hold as many Docs, with the same attributes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from glossator.data.files import read_files
from glossator.errors import DataError
from glossator.formats import Record
from glossator.formats.docbin import DocBinFiles
from glossator.plugins.manager import PluginManager

SLICE = 1_500  # paragraphs on which batch sizes are tried
SENTENCES = 100
SENTENCE = "Marta Lindqvist took the early ferry from Ostrava to see the harbour at Kelso Shipping."


@dataclass(frozen=True, slots=True)
class Annotator:
    """One side of the comparison.

    Attributes:
        name: How the table calls it.
        load: Returns what annotates a stream of texts in batches of a size, and one text.
        save: Writes the annotated Docs of some texts to a file.
        batch_sizes: What to try: words for ours, documents for spaCy's.
    """

    name: str
    load: Callable[[], Loaded]
    save: Callable[[Sequence[str], Iterable[Doc], Path], None]
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
    # Opening a writer of ours spares srsly a search for plugins at every message, spaCy's among them:
    # both sides are measured without it.
    DocBinFiles()
    ours = Annotator("glossator", lambda: load_ours(pipeline, only), save_ours, (5_000, 20_000, 60_000))
    theirs = Annotator("spaCy", lambda: load_peer(peer), save_peer, (16, 64, 256, 1_000))
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{side.name}.spacy" for side in (ours, theirs)]
        sizes = [
            best_batch_size(side, documents[:SLICE], file)
            for side, file in zip((ours, theirs), files, strict=True)
        ]
        laps = in_turns(
            lambda: time_corpus(ours, documents, sizes[0], files[0]),
            lambda: time_corpus(theirs, documents, sizes[1], files[1]),
            rounds,
        )
        check_alike(files, len(documents))
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


def save_ours(texts: Sequence[str], docs: Iterable[Doc], path: Path) -> None:
    """Write Docs with the writer that the command line uses."""
    writer = DocBinFiles().writer(path)
    for text, doc in zip(texts, docs, strict=True):
        writer.write(doc, Record(text))
    writer.close()


def save_peer(texts: Sequence[str], docs: Iterable[Doc], path: Path) -> None:
    """Write Docs as spaCy's documentation does."""
    stored = DocBin(store_user_data=True)
    for doc in docs:
        stored.add(doc)
    stored.to_disk(path)


def best_batch_size(side: Annotator, texts: Sequence[str], path: Path) -> int:
    """Return the batch size that was fastest; the first run, which warms up, does not count."""
    time_corpus(side, texts, side.batch_sizes[0], path)
    return min(side.batch_sizes, key=lambda size: min(time_corpus(side, texts, size, path) for _ in range(2)))


def time_corpus(side: Annotator, texts: Sequence[str], batch_size: int, path: Path) -> float:
    """Return the seconds from texts to a DocBin on disk."""
    loaded = side.load()
    started = time.perf_counter()
    side.save(texts, loaded.stream(texts, batch_size), path)
    return time.perf_counter() - started


def check_alike(files: Sequence[Path], documents: int) -> None:
    """Stop unless every DocBin holds all documents, and all hold the same attributes."""
    stored = [DocBin().from_disk(file) for file in files]
    if any(len(docs) != documents or docs.attrs != stored[0].attrs for docs in stored):
        held = ", ".join(f"{file.stem} {len(docs):,} Docs" for file, docs in zip(files, stored, strict=True))
        raise click.ClickException(f"of {documents:,} documents the sides stored different things: {held}")


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


def with_range(ratios: Sequence[float], digits: int = 2) -> str:
    """Return the median of some ratios, and from where to where they lie."""
    middle, low, high = (f"{share:.{digits}f}" for share in (median(ratios), min(ratios), max(ratios)))
    return f"{middle} ({low}–{high})"


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
        with_range(speedups),
    )
    laid_out.add_row("  at a batch size of", f"{sizes[0]:,} words", f"{sizes[1]:,} documents", "")
    speedups = [theirs / ours for ours, theirs in single]
    laid_out.add_row(
        "one sentence alone, ms",
        *(f"{1000 * median(side):.2f}" for side in zip(*single, strict=True)),
        with_range(speedups),
    )
    laid_out.caption = f"medians of {len(laps)} rounds in turns; a ratio above 1: glossator is faster"
    return laid_out


if __name__ == "__main__":
    main()
