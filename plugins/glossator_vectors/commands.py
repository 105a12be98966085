"""`glossator vectors`: train and import; `showing` has the others. What is heavy is imported as it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from glossator.cli import options
from glossator_vectors.distil_command import distil
from glossator_vectors.reading import MOST_SHOWN, Reading
from glossator_vectors.showing import info, similar

if TYPE_CHECKING:
    from glossator.cli.context import Settings

METHODS = ("word2vec", "fasttext")
FORMATS = ("glove", "word2vec", "word2vec-binary", "fasttext", "gensim")

_output = click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder to write the vectors to."
)
_licence = click.option("--licence", default="", help="Of the vectors; noted in the folder.")


@click.group()
def vectors() -> None:
    """Train, import and look at vectors of words.

    A folder of vectors is what the embedder `vectors` takes as its `path`.
    """


@vectors.command(short_help="Train vectors on texts.")
@click.argument("texts", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--method", type=click.Choice(METHODS), default="word2vec", show_default=True)
@click.option("--width", default=128, show_default=True, help="Numbers in a vector.")
@click.option("--window", default=5, show_default=True, help="Words to learn from, to each side.")
@click.option("--min-count", default=5, show_default=True, help="Leave rarer words out.")
@click.option("--epochs", default=5, show_default=True, help="Passes over the texts.")
@click.option("--sg", is_flag=True, help="Skip-gram; by default continuous bag of words.")
@click.option("--lang", default="en", show_default=True, help="Language of the tokenizer.")
@click.option("--seed", default=0, show_default=True, help="Where the randomness starts.")
@click.option(
    "--workers",
    default=1,
    show_default=True,
    help="Threads; with more than one no two runs give the same vectors.",
)
@options.input_format
@_licence
@_output
@click.pass_obj
def train(
    settings: Settings,
    /,
    texts: tuple[Path, ...],
    sg: bool,
    lang: str,
    from_: str,
    from_options: tuple[str, ...],
    encoding: str,
    licence: str,
    output: Path,
    **chosen: Any,
) -> None:
    """Train vectors on TEXTS: files, folders, or - for standard input.

    Words are taken as they stand, capitals kept. Plain text is read in paragraphs. With fasttext, words
    that were never seen get vectors, too, from their sub-words.
    """
    from rich.console import Console

    from glossator.files import check_there
    from glossator_vectors.texts.paragraphs import read_pieces
    from glossator_vectors.training.settings import TrainingSettings
    from glossator_vectors.training.trainer import train_vectors
    from glossator_vectors.views import training

    wanted = TrainingSettings(skip_gram=sg, **chosen)
    check_there(texts)
    from_settings = options.key_values(from_options, "--from-option")
    reading = Reading(read_pieces(texts, from_, from_settings, encoding, settings.plugins()))
    with training(Console(stderr=True)) as view:
        done = train_vectors(
            (record.text for record in reading.good()),
            output,
            wanted,
            lang=lang,
            source=", ".join(text.name for text in texts),
            licence=licence,
            view=view,
        )
    rate = done.words * wanted.epochs / max(done.training_seconds, 1e-9)
    click.echo(
        f"{done.words:,} words in {done.sentences:,} sentences, "
        f"tokenized in {done.tokenizing_seconds:.1f} s\n"
        f"{wanted.epochs} epochs in {done.training_seconds:.1f} s ({rate:,.0f} words/s)\n"
        f"{done.count:,} vectors of width {wanted.width} → {output}",
        err=True,
    )
    reading.end()


@vectors.command(name="import", short_help="Import vectors from a file.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--format", "format_", type=click.Choice(FORMATS), help="By default the file's content says.")
@_licence
@_output
def import_(file: Path, format_: Any, licence: str, output: Path) -> None:
    """Import vectors from FILE: GloVe, word2vec, fastText or gensim, compressed (.gz, .bz2, .xz) or not.

    What is damaged or there twice is left out, reported and counted (exit code 3); the rest is kept.
    """
    from rich.console import Console

    from glossator_vectors.files.importing import import_vectors
    from glossator_vectors.views import importing

    with importing(Console(stderr=True)) as on_words:
        done = import_vectors(file, output, format=format_, licence=licence, on_words=on_words)
    for fault in done.faults[:MOST_SHOWN]:
        place = f"{file}:{fault.place}" if fault.place else str(file)
        click.echo(f"{click.style('left out:', fg='red')} {place}: {fault.reason}", err=True)
    if done.left_out > MOST_SHOWN:
        click.echo(f"... and {done.left_out - MOST_SHOWN:,} more", err=True)
    if done.missing:
        told = f"it says it has {done.promised:,} words"
        there = done.kept + done.left_out
        click.echo(f"{click.style('cut off?', fg='red')} {file}: {told}, and holds {there:,}", err=True)
    left_out = f", {done.left_out:,} left out" if done.left_out else ""
    click.echo(f"{done.format}: {done.kept:,} words of width {done.width}{left_out} → {output}", err=True)
    if done.left_out or done.missing:
        raise click.exceptions.Exit(3)


vectors.add_command(distil)
vectors.add_command(info)
vectors.add_command(similar)
