"""The command `glossator vectors distil`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from glossator.commands import InputFormat, input_format_options
from glossator.errors import UsageError
from glossator_vectors.commands.options import lang_option, licence_option, output_option
from glossator_vectors.commands.record_reader import RecordReader

if TYPE_CHECKING:
    from glossator.commands import Settings


@click.command(short_help="Distil a BERT into static vectors.")
@click.argument("model")
@click.option(
    "--corpus",
    "texts",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="TEXT",
    help="Use the words of this file or folder; may be repeated.",
)
@click.option(
    "--words", type=click.Path(path_type=Path), metavar="FILE", help="Use these words, one per line."
)
@click.option("--subwords", is_flag=True, help="Also make vectors of character n-grams, for unknown words.")
@click.option("--min-count", default=1, show_default=True, help="Skip rarer words of the corpus.")
@click.option("--width", default=128, show_default=True, help="Dimensions of a vector.")
@click.option("--weights", is_flag=True, help="Give frequent words shorter vectors.")
@click.option(
    "--stage", default="bert", show_default=True, help="The embedder that runs MODEL; all layers are used."
)
@lang_option
@input_format_options
@licence_option
@output_option
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
    input_format: InputFormat,
    licence: str,
    output: Path,
) -> None:
    """Distil MODEL, a BERT in the Hugging Face layout, into static vectors.

    The model embeds each word alone; the vector is the mean of all layers, reduced to the principal
    components. A pipeline with such vectors does not need the model. The words come from --corpus, from
    --words, or from both.
    """
    from rich.console import Console

    from glossator import Pipeline
    from glossator_vectors.commands.progress_bars import word_bar
    from glossator_vectors.distillation.distil import distil_vectors
    from glossator_vectors.texts.paragraphs import read_paragraphs
    from glossator_vectors.texts.word_counts import count_words

    if not texts and words is None:
        raise UsageError("name the words: --corpus TEXT, --words FILE, or both")
    plugins = settings.plugins()
    pipeline = (
        Pipeline(lang, plugins=plugins)
        .add_embedder("model", stage, checkpoint=model, layers="mean")
        .prepare()
    )

    corpus = RecordReader(read_paragraphs(texts, input_format, plugins) if texts else ())
    in_corpus = count_words(corpus.records(), plugins.make("tokenizer", "spacy", {"lang": lang}))
    one_per_line = InputFormat("lines", encoding=input_format.encoding)
    word_list = RecordReader(read_paragraphs([words], one_per_line, plugins) if words else ())
    counts = dict.fromkeys((record.text.strip() for record in word_list.records()), 1)
    counts |= {word: count for word, count in in_corpus.items() if count >= min_count}

    with word_bar(Console(stderr=True)) as on_words:
        result = distil_vectors(
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

    variance = f"{result.explained_variance:.1%} of the variance"
    click.echo(f"{result.count:,} vectors of width {result.width}, {variance} → {output}", err=True)
    word_list.exit_on_errors()
    corpus.exit_on_errors()
