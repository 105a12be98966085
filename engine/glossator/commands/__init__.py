"""Tools for writing commands, for our own and those of plugins (`glossator_commands`).

Fast to import: nothing here imports spaCy or numpy until a file is read.

Example:
    @click.command()
    @click.argument("inputs", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
    @input_format_options
    @click.pass_obj
    def count(settings: Settings, inputs: tuple[Path, ...], input_format: InputFormat) -> None:
        check_inputs_exist(inputs)
        documents = list(read_files(inputs, input_format, settings.plugins()))
        click.echo(f"{len(documents):,} documents")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from glossator.commands.options import (
    InputFormat,
    config_file,
    corpora_option,
    head_options,
    input_format_options,
    key_values,
)
from glossator.commands.settings import Settings

if TYPE_CHECKING:
    from glossator.commands.reading import (
        check_inputs_exist,
        corpus,
        display_name,
        input_files,
        read_file,
        read_files,
        read_split,
    )

__all__ = [
    "InputFormat",
    "Settings",
    "check_inputs_exist",
    "config_file",
    "corpora_option",
    "corpus",
    "display_name",
    "head_options",
    "input_files",
    "input_format_options",
    "key_values",
    "read_file",
    "read_files",
    "read_split",
]


def __getattr__(name: str) -> Any:
    if name in __all__:  # reading files imports spaCy: not before a command reads, so that --help is fast
        return getattr(importlib.import_module("glossator.commands.reading"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
