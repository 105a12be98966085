"""Files to read, where some were named by the folder they lie in."""

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

    Of a folder, everything below it is read that has an ending of the format or, where none was
    named, of any format; hidden files are not. "-" is standard input.

    Raises:
        UsageError: A folder holds no such file, or no format was named and no file's ending means one.
        PluginError: There is no such format.
    """
    return sorted_files(inputs, format_name, plugins)[0]


def sorted_files(
    inputs: Iterable[Path], format_name: str, plugins: PluginManager
) -> tuple[list[Path], list[Path]]:
    """Return the files to read, as `input_files` does, and those of folders that end otherwise."""
    suffixes = _suffixes(format_name, plugins)
    files: list[Path] = []
    left_out: list[Path] = []
    for given in inputs:
        wanted, others = _files(given, suffixes)
        files += wanted
        left_out += others
    if files and not format_name and not any(_is_known(file, suffixes) for file in files):
        _refuse(files[0], suffixes, plugins)
    return files, left_out


def as_paths(files: str | Path | Iterable[str | Path]) -> list[Path]:
    """Return one or several files, named as a Python user names them, as paths."""
    if isinstance(files, str | Path):
        return [Path(files)]
    return [Path(file) for file in files]


def is_stream(file: Path) -> bool:
    """Whether a file can be read only once: standard input, a pipe."""
    return file == STANDARD_STREAM or (file.exists() and not (file.is_file() or file.is_dir()))


def display_name(file: Path) -> str:
    """Return what messages call a file."""
    return "standard input" if file == STANDARD_STREAM else str(file)


def check_inputs_exist(inputs: Sequence[Path]) -> None:
    """Raise `UsageError` where not one input is there; one that is missing among others fails when read."""
    if not any(given == STANDARD_STREAM or given.exists() for given in inputs):
        raise UsageError(f"{', '.join(map(str, inputs))}: no such file or folder")


def sha256_of_folder(folder: Path, files: Iterable[Path]) -> str:
    """Return the SHA-256 sum of the names and the contents of files below a folder, in hexadecimal."""
    lines = (f"{sha256_of(file)}  {file.relative_to(folder).as_posix()}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _files(given: Path, suffixes: tuple[str, ...]) -> tuple[list[Path], list[Path]]:
    """Return what an input stands for, and what of a folder does not end in one of `suffixes`."""
    if given == STANDARD_STREAM or not given.is_dir():
        return [given], []
    below = _below(given)
    files = [file for file in below if not suffixes or _is_known(file, suffixes)]
    if not files:
        endings = f" ending in {', '.join(suffixes)}" if suffixes else ""
        raise UsageError(f"{given}: the folder holds no file{endings}; name another, or their format")
    return files, [file for file in below if suffixes and not _is_known(file, suffixes)]


def _refuse(file: Path, suffixes: tuple[str, ...], plugins: PluginManager) -> None:
    try:
        plugins.format_for(file)
    except UsageError as error:
        raise UsageError(f"{error}, or give files that end in {', '.join(suffixes)}") from None


def _is_known(file: Path, suffixes: tuple[str, ...]) -> bool:
    return file == STANDARD_STREAM or file.name.lower().endswith(suffixes)


def _below(folder: Path) -> list[Path]:
    """Return what is below a folder and is neither hidden nor a folder; a link to nothing fails when read."""
    shown = [
        path
        for path in sorted(folder.rglob("*"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    return [path for path in shown if not path.is_dir()]


def _suffixes(format_name: str, plugins: PluginManager) -> tuple[str, ...]:
    """Return the endings to look for; none, where the format named has none of its own."""
    if format_name:
        return plugins.format(format_name).suffixes
    return tuple(suffix for found in plugins.formats() for suffix in found.record.suffixes)


def read_files(
    files: Iterable[Path],
    format_name: str,
    options: Mapping[str, Any],
    encoding: str,
    plugins: PluginManager,
) -> Iterator[Record | DataError]:
    """Read files one after another, each by `format_name` or, where that is "", by its ending.

    A folder stands for the files below it, as in `input_files`. A file whose ending means no format comes
    as the error it causes, among others that can be read.
    """
    return chain.from_iterable(
        read_file(file, format_name, options, encoding, plugins)
        for file in input_files(files, format_name, plugins)
    )


def options_for(files: Iterable[Path], data: DataConfig) -> dict[str, Any]:
    """Return the options that data was read by, if files end as it does and so are of its format."""
    ending = Path(data.train).suffix
    alike = ending and not data.format and all(file.suffix == ending for file in files)
    return dict(data.options) if alike else {}


def read_file(
    file: Path, format_name: str, options: Mapping[str, Any], encoding: str, plugins: PluginManager
) -> Iterator[Record | DataError]:
    """Read one of several files as `read_files` does; standard input has no ending and is plain text."""
    format_name = format_name or ("text" if file == STANDARD_STREAM else "")
    try:
        reader = open_reader(file, format_name, options, plugins)
    except UsageError as error:
        return iter([DataError(str(error))])
    return reader.read(file, name=display_name(file), encoding=encoding)


def open_reader(file: Path, format_name: str, options: Mapping[str, Any], plugins: PluginManager) -> Reader:
    """Return what reads a file of a format, or of the format its ending stands for.

    Raises:
        ConfigError: The format takes no such option, or cannot be read.
        PluginError: There is no such format.
        UsageError: The ending stands for no format, or for several.
    """
    reader: Reader = _format_that_can("read", file, format_name, options, plugins)
    return reader


def open_writer(
    path: Path, format_name: str, plugins: PluginManager, *, final: Path | None = None, append: bool = False
) -> Writer:
    """Open a file for writing in a format, or in the one its ending stands for.

    Args:
        path: The file, `Path("-")` for standard output.
        format_name: The format; "" to go by the ending.
        plugins: Where formats are looked up.
        final: The file's name to be, where it is written under another for now.
        append: Whether to go on after what is there.

    Raises:
        ConfigError: The format cannot be written.
        PluginError: There is no such format.
        UsageError: The ending stands for no format, or for several.
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
        raise type(error)(f"{error}\n{_those_that_can(use, plugins)}") from None
    built = plugins.make("format", format_name or record.name, options)
    if not hasattr(built, use):
        done = "read" if use == "read" else "written"
        raise ConfigError(f"the format {record.name!r} cannot be {done}; {_those_that_can(use, plugins)}")
    return built


def _those_that_can(use: str, plugins: PluginManager) -> str:
    names = []
    for found in plugins.formats():
        with suppress(GlossatorError):  # one that is broken, or needs options, is no help here
            if hasattr(plugins.make("format", found.full_name, {}), use):
                endings = ", ".join(found.record.suffixes)
                names.append(f"{found.record.name} ({endings})" if endings else found.record.name)
    return f"formats that can be {'read' if use == 'read' else 'written'}: {listed(names)}"
