"""`glossator distil`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from glossator.commands import config_file, corpora_option, input_format_options

if TYPE_CHECKING:
    from glossator.commands import InputFormat, Settings


@click.command()
@click.argument("teacher", metavar="TEACHER")
@click.argument("config", metavar="CONFIG")
@click.option(
    "--unlabelled",
    "texts",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    metavar="TEXT",
    help="A file or folder of texts for the teacher to label; may be repeated.",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder of the student.")
@click.option(
    "--set", "overrides", multiple=True, metavar="A.B=VALUE", help="Change a setting of the config."
)
@input_format_options
@corpora_option
@click.option("--seeds", default=1, show_default=True, help="Seeds to try for each head.")
@click.option("--resume", is_flag=True, help="Continue an interrupted run; TEACHER labels again.")
@click.pass_obj
def distil(
    settings: Settings,
    teacher: str,
    config: str,
    texts: tuple[Path, ...],
    output: Path,
    overrides: tuple[str, ...],
    input_format: InputFormat,
    corpora: Path | None,
    seeds: int,
    resume: bool,
) -> None:
    """Train a student on its own gold data and on unlabelled texts that TEACHER, a pipeline, annotates.

    CONFIG, a config file or the name of a recipe, describes the student. Each of its heads learns from the
    teacher's head that writes the same layer. The best epoch and seed are chosen on the gold dev set.
    """
    from rich.console import Console

    from glossator.cli.progress import TrainingView
    from glossator.cli.training_results import finish
    from glossator.commands import read_files
    from glossator.config.overrides import parse_override
    from glossator.config.text import read_config
    from glossator.pipeline.loading import load
    from glossator.training.distillation import distil as run

    plugins = settings.plugins()
    described = read_config(config_file(config), dict(parse_override(text) for text in overrides))
    unlabelled = read_files(texts, input_format, plugins)
    console = Console(stderr=True)
    with TrainingView(console) as view:
        result = run(
            load(teacher, plugins=plugins),
            described,
            unlabelled,
            output,
            corpora=corpora,
            seeds=seeds,
            resume=resume,
            plugins=plugins,
            progress=view,
        )
    finish(result, output, console)
