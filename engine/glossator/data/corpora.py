"""Public corpora by name: where their files are, how they are read, and how they are split.

`corpora/manifest.toml` describes them. The samples and the recipes are beside it and come with the
package; every other corpus is in a folder of the user, with one subfolder per corpus.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glossator.data.files import input_files
from glossator.errors import ConfigError, DataError

if TYPE_CHECKING:
    from glossator.formats import Reader, Record
    from glossator.plugins.manager import PluginManager

CORPORA_VARIABLE = "GLOSSATOR_CORPORA"


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """One corpus of the manifest.

    Example:
        samples = corpus("samples")
        print(samples.title, samples.licence, samples.splits["dev"])

    Attributes:
        name: Its name in configs, and the name of its folder.
        title: Its full name.
        task: The kind of labels: "ner", "pos", "ner+pos", "sentiment", ...; "raw" for plain text.
        lang: spaCy's language code.
        format: The name of the file format, e.g. "conllu".
        options: Settings of that format.
        encoding: The encoding of its files.
        licence: The licence of its texts and labels.
        source: Citation and address; "" if unknown.
        splits: Files of each split, in order; a folder stands for the files in it.
        split_options: Further settings of the format, by split.
        tenths: Whether a file that several splits list is divided among them by `owner_of`.
        sha256: Checksum of each file, in hexadecimal; files without one are not checked.
        shipped: Folder beside the manifest, if the corpus comes with the package; else "".
    """

    name: str
    title: str
    task: str
    lang: str
    format: str
    licence: str
    splits: Mapping[str, tuple[str, ...]]
    options: Mapping[str, Any] = field(default_factory=dict)
    split_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    encoding: str = "utf-8"
    sha256: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    tenths: bool = False
    shipped: str = ""


@functools.cache
def corpora_home() -> Path:
    """Return the folder of the manifest, the recipes and the samples."""
    package = Path(__file__).parents[1]
    # A wheel carries a copy of the folder; a checkout has the folder itself.
    installed = package / "_corpora"
    return installed if installed.is_dir() else package.parents[1] / "corpora"


@functools.cache
def manifest() -> Mapping[str, Corpus]:
    """Return every corpus of the manifest, by name.

    Example:
        sorted(manifest())
    """
    with (corpora_home() / "manifest.toml").open("rb") as file:
        tables = tomllib.load(file)
    return {name: _corpus(name, **table) for name, table in tables.items()}


def corpus(name: str) -> Corpus:
    """Return the corpus called `name`; raise `ConfigError` if the manifest has none.

    Example:
        corpus("uner_ewt").splits  # {"train": (...), "dev": (...), "test": (...)}
    """
    try:
        return manifest()[name]
    except KeyError:
        raise ConfigError(f"no corpus {name!r}; there are: {', '.join(sorted(manifest()))}") from None


def corpus_folder(corpus: Corpus, root: Path | None) -> Path:
    """Return the folder of a corpus.

    Args:
        corpus: The corpus.
        root: The user's folder of corpora; by default the one `GLOSSATOR_CORPORA` names. A corpus that
            comes with the package needs neither.

    Raises:
        ConfigError: No folder of corpora is named, or this corpus is not in it.
    """
    if corpus.shipped:
        return corpora_home() / corpus.shipped
    named = root or os.environ.get(CORPORA_VARIABLE)
    if not named:
        raise ConfigError(
            f"corpus {corpus.name!r} does not come with Glossator: name the folder that holds "
            f"{corpus.name}/ with --corpora or {CORPORA_VARIABLE}"
        )
    folder = Path(named) / corpus.name
    if not folder.is_dir():
        origin = f" (get it from: {corpus.source})" if corpus.source else ""
        raise ConfigError(f"corpus {corpus.name!r}: there is no folder {folder}{origin}")
    return folder


def split_files(corpus: Corpus, split: str, root: Path | None) -> list[Path]:
    """Return the files of a split, which several splits may share; raise `ConfigError` as `corpus_folder`."""
    if split not in corpus.splits:
        raise ConfigError(
            f"corpus {corpus.name!r} has no split {split!r}; it has: {', '.join(corpus.splits)}"
        )
    folder = corpus_folder(corpus, root)
    return [folder / file for file in corpus.splits[split]]


def read_split(
    corpus: Corpus, split: str, *, root: Path | None, plugins: PluginManager
) -> Iterator[Record | DataError]:
    """Yield the documents of a split, and a `DataError` in place of each that cannot be read.

    Example:
        for record in read_split(corpus("uner_ewt"), "dev", root=None, plugins=plugins):
            print(record)

    Raises:
        ConfigError: As `split_files`.
        DataError: A file is missing, or its checksum differs from the manifest's.
        PluginError: No such format is installed.
    """
    paths = dict(zip(corpus.splits[split], split_files(corpus, split, root), strict=True))
    for name, path in paths.items():
        if name in corpus.sha256:
            check_checksum(path, corpus.sha256[name])
    items = [_items(corpus, split, name, path, plugins) for name, path in paths.items()]
    return itertools.chain.from_iterable(items)


def owner_of(number: int, sharing: Collection[str]) -> str:
    """Return which of the splits that share a file owns its item `number`, counted from 0.

    If the test set shares the file, it owns every tenth item (number % 10 == 9); if the dev set shares
    it, it owns the item before; the rest are for training.

    Example:
        [owner_of(number, {"train", "test"}) for number in (7, 8, 9)]  # ["train", "train", "test"]
    """
    owner = {9: "test", 8: "dev"}.get(number % 10, "train")
    return owner if owner in sharing else "train"


@functools.cache
def check_checksum(path: Path, expected: str) -> None:
    """Raise `DataError` if a file's SHA-256 checksum is not `expected`; check each file once per process.

    Example:
        check_checksum(path, corpus("samples").sha256[path.name])
    """
    try:
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot read this file of the corpus: {error.strerror}", file=str(path)) from None
    if actual != expected:
        raise DataError(
            f"this file differs from the one in the manifest of corpora: its SHA-256 is {actual}, "
            f"not {expected}; download it again, and do not change it",
            file=str(path),
        )


def recipe(name: str) -> Path:
    """Return the config file of a recipe; raise `ConfigError` if there is none.

    Example:
        config = read_config(recipe("uner_ewt-crf"))
    """
    if name not in recipes():
        raise ConfigError(f"no recipe {name!r}; there are: {', '.join(recipes())}")
    return corpora_home() / "recipes" / f"{name}.cfg"


def recipes() -> list[str]:
    """Return the names of all recipes, sorted."""
    return sorted(path.stem for path in (corpora_home() / "recipes").glob("*.cfg"))


def _corpus(name: str, *, splits: Mapping[str, Iterable[str]], **values: Any) -> Corpus:
    return Corpus(name=name, splits={split: tuple(files) for split, files in splits.items()}, **values)


def _reader(corpus: Corpus, split: str, plugins: PluginManager) -> Reader:
    options = {**corpus.options, **corpus.split_options.get(split, {})}
    reader: Reader = plugins.make("format", corpus.format, options)
    return reader


def _items(
    corpus: Corpus, split: str, name: str, path: Path, plugins: PluginManager
) -> Iterator[Record | DataError]:
    reader = _reader(corpus, split, plugins)
    files = input_files([path], corpus.format, plugins)
    items = itertools.chain.from_iterable(
        reader.read(file, name=str(file), encoding=corpus.encoding) for file in files
    )
    sharing = {other for other, names in corpus.splits.items() if name in names}
    if not corpus.tenths or len(sharing) == 1:
        return items
    # Items that cannot be read are counted too, so that they do not shift the others.
    return (item for number, item in enumerate(items) if owner_of(number, sharing) == split)
