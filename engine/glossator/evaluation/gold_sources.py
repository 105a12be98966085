"""The sources of the gold that a pipeline is scored on: files, or the data it was trained with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from glossator.data.files import is_stream, options_for, read_files
from glossator.data.source import DataSource
from glossator.errors import DataError
from glossator.evaluation.evaluate import own_categories
from glossator.pipeline.loading import other_classifiers

if TYPE_CHECKING:
    from glossator.data.examples import GoldData
    from glossator.formats.record import Record
    from glossator.pipeline.head import Head
    from glossator.pipeline.pipeline import Pipeline
    from glossator.plugins.manager import PluginManager

Split = Literal["train", "dev", "test"]


class GoldSource(Protocol):
    """Provides gold documents for the heads of a pipeline.

    Example:
        source: GoldSource = OwnData(pipeline, "test", None, plugins)
        records = source.records(pipeline.heads["ner"])
    """

    def has_gold(self, head: Head, on_message: Callable[[str], None]) -> bool:
        """Whether there may be gold for a head; if not, report the reason."""

    def records(self, head: Head) -> Iterator[Record | DataError]:
        """Yield the documents for a head, and an error in place of each that cannot be read."""

    def keep_own(self, head: Head, data: GoldData) -> None:
        """Remove the categories of other classifiers from a classifier's gold."""


@dataclass(frozen=True)
class GoldFiles:
    """Gold files, the same for every head.

    Example:
        source = GoldFiles(pipeline, [Path("gold.jsonl")], plugins, format="", options={}, encoding="utf-8")
    """

    pipeline: Pipeline
    files: Sequence[Path]
    plugins: PluginManager
    format: str
    options: Mapping[str, Any]
    encoding: str

    def has_gold(self, head: Head, on_message: Callable[[str], None]) -> bool:
        """Return True: the layers that files annotate are unknown until they are read."""
        return True

    def records(self, head: Head) -> Iterator[Record | DataError]:
        """Read the files, with the options of the head's own data if they have its format."""
        if any(map(is_stream, self.files)):
            return iter(self._read_once)  # a stream cannot be read again for the next head
        options = self.options
        data = self.pipeline.config.data.get(head.name)
        if not options and data and not self.format:
            options = options_for(self.files, data)
        return self._read(options)

    def keep_own(self, head: Head, data: GoldData) -> None:
        """Keep the categories that may be the head's own, and the documents that have one."""
        if head.config.kind != "classifier":
            return
        foreign = other_classifiers(self.pipeline, head)
        for example in data.examples:
            doc = example.reference
            doc.cats = own_categories(doc.cats, head, foreign)
        data.examples = [example for example in data.examples if example.reference.cats]

    @cached_property
    def _read_once(self) -> list[Record | DataError]:
        return list(self._read(self.options))

    def _read(self, options: Mapping[str, Any]) -> Iterator[Record | DataError]:
        return read_files(self.files, self.format, options, self.encoding, self.plugins)


@dataclass(frozen=True, slots=True)
class OwnData:
    """A split of the data that the pipeline's config names for each head.

    Example:
        source = OwnData(pipeline, "dev", corpora=None, plugins=plugins)
    """

    pipeline: Pipeline
    split: Split
    corpora: Path | None
    plugins: PluginManager

    def has_gold(self, head: Head, on_message: Callable[[str], None]) -> bool:
        """Whether the config names the split for a head."""
        data = self.pipeline.config.data.get(head.name)
        if data and (data.corpus or getattr(data, self.split)):
            return True
        on_message(f"{head.name}: the pipeline's config names no {self.split} set for it; it is not scored")
        return False

    def records(self, head: Head) -> Iterator[Record | DataError]:
        """Read the split."""
        config = self.pipeline.config
        source = DataSource(config.data[head.name], config.folder, self.corpora, self.plugins)
        return source.records(self.split)

    def keep_own(self, head: Head, data: GoldData) -> None:
        """Change nothing: the data of a head is about that head alone."""
