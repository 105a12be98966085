"""Messages and errors on standard error."""

from __future__ import annotations

import click

from glossator.errors import GlossatorError


def print_message(text: str) -> None:
    """Print a message."""
    click.echo(text, err=True)


class FailurePrinter:
    """Prints the first errors of documents, and then once that there are more.

    Example:
        failures = FailurePrinter(20, more="more documents failed")
        glossator.convert("in.jsonl", "out.conllu", on_error=failures.print)

    Args:
        most: How many errors are printed.
        more: What is printed in place of the next one; "" for nothing.
    """

    def __init__(self, most: int, *, more: str = "") -> None:
        self._most = most
        self._more = more
        self.count = 0

    def print(self, error: GlossatorError) -> None:
        """Count an error, and print it if it is one of the first."""
        self.count += 1
        if self.count <= self._most:
            click.echo(f"{click.style('failed:', fg='red')} {error}", err=True)
        elif self.count == self._most + 1 and self._more:
            click.echo(self._more, err=True)
