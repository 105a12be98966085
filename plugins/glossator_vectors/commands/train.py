"""The command `glossator vectors train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from glossator.commands import check_inputs_exist, input_format_options
from glossator_vectors.commands.options import lang_option, licence_option, output_option
from glossator_vectors.commands.record_reader import RecordReader
from glossator_vectors.training.settings import METHODS, TrainingSettings

if TYPE_CHECKING:
    from glossator.commands import InputFormat, Settings


@click.command(short_help="Train vectors on texts.")
@click.argument("texts", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--method", type=click.Choice(METHODS), default="word2vec", show_default=True)
@click.option("--width", default=128, show_default=True, help="Dimensions of a vector.")
@click.option("--window", default=5, show_default=True, help="Context words on each side.")
@click.option("--min-count", default=5, show_default=True, help="Skip words that occur less often.")
@click.option("--epochs", default=5, show_default=True, help="Passes over the texts.")
@click.option("--sg", is_flag=True, help="Train skip-gram instead of continuous bag of words.")
@lang_option
@click.option("--seed", default=0, show_default=True, help="Seed of the random numbers.")
@click.option(
    "--workers",
    default=1,
    show_default=True,
    help="Threads; the result is reproducible with one thread only.",
)
@input_format_options
@licence_option
@output_option
@click.pass_obj
def train(
    settings: Settings,
    /,
    texts: tuple[Path, ...],
    sg: bool,
    lang: str,
    input_format: InputFormat,
    licence: str,
    output: Path,
    **chosen: Any,
) -> None:
    """Train vectors on TEXTS: files, folders, or - for standard input.

    Words keep their capitals. Plain text is read by paragraphs. With --method fasttext, unknown words get
    vectors from their sub-words.
    """
    from rich.console import Console

    from glossator_vectors.commands.progress_bars import training_bar
    from glossator_vectors.texts.paragraphs import read_paragraphs
    from glossator_vectors.training.trainer import train_vectors

    training = TrainingSettings(skip_gram=sg, **chosen)
    check_inputs_exist(texts)
    plugins = settings.plugins()
    reader = RecordReader(read_paragraphs(texts, input_format, plugins))

    with training_bar(Console(stderr=True)) as progress:
        result = train_vectors(
            (record.text for record in reader.records()),
            output,
            training,
            lang=lang,
            source=", ".join(text.name for text in texts),
            licence=licence,
            plugins=plugins,
            progress=progress,
        )

    rate = result.words * training.epochs / max(result.training_seconds, 1e-9)
    click.echo(
        f"{result.words:,} words in {result.sentences:,} sentences, "
        f"tokenized in {result.tokenizing_seconds:.1f} s\n"
        f"{training.epochs} epochs in {result.training_seconds:.1f} s ({rate:,.0f} words/s)\n"
        f"{result.count:,} vectors of width {training.width} → {output}",
        err=True,
    )
    reader.exit_on_errors()
