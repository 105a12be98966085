"""A format that can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from glossator.formats import Record


class ShoutFiles:
    """A document a line, shouted."""

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record]:
        for number, line in enumerate(path.read_text(encoding=encoding).splitlines(), start=1):
            yield Record(line.upper(), file=name, line=number)
