"""From a record to what it stands for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glossator.errors import ConfigError, DataError, PluginError, StageError
from glossator.hookspecs import Command, Format, Stage
from glossator.plugins.building import build, load_command
from glossator.plugins.declared import Declared, Plugin

PROBES = Plugin("probes", "probes", "1.0")


def make(factory, **settings):
    return build(Stage(name="probe", factory=factory), settings, plugin="probes")


def network(path, *, width=64, depth=2):
    return path, width, depth


def test_a_factory_is_called_with_the_settings():
    assert make(network, path="p", depth=3) == ("p", 64, 3)


def test_a_factory_named_by_a_string_is_imported():
    assert make("collections:OrderedDict", a=1) == {"a": 1}
    assert make("pathlib:Path") == Path()


def test_an_unknown_setting_is_refused_with_the_ones_there_are():
    with pytest.raises(ConfigError) as raised:
        make(network, path="p", widht=3)
    message = str(raised.value)
    assert "stage 'probe' of plugin 'probes' has no setting 'widht'" in message
    assert "did you mean 'width'?" in message
    assert "depth, path, width" in message


def test_a_setting_that_is_needed_and_missing_is_named():
    with pytest.raises(ConfigError, match="needs the setting 'path'"):
        make(network, width=3)


class Typed:
    def __init__(self, flag: bool = True, width: int = 3, rate: float = 0.1, header: bool | str = True):
        self.settings = flag, width, rate, header


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("flag", "False", "true or false, not 'False'"),
        ("flag", 0, "true or false, not 0"),
        ("width", 1.5, "a whole number, not 1.5"),
        ("width", True, "a whole number, not True"),
        ("rate", "0.5", "a number, not '0.5'"),
        ("rate", False, "a number, not False"),
    ],
)
def test_a_setting_of_another_type_than_it_says_is_refused(name, value, wanted):
    with pytest.raises(ConfigError, match=f"stage 'probe' of plugin 'probes': {name} must be {wanted}"):
        make(Typed, **{name: value})


def test_settings_of_their_types_pass_numpys_too():
    assert make(Typed, flag=False, width=np.int64(2), rate=1).settings == (False, 2, 1, True)
    assert make(Typed, rate=np.float32(2), header="a,b").settings == (True, 3, 2.0, "a,b")


def test_a_factory_may_take_any_setting():
    def anything(**settings):
        return settings

    assert make(anything, one=1, two=2) == {"one": 1, "two": 2}


def test_the_settings_of_a_class_are_those_of_its_constructor():
    class Tagger:
        def __init__(self, *, write="ents"):
            self.write = write

    assert make(Tagger, write="tag").write == "tag"
    with pytest.raises(ConfigError, match="it accepts: write"):
        make(Tagger, self=1)


@pytest.mark.parametrize("failure", [ValueError("odd\n width"), SystemExit("bye"), TypeError("inside")])
def test_a_failing_factory_is_a_stage_error_that_keeps_its_cause(failure):
    def fails():
        raise failure

    with pytest.raises(StageError) as raised:
        make(fails)
    assert raised.value.__cause__ is failure
    reason = " ".join(str(failure).split())
    expected = f"stage 'probe' of plugin 'probes' could not be built: {type(failure).__name__}: {reason}"
    assert str(raised.value) == expected


def test_errors_meant_for_the_user_pass_through():
    failure = DataError("no such word list", file="names.txt")

    def fails():
        raise failure

    with pytest.raises(DataError) as raised:
        make(fails)
    assert raised.value is failure


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        ("no_colon", "'package.module:attribute'"),
        ("pathlib:", "'package.module:attribute'"),
        ("pathlib:Pth", "AttributeError"),
        ("a_package_nobody_has.tagger:Tagger", "ModuleNotFoundError: No module named 'a_package_nobody_has'"),
    ],
)
def test_a_factory_that_cannot_be_imported_names_plugin_stage_and_reason(factory, reason):
    with pytest.raises(PluginError) as raised:
        make(factory)
    for part in ("stage 'probe' of plugin 'probes'", repr(factory), reason):
        assert part in str(raised.value)


def test_only_what_is_not_the_plugins_own_is_to_be_installed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "probe_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "foreign.py").write_text("import a_framework_nobody_has.layers")
    (package / "own.py").write_text("import probe_package.left_out")
    with pytest.raises(PluginError, match="pip install a_framework_nobody_has "):
        make("probe_package.foreign:Tagger")
    for module in ("own", "left_out_too"):
        with pytest.raises(PluginError, match="the plugin itself lacks this module") as raised:
            make(f"probe_package.{module}:Tagger")
        assert "pip install" not in str(raised.value)


def test_a_module_that_exits_when_imported_is_a_plugin_error(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "probe_exits.py").write_text("raise SystemExit(3)")
    with pytest.raises(PluginError, match="SystemExit: 3"):
        make("probe_exits:Tagger")


def test_a_format_is_called_a_format():
    with pytest.raises(ConfigError, match="format 'probe' of plugin 'probes' needs the setting 'path'"):
        build(Format(name="probe", factory=network), {}, plugin="probes")


def test_a_command_is_imported_when_it_is_wanted():
    import click

    found = Declared(PROBES, Command(name="probe", command="click:echo"))
    assert load_command(found) is click.echo
    with pytest.raises(PluginError, match="command 'probe' of plugin 'probes'"):
        load_command(Declared(PROBES, Command(name="probe", command="nowhere_at_all:run")))
