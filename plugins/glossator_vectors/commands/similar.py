"""The command `glossator vectors similar`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glossator.errors import DataError
from glossator_vectors.commands.options import folder_argument, json_option

if TYPE_CHECKING:
    from glossator_vectors.analysis.neighbours import Neighbour


@click.command(short_help="Show the nearest neighbours of words.")
@folder_argument
@click.argument("words", nargs=-1, required=True)
@click.option("--top", default=10, show_default=True, type=click.IntRange(min=1), help="Neighbours per word.")
@json_option
def similar(folder: Path, words: tuple[str, ...], top: int, as_json: bool) -> None:
    """Show the words of FOLDER whose vectors are nearest to each of WORDS, by cosine."""
    from glossator_vectors.analysis.neighbours import nearest_words
    from glossator_vectors.folder.word_vectors import open_vectors

    vectors = open_vectors(folder)
    neighbours: dict[str, list[Neighbour]] = {}
    errors = []
    for word in words:
        try:
            neighbours[word] = nearest_words(vectors, word, top)
        except DataError as error:
            errors.append(error)
    if not neighbours:
        raise errors[0]

    if as_json:
        values = {word: [list(neighbour) for neighbour in nearest] for word, nearest in neighbours.items()}
        click.echo(json.dumps(values, ensure_ascii=False))
    else:
        _print_neighbours(neighbours)
    for failure in errors:
        click.echo(f"{click.style('failed:', fg='red')} {failure}", err=True)
    if errors:
        raise click.exceptions.Exit(3)


def _print_neighbours(neighbours: Mapping[str, Sequence[Neighbour]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("word", "nearest, with cosines")
    for word, nearest in neighbours.items():
        listed = ", ".join(f"{neighbour.word} {neighbour.cosine:.2f}" for neighbour in nearest)
        table.add_row(Text(word), Text(listed))
    Console().print(table)
