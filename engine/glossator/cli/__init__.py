"""The command line. Commands are imported when they are called: `--help` stays fast."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import click

from glossator.about import __version__
from glossator.commands import Settings
from glossator.errors import GlossatorError

# name: ("module:command", summary)
COMMANDS = {
    "annotate": ("glossator.cli.annotate:annotate", "Annotate files, folders or standard input."),
    "train": ("glossator.cli.train:train", "Train a pipeline from a config, a recipe or labelled files."),
    "cross-validate": (
        "glossator.cli.cross_validate:cross_validate",
        "Train and score a pipeline on folds of its data.",
    ),
    "distil": ("glossator.cli.distil:distil", "Train a small pipeline on the predictions of a larger one."),
    "evaluate": ("glossator.cli.evaluate:evaluate", "Score a pipeline on gold data."),
    "convert": ("glossator.cli.convert:convert", "Convert a file from one format to another."),
    "info": ("glossator.cli.info:info", "Show and check a saved pipeline."),
    "init-config": ("glossator.cli.init_config:init_config", "Print a config to start from."),
    "plugins": ("glossator.cli.plugins:plugins", "List and check plugins."),
}


class LazyGroup(click.Group):
    """A group whose commands are declared in `COMMANDS` and by plugins, and imported when they are called.

    Example:
        @click.group(cls=LazyGroup)
        def glossator() -> None: ...
    """

    def invoke(self, context: click.Context) -> None:
        """Run a command, without its return value, which click would use as exit code."""
        super().invoke(context)

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all commands, our own first."""
        return [*COMMANDS, *self._added(context)]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import a command."""
        from glossator.plugins.building import load_object

        # Our own first: a plugin cannot replace them.
        if name in COMMANDS:
            command: click.Command = load_object(COMMANDS[name][0], what=f"command {name!r}")
            return command
        if name in self._added(context):
            from glossator.plugins.building import load_command

            return load_command(_settings(context).plugins().command(name))
        return None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from their summaries, without importing them."""
        rows = [(name, summary) for name, (_, summary) in COMMANDS.items()]
        rows += self._added(context).items()
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _added(self, context: click.Context) -> dict[str, str]:
        declared = _settings(context).plugins().commands()
        return {d.record.name: d.record.summary for d in declared if d.record.name not in COMMANDS}


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="glossator %(version)s")
@click.option(
    "--no-plugin",
    multiple=True,
    metavar="NAME",
    is_eager=True,  # --help, which comes after it, lists plugins' commands
    help="Do not use this plugin; may be repeated.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
@click.pass_context
def glossator(context: click.Context, no_plugin: tuple[str, ...], debug: bool) -> None:
    """Train taggers and classifiers, and annotate texts with them.

    For help on a command: glossator COMMAND --help
    """
    context.obj = Settings(no_plugin=no_plugin, debug=debug)


def main() -> None:
    """Run the command line; exit codes: 0 success, 1 failure, 2 wrong usage, 3 some documents failed."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        sys.exit(glossator.main(standalone_mode=False, prog_name="glossator"))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except Exception as error:
        _report(error)


def _report(error: Exception) -> None:
    if "--debug" in sys.argv:
        raise error
    if isinstance(error, GlossatorError):
        click.echo(f"{click.style('error:', fg='red')} {error}", err=True)
        sys.exit(error.exit_code)
    if isinstance(error, OSError):  # a full disk, a folder that must not be written to
        file = f"{error.filename}: " if error.filename else ""
        click.echo(f"{click.style('error:', fg='red')} {file}{error.strerror or error}", err=True)
        sys.exit(1)
    click.echo(
        f"{click.style('internal error:', fg='red')} {type(error).__name__}: {error}\n"
        "This is a bug in Glossator or in a plugin; `glossator --debug ...` shows where.",
        err=True,
    )
    sys.exit(1)


def _show_warning(message: Warning | str, category: type[Warning], *place: Any) -> None:
    click.echo(f"{click.style('warning:', fg='yellow')} {message}", err=True)


def _settings(context: click.Context) -> Settings:
    """Return the settings of a context."""
    # `--help` is handled before the body of the group runs.
    if isinstance(context.obj, Settings):
        return context.obj
    return Settings(no_plugin=tuple(context.params.get("no_plugin") or ()))
