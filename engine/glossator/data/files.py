"""Finds, opens and reads input files; a folder stands for the files below it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glossator.errors import ConfigError, DataError, GlossatorError, PluginError, UsageError
from glossator.formats.shared.text_streams import STANDARD_STREAM
from glossator.util.files import sha256_of
from glossator.util.messages import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glossator.config.schema import DataConfig
    from glossator.formats import Reader, Record, Writer
    from glossator.plugins.manager import PluginManager


def input_files(inputs: Iterable[Path], format_name: str, plugins: PluginManager) -> list[Path]:
    """Return the files to read, those of a folder in the order of their names.

    A folder stands for all files below it with an ending of the format or, without a format, of any
    format, except hidden files. "-" is standard input.

    Example:
        input_files([Path("letters/"), Path("more.jsonl")], "", plugins)

    Raises:
        UsageError: A folder holds no such file, or there is no format and no file has a known ending.
        PluginError: There is no such format.
    """
    return sorted_files(inputs, format_name, plugins)[0]


def sorted_files(
    inputs: Iterable[Path], format_name: str, plugins: PluginManager
) -> tuple[list[Path], list[Path]]:
    """Return the files to read, as `input_files` does, and the files of folders with other endings.

    Example:
        files, skipped = sorted_files([Path("letters/")], "jsonl", plugins)
    """
    suffixes = _suffixes(format_name, plugins)
    files: list[Path] = []
    skipped: list[Path] = []
    for path in inputs:
        wanted, others = _files(path, suffixes)
        files += wanted
        skipped += others
    if files and not format_name and not any(_has_suffix(file, suffixes) for file in files):
        _refuse(files[0], suffixes, plugins)
    return files, skipped


def as_paths(files: str | Path | Iterable[str | Path]) -> list[Path]:
    """Return one or several files, as a Python user names them, as a list of paths.

    Example:
        as_paths("letters/")  # [Path("letters")]
    """
    if isinstance(files, str | Path):
        return [Path(files)]
    return [Path(file) for file in files]


def is_stream(file: Path) -> bool:
    """Whether a file can be read only once: standard input, a pipe."""
    return file == STANDARD_STREAM or (file.exists() and not (file.is_file() or file.is_dir()))


def display_name(file: Path) -> str:
    """Return the name of a file in messages."""
    return "standard input" if file == STANDARD_STREAM else str(file)


def check_inputs_exist(inputs: Sequence[Path]) -> None:
    """Raise `UsageError` if no input exists; a missing one among others fails when it is read.

    Example:
        check_inputs_exist([Path("letters/")])
    """
    if not any(path == STANDARD_STREAM or path.exists() for path in inputs):
        raise UsageError(f"{', '.join(map(str, inputs))}: no such file or folder")


def sha256_of_folder(folder: Path, files: Iterable[Path]) -> str:
    """Return the SHA-256 checksum of the names and contents of files below a folder, in hexadecimal.

    Example:
        sha256_of_folder(Path("letters"), sorted(Path("letters").glob("*.txt")))
    """
    lines = (f"{sha256_of(file)}  {file.relative_to(folder).as_posix()}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _files(path: Path, suffixes: tuple[str, ...]) -> tuple[list[Path], list[Path]]:
    """Return the files that an input stands for, and the files of a folder with other suffixes."""
    if path == STANDARD_STREAM or not path.is_dir():
        return [path], []
    below = _below(path)
    files = [file for file in below if not suffixes or _has_suffix(file, suffixes)]
    if not files:
        endings = f" ending in {', '.join(suffixes)}" if suffixes else ""
        raise UsageError(f"{path}: the folder has no file{endings}: name another folder, or the format")
    return files, [file for file in below if suffixes and not _has_suffix(file, suffixes)]


def _refuse(file: Path, suffixes: tuple[str, ...], plugins: PluginManager) -> None:
    try:
        plugins.format_for(file)
    except UsageError as error:
        raise UsageError(f"{error}, or name files that end in {', '.join(suffixes)}") from None


def _has_suffix(file: Path, suffixes: tuple[str, ...]) -> bool:
    return file == STANDARD_STREAM or file.name.lower().endswith(suffixes)


def _below(folder: Path) -> list[Path]:
    """Return the files below a folder that are not hidden; a broken link fails when it is read."""
    visible = [
        path
        for path in sorted(folder.rglob("*"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    return [path for path in visible if not path.is_dir()]


def _suffixes(format_name: str, plugins: PluginManager) -> tuple[str, ...]:
    """Return the endings of the format, or of all formats; a format may have none."""
    if format_name:
        return plugins.format(format_name).suffixes
    return tuple(suffix for declared in plugins.formats() for suffix in declared.record.suffixes)


def read_files(
    files: Iterable[Path],
    format_name: str,
    options: Mapping[str, Any],
    encoding: str,
    plugins: PluginManager,
) -> Iterator[Record | DataError]:
    """Read files one after another, in the format `format_name` or, if that is "", of each file's ending.

    A folder stands for the files below it, as in `input_files`. For a file with an unknown ending, among
    others that can be read, the error is yielded.

    Example:
        for item in read_files([Path("letters/")], "", {}, "utf-8", plugins):
            print(item if isinstance(item, DataError) else item.text)
    """
    return chain.from_iterable(
        read_file(file, format_name, options, encoding, plugins)
        for file in input_files(files, format_name, plugins)
    )


def options_for(files: Iterable[Path], data: DataConfig) -> dict[str, Any]:
    """Return the options of a head's data if the files have the ending, and so the format, of that data.

    Example:
        options_for([Path("new.csv")], pipeline.config.data["topic"])  # {"text": "comment"}
    """
    ending = Path(data.train).suffix
    same_format = ending and not data.format and all(file.suffix == ending for file in files)
    return dict(data.options) if same_format else {}


def read_file(
    file: Path, format_name: str, options: Mapping[str, Any], encoding: str, plugins: PluginManager
) -> Iterator[Record | DataError]:
    """Read one file as `read_files` does; standard input has no ending and is plain text.

    Example:
        records = list(read_file(Path("letters.jsonl"), "", {}, "utf-8", plugins))
    """
    format_name = format_name or ("text" if file == STANDARD_STREAM else "")
    try:
        reader = open_reader(file, format_name, options, plugins)
    except UsageError as error:
        return iter([DataError(str(error))])
    return reader.read(file, name=display_name(file), encoding=encoding)


def open_reader(file: Path, format_name: str, options: Mapping[str, Any], plugins: PluginManager) -> Reader:
    """Return the reader of a format, or of the format of the file's ending.

    Example:
        reader = open_reader(Path("films.csv"), "", {"text": "review"}, plugins)

    Raises:
        ConfigError: The format has no such option, or cannot be read.
        PluginError: There is no such format.
        UsageError: No format has this ending, or several have.
    """
    reader: Reader = _format_that_can("read", file, format_name, options, plugins)
    return reader


def open_writer(
    path: Path, format_name: str, plugins: PluginManager, *, final: Path | None = None, append: bool = False
) -> Writer:
    """Open a file for writing in a format, or in the format of its ending.

    Example:
        writer = open_writer(Path("out.jsonl"), "", plugins)
        writer.write(doc, record)
        writer.close()

    Args:
        path: The file, `Path("-")` for standard output.
        format_name: The format; "" for the format of the ending.
        plugins: Where formats are looked up.
        final: The final name of the file, if it is written under a temporary name.
        append: Whether to keep the content of the file and write after it.

    Raises:
        ConfigError: The format cannot be written.
        PluginError: There is no such format.
        UsageError: No format has this ending, or several have.
    """
    writer: Writer = _format_that_can("writer", final or path, format_name, {}, plugins).writer(
        path, append=append
    )
    return writer


def _format_that_can(
    use: str, file: Path, format_name: str, options: Mapping[str, Any], plugins: PluginManager
) -> Any:
    try:
        record = plugins.format(format_name) if format_name else plugins.format_for(file)
    except (PluginError, UsageError) as error:
        raise type(error)(f"{error}\n{_usable_formats(use, plugins)}") from None
    built = plugins.make("format", format_name or record.name, options)
    if not hasattr(built, use):
        done = "read" if use == "read" else "written"
        raise ConfigError(f"the format {record.name!r} cannot be {done}; {_usable_formats(use, plugins)}")
    return built


def _usable_formats(use: str, plugins: PluginManager) -> str:
    names = []
    for declared in plugins.formats():
        with suppress(GlossatorError):  # a broken format, or one that needs options, is not suggested
            if hasattr(plugins.make("format", declared.full_name, {}), use):
                endings = ", ".join(declared.record.suffixes)
                names.append(f"{declared.record.name} ({endings})" if endings else declared.record.name)
    return f"formats that can be {'read' if use == 'read' else 'written'}: {listed(names)}"
