"""`glossator train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from glossator.cli.training_results import finish
from glossator.commands import config_file, corpora_option, input_format_options
from glossator.errors import UsageError

if TYPE_CHECKING:
    from glossator.commands import InputFormat, Settings

# Parameters that describe a pipeline if there is no CONFIG, and their options.
FILE_OPTIONS = {
    "train_file": "--train",
    "dev_file": "--dev",
    "write": "--write",
    "lang": "--lang",
    "from_": "--from",
    "from_options": "--from-option",
    "encoding": "--encoding",
}


@click.command()
@click.argument("config", required=False)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder of the pipeline."
)
@click.option("--tagger", metavar="STAGE", help="Instead of CONFIG: train this tagger ...")
@click.option("--classifier", metavar="STAGE", help="... or this classifier ...")
@click.option("--train", "train_file", type=click.Path(path_type=Path), help="... on this file,")
@click.option(
    "--dev",
    "dev_file",
    type=click.Path(path_type=Path),
    help="and choose the best on this one, or on a part of that.",
)
@click.option("--write", default="ents", show_default=True, help="Layer that the tagger writes.")
@click.option("--lang", default="en", show_default=True, help="Language, for --tagger and --classifier.")
@input_format_options
@click.option(
    "--set", "overrides", multiple=True, metavar="A.B=VALUE", help="Change a setting of the config."
)
@corpora_option
@click.option("--seeds", default=1, show_default=True, help="Seeds to try for each head.")
@click.option("--resume", is_flag=True, help="Continue an interrupted run.")
@click.pass_obj
def train(
    settings: Settings,
    config: str | None,
    output: Path,
    tagger: str | None,
    classifier: str | None,
    train_file: Path | None,
    dev_file: Path | None,
    write: str,
    lang: str,
    input_format: InputFormat,
    overrides: tuple[str, ...],
    corpora: Path | None,
    seeds: int,
    resume: bool,
) -> None:
    """Train a pipeline and save it to a folder.

    CONFIG is a config file or the name of a recipe, such as uner_ewt-crf. The best epoch and seed are
    chosen on the dev set; the test set is never opened. Ctrl-C keeps the best so far; --resume continues.
    """
    from rich.console import Console

    from glossator.cli.progress import TrainingView
    from glossator.config.overrides import parse_override, with_overrides
    from glossator.config.sections import config_from_dict
    from glossator.config.text import read_config
    from glossator.training.trainer import train as train_pipeline

    changes = dict(parse_override(text) for text in overrides)
    stages = [stage for stage in (config, tagger, classifier) if stage]
    if len(stages) != 1:
        raise UsageError("name one of these: a CONFIG, --tagger STAGE or --classifier STAGE")
    if config:
        _check_no_file_options(click.get_current_context())
        described = read_config(config_file(config), changes)
    else:
        data = _data(train_file, dev_file, input_format)
        sections = _sections(lang, tagger, classifier, write, data)
        described = config_from_dict(with_overrides(sections, changes), folder=Path())

    console = Console(stderr=True)
    with TrainingView(console) as view:
        result = train_pipeline(
            described,
            output,
            corpora=corpora,
            seeds=seeds,
            resume=resume,
            plugins=settings.plugins(),
            progress=view,
        )
    finish(result, output, console)


def _check_no_file_options(context: click.Context) -> None:
    for name, option in FILE_OPTIONS.items():
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(
                f"{option} goes with --tagger or --classifier; in a CONFIG it is a setting (see --set)"
            )


def _data(train_file: Path | None, dev_file: Path | None, input_format: InputFormat) -> dict[str, Any]:
    if train_file is None:
        raise UsageError("--tagger and --classifier need --train FILE")
    return {
        "train": str(train_file),
        "dev": str(dev_file or ""),
        "format": input_format.name,
        "options": input_format.options,
        "encoding": input_format.encoding,
    }


def _sections(
    lang: str, tagger: str | None, classifier: str | None, write: str, data: dict[str, Any]
) -> dict[str, Any]:
    """Return the config of a pipeline with one head, named after what it writes."""
    name = "cats" if classifier else {"ents": "ner"}.get(write, write.removeprefix("spans:"))
    head: dict[str, Any]
    if tagger:
        head = {"taggers": {name: {"stage": tagger, "write": write}}}
    else:
        head = {"classifiers": {name: {"stage": classifier}}}
    return {"glossator": {"lang": lang}, **head, "data": {name: data}}
