"""Where the labelled data of one head is, as its config says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from glossator.data.corpora import corpus, read_split, split_files
from glossator.data.files import input_files, read_files, sha256_of_folder
from glossator.errors import ConfigError, DataError
from glossator.util.files import sha256_of

if TYPE_CHECKING:
    from glossator.config.schema import DataConfig, PipelineConfig
    from glossator.formats import Record
    from glossator.plugins.manager import PluginManager


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where a head's data is looked for.

    Attributes:
        config: What the head's `[data.NAME]` says.
        folder: Where its relative paths count from.
        corpora: The user's folder of corpora; None: the one `GLOSSATOR_CORPORA` names.
        plugins: Where formats are looked up.
    """

    config: DataConfig
    folder: Path
    corpora: Path | None
    plugins: PluginManager

    def files(self, split: str) -> list[Path]:
        """Return the files of "train", "dev" or "test", or the folder they lie in.

        Raises:
            ConfigError: There is no such split.
        """
        if self.config.corpus:
            return split_files(corpus(self.config.corpus), split, self.corpora)
        name = getattr(self.config, split)
        if not name:
            raise ConfigError(f"the data has no {split} set: give {split} = FILE, or corpus = NAME")
        return [self.folder / name]

    def checksums(self, split: str) -> dict[str, str]:
        """Return the SHA-256 checksum of each file of a split, or of the folder, by its name."""
        try:
            return {path.name: self._checksum(path) for path in self.files(split)}
        except OSError as error:
            raise DataError(f"cannot read it: {error.strerror}", file=str(error.filename)) from None

    def records(self, split: str) -> Iterator[Record | DataError]:
        """Read a split; what cannot be read comes as the error it caused."""
        if self.config.corpus:
            return read_split(corpus(self.config.corpus), split, root=self.corpora, plugins=self.plugins)
        config = self.config
        files = self.files(split)
        return read_files(files, config.format, config.options, config.encoding, self.plugins)

    def check(self, split: str) -> None:
        """Raise what keeps the whole split from being read, such as options its format does not take."""
        first = list(islice(self.records(split), 2))
        if len(first) == 1 and isinstance(first[0], DataError):
            raise first[0]

    def _checksum(self, path: Path) -> str:
        if not path.is_dir():
            return sha256_of(path)
        return sha256_of_folder(path, input_files([path], self.config.format, self.plugins))


def data_source(
    config: PipelineConfig, head: str, *, corpora: Path | None, plugins: PluginManager
) -> DataSource:
    """Return where a head's labelled data is.

    Args:
        config: The pipeline's config.
        head: The head's name.
        corpora: As in `DataSource`.
        plugins: As in `DataSource`.

    Raises:
        ConfigError: The config does not say.
    """
    data = config.data.get(head)
    if data is None:
        raise ConfigError(f"[data.{head}] is missing: say corpus = NAME, or train and dev = FILE")
    return DataSource(config=data, folder=config.folder, corpora=corpora, plugins=plugins)
