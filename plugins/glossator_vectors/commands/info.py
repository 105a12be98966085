"""The command `glossator vectors info`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glossator.commands import (
    check_inputs_exist,
    corpora_option,
    corpus,
    input_format_options,
    read_split,
)
from glossator.errors import DataError, UsageError
from glossator_vectors.commands.options import folder_argument, json_option
from glossator_vectors.commands.record_reader import RecordReader

if TYPE_CHECKING:
    from glossator.commands import InputFormat, Settings
    from glossator.formats import Record
    from glossator.plugins.manager import PluginManager
    from glossator.stages import BoundedTokenizer
    from glossator_vectors.analysis.coverage import Coverage
    from glossator_vectors.folder.metadata import VectorsMetadata
    from glossator_vectors.folder.word_vectors import WordVectors

_LOOKUP_DESCRIPTIONS = {
    "exact": "exact",
    "lower": "in lower case",
    "subwords": "from sub-words",
    "missing": "not found",
}


@click.command(short_help="Show what a folder of vectors holds.")
@folder_argument
@click.option(
    "--corpus", "corpus_name", default="", metavar="NAME", help="Coverage of a corpus, without its test set."
)
@corpora_option
@click.option(
    "--text",
    "texts",
    multiple=True,
    type=click.Path(path_type=Path, allow_dash=True),
    help="Coverage of a file or folder of text; may be repeated.",
)
@input_format_options
@click.option(
    "--lang", default="", help="Language code of the tokenizer; default: that of the vectors, or en."
)
@json_option
@click.pass_obj
def info(
    settings: Settings,
    folder: Path,
    corpus_name: str,
    corpora: Path | None,
    texts: tuple[Path, ...],
    input_format: InputFormat,
    lang: str,
    as_json: bool,
) -> None:
    """Show the metadata of the vectors in FOLDER, and how many words of a text have a vector."""
    from glossator_vectors.folder.word_vectors import open_vectors

    if corpus_name and texts:
        raise UsageError("--corpus and --text: give only one of them")
    vectors = open_vectors(folder)
    plugins = settings.plugins()

    items: Iterator[Record | DataError] | None = None
    if corpus_name:
        lang = lang or corpus(corpus_name).lang
        items = _read_corpus(corpus_name, corpora, plugins)
    elif texts:
        from glossator_vectors.texts.paragraphs import read_paragraphs

        check_inputs_exist(texts)
        items = read_paragraphs(texts, input_format, plugins)

    reader = RecordReader(items or ())
    coverage = None
    if items is not None:
        tokenizer = plugins.make("tokenizer", "spacy", {"lang": lang or vectors.metadata.lang or "en"})
        coverage = _measure(vectors, reader, tokenizer)
    if as_json:
        values = json.loads(vectors.metadata.to_json())
        values["coverage"] = coverage and coverage.to_json()
        click.echo(json.dumps(values, ensure_ascii=False, indent=2))
    else:
        _print_metadata(vectors.metadata)
        if coverage is not None:
            _print_coverage(coverage)
    reader.exit_on_errors()


def _read_corpus(name: str, corpora: Path | None, plugins: PluginManager) -> Iterator[Record | DataError]:
    manifest_entry = corpus(name)
    for split in manifest_entry.splits:
        if split != "test":
            yield from read_split(manifest_entry, split, root=corpora, plugins=plugins)


def _measure(vectors: WordVectors, reader: RecordReader, tokenizer: BoundedTokenizer) -> Coverage:
    from glossator_vectors.analysis.coverage import measure_coverage
    from glossator_vectors.texts.word_counts import count_words

    return measure_coverage(vectors, count_words(reader.records(), tokenizer))


def _print_metadata(metadata: VectorsMetadata) -> None:
    from rich.console import Console
    from rich.text import Text

    ngrams = metadata.subwords
    rows = {
        "vectors": f"{metadata.count:,} of width {metadata.width}",
        "method": metadata.method,
        "source": metadata.source,
        "sub-words": f"n-grams of {ngrams['min_n']} to {ngrams['max_n']} characters" if ngrams else "no",
        "licence": metadata.licence or "unknown",
        "size": f"{sum(metadata.files.values()) / 1e6:,.1f} MB",
    }
    console = Console(soft_wrap=True)
    for name, value in rows.items():
        console.print(Text(f"{name:<10} {value}"), highlight=False)


def _print_coverage(coverage: Coverage) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("lookup", "tokens", "", "different words", "")
    all_tokens, all_types = max(sum(coverage.tokens.values()), 1), max(sum(coverage.types.values()), 1)
    for kind, tokens in coverage.tokens.items():
        types = coverage.types[kind]
        shares = f"{tokens / all_tokens:.1%}", f"{types / all_types:.1%}"
        table.add_row(_LOOKUP_DESCRIPTIONS[kind], f"{tokens:,}", shares[0], f"{types:,}", shares[1])

    console = Console(soft_wrap=True)
    console.print(table)
    if coverage.missing:
        words = ", ".join(f"{word} ({count:,})" for word, count in coverage.missing)
        console.print(Text(f"most frequent words without a vector of their own: {words}"), highlight=False)
