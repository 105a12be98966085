"""Messages and errors on standard error, above a progress bar if there is one.

`sys.stderr` is looked up for each message: a progress bar of rich replaces it by a stream that prints
above the bar, and `click.echo(err=True)` would bypass that stream.
"""

from __future__ import annotations

import sys

import click

from glossator.errors import GlossatorError


def print_message(text: str) -> None:
    """Print a message.

    Example:
        glossator.annotate_files("letters/", "models/samples", "out.jsonl", on_message=print_message)
    """
    click.echo(text, file=sys.stderr)


class FailurePrinter:
    """Prints the first errors of documents, and then one line that there are more.

    Example:
        failures = FailurePrinter(20, more="more documents failed")
        glossator.convert("in.jsonl", "out.conllu", on_error=failures.print)

    Args:
        most: Number of errors to print.
        more: The line to print instead of the next error; "" for none.
    """

    def __init__(self, most: int, *, more: str = "") -> None:
        self._most = most
        self._more = more
        self.count = 0

    def print(self, error: GlossatorError) -> None:
        """Count an error, and print it if it is one of the first."""
        self.count += 1
        if self.count <= self._most:
            print_message(f"{click.style('failed:', fg='red')} {error}")
        elif self.count == self._most + 1 and self._more:
            print_message(self._more)
