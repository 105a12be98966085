"""A subcommand of `glossator`."""

import click


@click.command()
@click.argument("text")
def shout(text: str) -> None:
    """Shout TEXT back."""
    click.echo(text.upper())
