"""Options and arguments that several subcommands share."""

from __future__ import annotations

from pathlib import Path

import click

output_option = click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder to write the vectors to."
)
licence_option = click.option("--licence", default="", help="Licence of the vectors, recorded in the folder.")
lang_option = click.option("--lang", default="en", show_default=True, help="Language code of the tokenizer.")
folder_argument = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
