"""The command group `glossator vectors`."""

from __future__ import annotations

import click

from glossator_vectors.commands.distil import distil
from glossator_vectors.commands.import_file import import_file
from glossator_vectors.commands.info import info
from glossator_vectors.commands.similar import similar
from glossator_vectors.commands.train import train


@click.group()
def vectors() -> None:
    """Train, import and inspect word vectors.

    The embedder `vectors` takes the resulting folder as its `path`.
    """


vectors.add_command(train)
vectors.add_command(import_file)
vectors.add_command(distil)
vectors.add_command(info)
vectors.add_command(similar)
