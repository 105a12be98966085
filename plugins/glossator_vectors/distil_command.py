"""`glossator vectors distil`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from glossator.cli import options
from glossator.errors import UsageError

if TYPE_CHECKING:
    from glossator.cli.context import Settings


@click.command(short_help="Make static vectors out of a BERT.")
@click.argument("model")
@click.option(
    "--corpus",
    "texts",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="TEXT",
    help="Take the words of this file or folder; may be repeated.",
)
@click.option("--words", type=click.Path(path_type=Path), metavar="FILE", help="Take these, a word a line.")
@click.option("--subwords", is_flag=True, help="Make what unknown words are put together from, too.")
@click.option("--min-count", default=1, show_default=True, help="Leave rarer words of the corpus out.")
@click.option("--width", default=128, show_default=True, help="Numbers in a vector.")
@click.option("--weights", is_flag=True, help="Give frequent words shorter vectors.")
@click.option(
    "--stage", default="bert", show_default=True, help="The embedder that reads MODEL, all layers of it."
)
@click.option("--lang", default="en", show_default=True, help="Language of the tokenizer.")
@options.input_format
@click.option("--licence", default="", help="Of the vectors; noted in the folder.")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder to write the vectors to."
)
@click.pass_obj
def distil(
    settings: Settings,
    model: str,
    texts: tuple[Path, ...],
    words: Path | None,
    subwords: bool,
    min_count: int,
    width: int,
    weights: bool,
    stage: str,
    lang: str,
    from_: str,
    from_options: tuple[str, ...],
    encoding: str,
    licence: str,
    output: Path,
) -> None:
    """Make static vectors out of MODEL, a BERT in the Hugging Face layout.

    Each word goes through the model by itself, and the mean of all layers is its vector; what words differ
    most in is kept. A pipeline that uses such vectors needs the model no more. The words are those of
    --corpus, of --words, or of both.
    """
    from rich.console import Console

    from glossator.builtin.tokenizers import SpacyTokenizer
    from glossator.pipeline import Pipeline
    from glossator_vectors.distillation.distil import distil_vectors
    from glossator_vectors.reading import Reading
    from glossator_vectors.texts.paragraphs import read_pieces
    from glossator_vectors.texts.word_counts import count_words
    from glossator_vectors.views import importing

    if not texts and words is None:
        raise UsageError("say which words: --corpus TEXT, --words FILE, or both")
    plugins = settings.plugins()
    pipeline = (
        Pipeline(lang, plugins=plugins)
        .add_embedder("model", stage, checkpoint=model, layers="mean")
        .prepare()
    )
    from_settings = options.key_values(from_options, "--from-option")
    reading = Reading(read_pieces(texts, from_, from_settings, encoding, plugins) if texts else ())
    found = count_words(reading.good(), SpacyTokenizer(lang))
    counts = {word: count for word, count in found.items() if count >= min_count}
    listed = Reading(read_pieces([words], "lines", {}, encoding, plugins) if words else ())
    counts = {**dict.fromkeys((record.text.strip() for record in listed.good()), 1), **counts}
    with importing(Console(stderr=True)) as on_words:
        done = distil_vectors(
            pipeline.embedders["model"],
            pipeline.vocab,
            counts,
            output,
            width=width,
            weighted=weights,
            subwords=subwords,
            source=Path(model).name,
            licence=licence,
            on_words=on_words,
        )
    kept = f"which keep {done.kept:.1%} of the variance"
    click.echo(f"{done.count:,} vectors of width {done.width}, {kept} → {output}", err=True)
    listed.end()
    reading.end()
