"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from glossator.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class InputFormat:
    """How a command reads its files, from --from, --from-option and --encoding.

    Example:
        InputFormat("csv", {"text": "comment"}, encoding="latin-1")

    Attributes:
        name: The format; "" for the format of each file's ending.
        options: Settings of the format.
        encoding: Encoding of text files.
    """

    name: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    encoding: str = "utf-8"


def input_format_options(command: Command) -> Command:
    """Add --from, --from-option and --encoding; the command gets one `input_format: InputFormat`.

    Example:
        @click.command()
        @click.argument("inputs", nargs=-1, type=click.Path(path_type=Path))
        @input_format_options
        def show(inputs: tuple[Path, ...], input_format: InputFormat) -> None:
            click.echo(input_format.name)
    """

    @functools.wraps(command)
    def with_input_format(
        *args: Any, from_: str, from_options: Sequence[str], encoding: str, **values: Any
    ) -> Any:
        chosen = InputFormat(from_, key_values(from_options, "--from-option"), encoding)
        return command(*args, input_format=chosen, **values)

    decorated = click.option(
        "--encoding", default="utf-8", show_default=True, help="Encoding of text files."
    )(with_input_format)
    decorated = click.option(
        "--from-option",
        "from_options",
        multiple=True,
        metavar="KEY=VALUE",
        help="A setting of the input format, e.g. columns=token,_,ner; may be repeated.",
    )(decorated)
    decorated = click.option(
        "--from",
        "from_",
        metavar="FORMAT",
        default="",
        help="Format of the input; by default that of its ending.",
    )(decorated)
    return cast("Command", decorated)


def head_options(command: Command) -> Command:
    """Add --only and --without.

    Example:
        @click.command()
        @head_options
        def heads(only: tuple[str, ...], without: tuple[str, ...]) -> None:
            click.echo(", ".join(only))
    """
    # The option that is added last is listed first.
    command = click.option("--without", multiple=True, metavar="HEAD", help="Leave this head out.")(command)
    return click.option(
        "--only", multiple=True, metavar="HEAD", help="Use this head alone; may be repeated."
    )(command)


def corpora_option(command: Command) -> Command:
    """Add --corpora.

    Example:
        @click.command()
        @corpora_option
        def show(corpora: Path | None) -> None:
            click.echo(corpora)
    """
    return click.option(
        "--corpora",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of the corpora; by default GLOSSATOR_CORPORA names it.",
    )(command)


def key_values(pairs: Sequence[str], option: str) -> dict[str, Any]:
    """Return KEY=VALUE pairs as a dict; for the values see `config.overrides.parse_value`.

    Example:
        key_values(["text=comment", "header=false"], "--set")  # {"text": "comment", "header": False}

    Raises:
        UsageError: A pair has no "=".
    """
    from glossator.config.overrides import parse_value

    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} {pair}: write it as KEY=VALUE")
        values[key] = parse_value(value)
    return values


def config_file(name: str) -> Path:
    """Return the config file with this name: a file, a pipeline's folder, or a recipe.

    Example:
        config = read_config(config_file("uner_ewt-crf"))
    """
    from glossator.data.corpora import recipe

    path = Path(name)
    if (path / "config.cfg").is_file():
        return path / "config.cfg"
    return path if path.is_file() or path.suffix == ".cfg" or len(path.parts) > 1 else recipe(name)
