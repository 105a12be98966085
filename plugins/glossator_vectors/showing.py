"""`glossator vectors info` and `similar`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from glossator.cli import options
from glossator.errors import DataError, UsageError

if TYPE_CHECKING:
    from glossator.cli.context import Settings
    from glossator.formats.record import Record
    from glossator_vectors.analysis.coverage import Coverage
    from glossator_vectors.folder.word_vectors import WordVectors
    from glossator_vectors.reading import Reading

_folder = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command(short_help="Show what a folder of vectors holds.")
@_folder
@click.option("--corpus", default="", metavar="NAME", help="Coverage of a corpus, its test set left out.")
@options.corpora
@click.option(
    "--text",
    "texts",
    multiple=True,
    type=click.Path(path_type=Path, allow_dash=True),
    help="Coverage of a file or folder of text; may be repeated.",
)
@options.input_format
@click.option("--lang", default="", help="Language of the tokenizer; by default that of the vectors, or en.")
@_json
@click.pass_obj
def info(
    settings: Settings,
    folder: Path,
    corpus: str,
    corpora: Path | None,
    texts: tuple[Path, ...],
    from_: str,
    from_options: tuple[str, ...],
    encoding: str,
    lang: str,
    as_json: bool,
) -> None:
    """Show what the vectors in FOLDER are, and how many of a text's words have one."""
    from glossator_vectors.folder.word_vectors import open_vectors
    from glossator_vectors.reading import Reading

    if corpus and texts:
        raise UsageError("--corpus and --text: give one of them")
    vectors = open_vectors(folder)
    items: Iterator[Record | DataError] | None = None
    if corpus:
        from glossator.corpora import corpus as find

        lang = lang or find(corpus).lang
        items = _corpus(settings, corpus, corpora)
    elif texts:
        from glossator.files import check_there
        from glossator_vectors.texts.paragraphs import read_pieces

        check_there(texts)
        from_settings = options.key_values(from_options, "--from-option")
        items = read_pieces(texts, from_, from_settings, encoding, settings.plugins())
    reading = Reading(items or ())
    covered = None if items is None else _coverage(vectors, reading, lang or vectors.facts.lang or "en")
    if as_json:
        facts = json.loads(vectors.facts.to_json())
        click.echo(
            json.dumps({**facts, "coverage": covered and covered.to_json()}, ensure_ascii=False, indent=2)
        )
    else:
        _print(vectors, covered)
    reading.end()


@click.command(short_help="Show the nearest neighbours of words.")
@_folder
@click.argument("words", nargs=-1, required=True)
@click.option("--top", default=10, show_default=True, type=click.IntRange(min=1), help="How many neighbours.")
@_json
def similar(folder: Path, words: tuple[str, ...], top: int, as_json: bool) -> None:
    """Show the words whose vectors in FOLDER are nearest, by cosine, to that of each of WORDS."""
    from glossator_vectors.analysis.neighbours import neighbours
    from glossator_vectors.folder.word_vectors import open_vectors

    vectors = open_vectors(folder)
    found, unknown = {}, []
    for word in words:
        try:
            found[word] = neighbours(vectors, word, top)
        except DataError as error:
            unknown.append(error)
    if not found:
        raise unknown[0]
    if as_json:
        click.echo(
            json.dumps({word: [list(n) for n in near] for word, near in found.items()}, ensure_ascii=False)
        )
    else:
        _print_neighbours(found)
    for failure in unknown:
        click.echo(f"{click.style('failed:', fg='red')} {failure}", err=True)
    if unknown:
        raise click.exceptions.Exit(3)


def _corpus(settings: Settings, name: str, corpora: Path | None) -> Iterator[Record | DataError]:
    from glossator.corpora import corpus, read_split

    found = corpus(name)
    for split in found.splits:
        if split != "test":
            yield from read_split(found, split, root=corpora, plugins=settings.plugins())


def _coverage(vectors: WordVectors, reading: Reading, lang: str) -> Coverage:
    from glossator.builtin.tokenizers import SpacyTokenizer
    from glossator_vectors.analysis.coverage import coverage
    from glossator_vectors.texts.word_counts import count_words

    return coverage(vectors, count_words(reading.good(), SpacyTokenizer(lang)))


def _print(vectors: WordVectors, covered: Coverage | None) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    facts = vectors.facts
    grams = facts.subwords
    rows: dict[str, Any] = {
        "vectors": f"{facts.count:,} of width {facts.width}",
        "made by": facts.method,
        "from": facts.source,
        "sub-words": f"n-grams of {grams['min_n']} to {grams['max_n']} characters" if grams else "no",
        "licence": facts.licence or "not given",
        "size": f"{sum(facts.files.values()) / 1e6:,.1f} MB",
    }
    console = Console(soft_wrap=True)
    for name, value in rows.items():
        console.print(Text(f"{name:<10} {value}"), highlight=False)
    if covered is None:
        return
    table = Table("found", "tokens", "", "different words", "")
    totals = max(sum(covered.tokens.values()), 1), max(sum(covered.types.values()), 1)
    for way, tokens in covered.tokens.items():
        types = covered.types[way]
        shares = f"{tokens / totals[0]:.1%}", f"{types / totals[1]:.1%}"
        table.add_row(_WAYS[way], f"{tokens:,}", shares[0], f"{types:,}", shares[1])
    console.print(table)
    if covered.missing:
        words = ", ".join(f"{word} ({count:,})" for word, count in covered.missing)
        console.print(Text(f"commonest without a vector of their own: {words}"), highlight=False)


_WAYS = {
    "exact": "as it stands",
    "lower": "in lower case",
    "subwords": "by sub-words",
    "missing": "not at all",
}


def _print_neighbours(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("word", "nearest, with cosines")
    for word, near in found.items():
        shown = ", ".join(f"{neighbour.word} {neighbour.cosine:.2f}" for neighbour in near)
        table.add_row(Text(word), Text(shown))
    Console().print(table)
