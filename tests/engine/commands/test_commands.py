"""What plugins write their commands with."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import glossator.commands
from glossator.commands import (
    InputFormat,
    Settings,
    check_inputs_exist,
    corpora_option,
    corpus,
    display_name,
    input_files,
    input_format_options,
    key_values,
    read_file,
    read_files,
    read_split,
)
from glossator.errors import DataError, UsageError


@click.command()
@click.argument("inputs", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@input_format_options
@corpora_option
@click.pass_obj
def show(
    settings: Settings, inputs: tuple[Path, ...], input_format: InputFormat, corpora: Path | None
) -> None:
    """Show the texts of files."""
    check_inputs_exist(inputs)
    for record in read_files(inputs, input_format, settings.plugins()):
        click.echo(f"failed: {record}" if isinstance(record, DataError) else record.text)


def test_every_name_is_there():
    assert all(hasattr(glossator.commands, name) for name in glossator.commands.__all__)
    with pytest.raises(AttributeError, match="no attribute 'read_flies'"):
        _ = glossator.commands.read_flies


def test_a_command_reads_files_as_its_options_say(tmp_path):
    (tmp_path / "in.data").write_bytes("comment,n\nSüß.,1\n".encode("latin-1"))
    (tmp_path / "in.jsonl").write_text('{"text": "One."}\n{broken\n')
    options = ["--from", "csv", "--from-option", "text=comment", "--encoding", "latin-1"]
    shown = CliRunner().invoke(show, [str(tmp_path / "in.data"), *options], obj=Settings())
    assert (shown.exit_code, shown.output) == (0, "Süß.\n")
    shown = CliRunner().invoke(show, [str(tmp_path / "in.jsonl")], obj=Settings())
    first, second = shown.output.splitlines()
    assert first == "One."
    assert second.startswith(f"failed: {tmp_path / 'in.jsonl'}:2: ")
    assert show.callback is not None
    assert show.callback.__doc__ == "Show the texts of files."


def test_misuse_is_an_error(tmp_path):
    for arguments, message in (
        ([str(tmp_path / "gone.txt")], "no such file or folder"),
        (["x", "--from-option", "nonsense"], "--from-option nonsense: write it as KEY=VALUE"),
    ):
        shown = CliRunner().invoke(show, arguments, obj=Settings())
        assert isinstance(shown.exception, UsageError)
        assert message in str(shown.exception)


def test_values_are_json_where_they_can_be():
    pairs = ["a=1", "b=true", 'c=["x"]', "d=plain", "e=a=b"]
    assert key_values(pairs, "--set") == {"a": 1, "b": True, "c": ["x"], "d": "plain", "e": "a=b"}


def test_files_one_by_one(tmp_path):
    plugins = Settings().plugins()
    for name in ("b.jsonl", "a.jsonl", "c.png"):
        (tmp_path / name).write_text(json.dumps({"text": name}) + "\n")
    files = input_files([tmp_path], InputFormat(), plugins)
    assert [file.name for file in files] == ["a.jsonl", "b.jsonl"]
    assert [record.text for file in files for record in read_file(file, InputFormat(), plugins)] == [
        "a.jsonl",
        "b.jsonl",
    ]
    assert display_name(Path("-")) == "standard input"


def test_corpora_by_name():
    plugins = Settings().plugins()
    assert len(list(read_split(corpus("samples"), "dev", root=None, plugins=plugins))) == 26


def test_settings_block_plugins(test_stages):
    with_plugin, without = Settings().plugins(), Settings(no_plugin=("test-stages",)).plugins()
    assert "greet" in {declared.record.name for declared in with_plugin.commands()}
    assert "greet" not in {declared.record.name for declared in without.commands()}
