"""The labelled data of one head, as its config describes it."""

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
    """The source of a head's data.

    Example:
        source = data_source(config, "ner", corpora=None, plugins=plugins)
        records = list(source.records("dev"))

    Attributes:
        config: The head's section `[data.NAME]`.
        folder: The folder that relative paths start from.
        corpora: The user's folder of corpora; by default the one `GLOSSATOR_CORPORA` names.
        plugins: Where formats are looked up.
    """

    config: DataConfig
    folder: Path
    corpora: Path | None
    plugins: PluginManager

    @property
    def splits(self) -> tuple[str, ...]:
        """What there is to learn from: "train" and "dev", or "train" alone if no file is named for dev."""
        return ("train", "dev") if self.config.corpus or self.config.dev else ("train",)

    def files(self, split: str) -> list[Path]:
        """Return the files of "train", "dev" or "test", or the folder that holds them.

        Raises:
            ConfigError: There is no such split.
        """
        if self.config.corpus:
            return split_files(corpus(self.config.corpus), split, self.corpora)
        name = getattr(self.config, split)
        if not name:
            raise ConfigError(f"the data has no {split} set: set {split} = FILE, or corpus = NAME")
        return [self.folder / name]

    def checksums(self, split: str) -> dict[str, str]:
        """Return the SHA-256 checksum of each file of a split, or of the folder, by name."""
        try:
            return {path.name: self._checksum(path) for path in self.files(split)}
        except OSError as error:
            raise DataError(f"cannot read it: {error.strerror}", file=str(error.filename)) from None

    def records(self, split: str) -> Iterator[Record | DataError]:
        """Yield the documents of a split, and an error in place of each that cannot be read."""
        if self.config.corpus:
            return read_split(corpus(self.config.corpus), split, root=self.corpora, plugins=self.plugins)
        config = self.config
        files = self.files(split)
        return read_files(files, config.format, config.options, config.encoding, self.plugins)

    def check(self, split: str) -> None:
        """Raise the error if a whole split cannot be read, for instance because of invalid options."""
        # One error and nothing else: the error is about the file. One bad document has others after it.
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
    """Return the source of a head's labelled data.

    Example:
        data_source(config, "ner", corpora=Path("~/corpora").expanduser(), plugins=plugins)

    Args:
        config: The pipeline's config.
        head: The head's name.
        corpora: As in `DataSource`.
        plugins: As in `DataSource`.

    Raises:
        ConfigError: The config has no data for this head.
    """
    data = config.data.get(head)
    if data is None:
        raise ConfigError(f"[data.{head}] is missing: set corpus = NAME, or train = FILE")
    return DataSource(config=data, folder=config.folder, corpora=corpora, plugins=plugins)
