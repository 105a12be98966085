"""Discovery, isolation and look-up of plugins, on distributions written to disk and found by importlib."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tempfile
import textwrap
import warnings
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import glossator
from glossator.cli.plugins import plugins as plugins_command
from glossator.commands import Settings
from glossator.errors import PluginError, UnknownNameError, UsageError
from glossator.hookspecs import KINDS, Specs
from glossator.plugins.declared import PluginWarning
from glossator.plugins.manager import PluginManager
from glossator.plugins.replaced import REPLACED

GOOD = """
    import glossator

    calls = []

    @glossator.hookimpl
    def glossator_taggers():
        calls.append("taggers")
        yield glossator.Stage(name="good", factory=dict)
"""


class Site:
    """A folder on the module search path that distributions are written into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, plugin: str, code: str, *, distribution: str = "", module: str = "") -> None:
        """Install a distribution that provides `plugin`, a module of this code."""
        distribution, module = distribution or f"{plugin}-dist", module or plugin
        (self.folder / f"{module}.py").write_text(textwrap.dedent(code), encoding="utf-8")
        metadata = self.folder / f"{distribution.replace('-', '_')}-1.5.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
        (metadata / "entry_points.txt").write_text(f"[glossator]\n{plugin} = {module}\n")
        importlib.invalidate_caches()

    def forget(self) -> None:
        """Take the modules written here out of `sys.modules`."""
        for path in self.folder.glob("*.py"):
            sys.modules.pop(path.stem, None)


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.delenv("GLOSSATOR_PLUGINS", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    site = Site(tmp_path)
    yield site
    site.forget()


def discover(**options) -> tuple[PluginManager, list[str]]:
    """Return a manager that has called every hook, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        manager = PluginManager(**options)
        manager.plugins()
    assert all(warning.category is PluginWarning for warning in caught)
    return manager, [str(warning.message) for warning in caught]


def info(manager: PluginManager, name: str):
    (found,) = [found for found in manager.plugins() if found.name == name]
    return found


def error(manager: PluginManager, name: str, kind: str = "tagger") -> str:
    with pytest.raises(PluginError) as raised:
        manager.find(kind, name)
    return str(raised.value)


def test_every_hook_is_a_kind_the_manager_can_be_asked_for():
    hooks = {name for name in vars(Specs) if name.startswith("glossator_")}
    assert hooks == {f"glossator_{kind}s" for kind in (*KINDS, "format", "pipeline", "command")}


def test_a_plugin_is_found_with_its_distribution_and_version(site):
    site.add("good", GOOD)
    manager, problems = discover()
    assert problems == []
    assert manager.stage("tagger", "good").factory is dict
    assert manager.stage("tagger", "good/good") is manager.stage("tagger", "good")
    owner = manager.find("tagger", "good").plugin
    assert (owner.name, owner.distribution, owner.version) == ("good", "good-dist", "1.5")
    assert info(manager, "good").provides == {"tagger": ("good",)}


def test_a_hook_is_called_when_its_kind_is_asked_for_and_once(site):
    site.add("good", GOOD)
    manager = PluginManager()
    manager.stages("classifier")
    calls = sys.modules["good"].calls
    assert calls == []
    manager.stage("tagger", "good")
    manager.stages("tagger")
    assert calls == ["taggers"]


BROKEN = {
    "raises": ("raise ValueError('no\\n  luck')", "failed", "ValueError: no luck"),
    "exits": ("import sys; sys.exit('bye')", "failed", "SystemExit: bye"),
    "syntax": ("def (", "failed", "SyntaxError"),
    "wants_argument": (
        "import glossator\n@glossator.hookimpl\ndef glossator_taggers(config): yield",
        "failed",
        "{'config'} are declared in the hookimpl",
    ),
    "misspelt": (
        "import glossator\n@glossator.hookimpl\ndef glossator_tagers(): yield",
        "faulty",
        "no hook 'glossator_tagers' (did you mean 'glossator_taggers'?)",
    ),
    "unmarked": ("def glossator_taggers(): yield", "faulty", "not marked with @glossator.hookimpl"),
    "no_function": ("glossator_taggers = []", "faulty", "not marked with @glossator.hookimpl"),
    "hookless": ("", "faulty", "implements no hook"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_reported_once_and_leaves_the_others_working(site, name):
    code, state, reason = BROKEN[name]
    site.add(name, code)
    site.add("good", GOOD)
    manager, problems = discover()
    assert len(problems) == 1
    assert problems[0].startswith(f"plugin {name!r} ({name}-dist 1.5): ")
    assert reason in problems[0]
    assert "\n" not in problems[0]
    assert info(manager, name).state == state
    assert reason in info(manager, name).reason
    assert manager.stage("tagger", "good")
    assert manager.stage("tokenizer", "spacy")
    assert reason in error(manager, "absent")


def test_the_error_for_a_missing_stage_holds_the_whole_error_of_a_failed_plugin(site):
    site.add("raises", "def deep():\n    raise ValueError('the reason')\n\ndeep()")
    site.add("good", GOOD)
    manager, _ = discover()
    message = error(manager, "absent")
    assert "Traceback (most recent call last)" in message
    assert "in deep" in message
    assert "the reason" in error(manager, "raises/absent")
    assert "the reason" not in error(manager, "good/absent")


@pytest.mark.parametrize(
    ("body", "kept", "reason"),
    [
        ("yield first; raise KeyError('oops')", ("first",), "glossator_taggers failed: KeyError: 'oops'"),
        ("yield first; yield 'second'; yield third", ("first", "third"), "'second', which is not a Stage"),
        ("yield first; yield glossator.Format(name='f', factory=dict)", ("first",), "which is not a Stage"),
        ("return first", (), "'Stage' object is not iterable"),
        ("yield first; yield first", (), "tagger 'first' twice"),
        (
            "yield first; yield stage('second', api=2)",
            ("first",),
            "version 2 of the plugin API, this is version 1",
        ),
        ("yield first; yield stage('second', api=0)", ("first",), "upgrade the plugin"),
        ("yield first; yield stage('a/b')", ("first",), "'a/b': a name is a string without '/'"),
        ("yield first; yield stage('')", ("first",), "a name is a string"),
    ],
)
def test_a_bad_answer_of_a_hook_is_reported_and_the_good_ones_are_kept(site, body, kept, reason):
    code = f"""
    import glossator

    def stage(name, **settings):
        return glossator.Stage(name=name, factory=dict, **settings)

    first, third = stage("first"), stage("third")

    @glossator.hookimpl
    def glossator_taggers():
        {body}

    @glossator.hookimpl
    def glossator_classifiers():
        yield stage("other")
    """
    site.add("half", code)
    manager, problems = discover()
    assert len(problems) == 1
    assert reason in problems[0]
    assert problems[0].startswith("plugin 'half'")
    assert info(manager, "half").provides.get("tagger", ()) == kept
    assert manager.stage("classifier", "other")
    assert reason in error(manager, "absent")
    assert reason not in error(manager, "absent", "classifier")


@pytest.mark.parametrize("body", ["return None", "return []", "return"])
def test_a_hook_may_declare_nothing(site, body):
    site.add("empty", f"import glossator\n@glossator.hookimpl\ndef glossator_taggers(): {body}")
    manager, problems = discover()
    assert problems == []
    assert info(manager, "empty").provides == {}


def test_arguments_with_defaults_keep_their_defaults(site):
    code = """
    import glossator

    @glossator.hookimpl
    def glossator_taggers(name="from-default"):
        yield glossator.Stage(name=name, factory=dict)
    """
    site.add("defaults", code)
    manager, problems = discover()
    assert problems == []
    assert manager.stage("tagger", "from-default")


def test_suffixes_that_are_no_tuple_are_refused(site):
    code = """
    import glossator

    @glossator.hookimpl
    def glossator_formats():
        yield glossator.Format(name="bad", factory=dict, suffixes=[".txt"])
        yield glossator.Format(name="all", factory=dict, suffixes=("",))
    """
    site.add("endings", code)
    manager, problems = discover()
    assert [("suffixes" in problem) for problem in problems] == [True, True]
    assert manager.format_for(Path("a.txt")).name == "text"


def test_two_distributions_with_one_plugin_name_load_neither(site):
    site.add("good", GOOD, distribution="one", module="good_one")
    site.add("good", GOOD, distribution="two", module="good_two")
    manager, problems = discover()
    assert [problem.startswith("plugin 'good'") for problem in problems] == [True, True]
    assert "one 1.5 and two 1.5 each provide" in error(manager, "good")
    assert not {"good_one", "good_two"} & set(sys.modules)


def test_two_entry_points_of_one_module_are_reported(site):
    site.add("first", GOOD, module="shared")
    site.add("second", GOOD, module="shared")
    manager, problems = discover()
    assert len(problems) == 1
    assert info(manager, "second").state == "failed"
    assert manager.find("tagger", "good").plugin.name == "first"


def test_the_name_of_the_builtin_plugin_is_taken(site):
    site.add("builtin", GOOD, module="impostor")
    manager, problems = discover()
    assert len(problems) == 1
    assert "Glossator's own" in problems[0]
    assert manager.stage("tokenizer", "spacy")
    other, mine = [found for found in manager.plugins() if found.name == "builtin"]
    assert (mine.distribution, mine.state) == ("glossator", "active")
    assert (other.distribution, other.state, other.provides) == ("builtin-dist", "failed", {})


def test_blocked_plugins_are_not_imported(site):
    site.add("good", "raise SystemExit('imported')")
    for options in ({"block": ["good"]}, {"allow": []}):
        manager, problems = discover(**options)
        assert problems == []
        assert info(manager, "good").state == "blocked"
        assert "good" not in sys.modules
        assert "plugin 'good' (good-dist 1.5) might provide it, but is not used" in error(manager, "good")


@pytest.mark.parametrize(
    ("variable", "active"),
    [
        (None, ["a", "b", "builtin", "glossator-keras", "glossator-vectors"]),
        ("", ["builtin"]),
        (" b ,", ["b", "builtin"]),
    ],
)
def test_the_environment_lists_what_is_allowed(site, monkeypatch, variable, active):
    site.add("a", GOOD)
    site.add("b", GOOD)
    if variable is not None:
        monkeypatch.setenv("GLOSSATOR_PLUGINS", variable)
    manager = PluginManager.from_environment()
    assert [found.name for found in manager.plugins() if found.state == "active"] == active
    assert info(PluginManager.from_environment(block=["b"]), "b").state == "blocked"


def test_blocking_wins_over_allowing_and_the_builtin_plugin_can_be_blocked(site):
    site.add("good", GOOD)
    manager, problems = discover(allow=["good"], block=["good", "builtin"])
    assert problems == []
    assert {found.state for found in manager.plugins()} == {"blocked"}
    assert "'builtin' (glossator" in error(manager, "spacy", "tokenizer")


def test_a_name_that_blocks_nothing_is_warned_of(site):
    site.add("good", GOOD)
    _, problems = discover(block=["goood"])
    there = "glossator-keras, glossator-vectors, good"
    assert problems == [f"no plugin 'goood' is installed to block or allow; installed: {there}"]


def test_the_error_for_a_missing_stage_suggests_and_lists(site):
    site.add("good", GOOD)
    manager, _ = discover()
    message = error(manager, "gazeteer")
    assert "did you mean 'gazetteer'?" in message
    assert "available: bert, bilstm-crf, crf, gazetteer, good" in message
    assert "no plugin 'god' is installed" in error(manager, "god/good")


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["plug_a", "plug_b", "plug_c"]),
        st.lists(st.sampled_from("xyz"), max_size=4),
        max_size=3,
    ),
    st.randoms(use_true_random=False),
)
def test_a_name_is_found_exactly_where_one_plugin_declares_it_once(declared, random):
    stages = {plugin: Counter(names) for plugin, names in declared.items()}
    order = list(declared)
    random.shuffle(order)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        site = Site(Path(folder))
        for plugin in order:
            body = "".join(f"    yield Stage(name={name!r}, factory=dict)\n" for name in declared[plugin])
            head = "from glossator import Stage, hookimpl\n@hookimpl\ndef glossator_embedders():\n"
            site.add(plugin, f"{head}{body}    return\n")
        manager, _ = discover()
        site.forget()
    for name in "xyz":
        owners = [plugin for plugin, times in stages.items() if times[name] == 1]
        for plugin in owners:
            assert manager.find("embedder", f"{plugin}/{name}").plugin.name == plugin
        if len(owners) == 1:
            assert manager.find("embedder", name).plugin.name == owners[0]
        else:
            message = error(manager, name, "embedder")
            assert all(f"{plugin}/{name}" in message for plugin in owners)
    listed = [(d.record.name, d.plugin.name) for d in manager.stages("embedder") if d.plugin.name in declared]
    assert listed == sorted((name, p) for p, times in stages.items() for name in times if times[name] == 1)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.txt", "text"),
        ("B.JSONL", "jsonl"),
        ("a.b.ndjson", "jsonl"),
        ("x.iob2", "iob2"),
        ("x.iob", "conll"),
    ],
)
def test_the_ending_of_a_file_means_a_format(file, name):
    assert PluginManager(allow=[]).format_for(Path("folder.conllu") / file).name == name


def test_an_ending_nobody_knows_and_one_that_two_formats_claim_are_errors(site):
    code = """
    import glossator

    @glossator.hookimpl
    def glossator_formats():
        yield glossator.Format(name="prose", factory=dict, suffixes=(".txt",))
    """
    site.add("prose", code)
    manager, _ = discover()
    with pytest.raises(UsageError, match=r"can mean prose, text; name the format"):
        manager.format_for(Path("a.txt"))
    with pytest.raises(UsageError, match=r"a\.unknown: no format has this ending"):
        manager.format_for(Path("a.unknown"))


def test_every_builtin_factory_can_be_imported():
    manager = PluginManager(allow=[])
    assert {kind for kind in KINDS if manager.stages(kind)} == {"tokenizer", "classifier", "tagger"}
    for found in [*(found for kind in KINDS for found in manager.stages(kind)), *manager.formats()]:
        factory = found.record.factory
        if isinstance(factory, str):
            module, _, attribute = factory.partition(":")
            assert callable(getattr(importlib.import_module(module), attribute))
        else:
            assert factory() is not None


def test_asking_what_there_is_imports_nothing_heavy():
    code = (
        "from glossator.plugins.manager import PluginManager; import sys; PluginManager(allow=[]).plugins()"
    )
    heavy = "print([name for name in ('spacy', 'numpy', 'thinc', 'click', 'rich') if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {heavy}"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def listing(*arguments: str, block: tuple[str, ...] = ()) -> str:
    options = Settings(no_plugin=block)
    done = CliRunner().invoke(plugins_command, ["list", *arguments], obj=options, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.output


def test_the_list_shows_every_plugin_with_its_state_and_no_warning(site):
    site.add("good", GOOD)
    site.add("raises", "raise ValueError('in [brackets]')")
    site.add("unwanted", GOOD)
    table = listing(block=("unwanted",))
    rows = {
        line.split()[1]: line
        for line in table.splitlines()
        if line.startswith("│") and line.split()[1] != "│"
    }
    assert "tagger: good" in rows["good"]
    assert "good-dist" in rows["good"]
    assert "ValueError: in [brackets]" in rows["raises"]
    assert "blocked" in rows["unwanted"]


def test_the_json_list_has_what_the_manager_knows(site):
    site.add("good", GOOD)
    found = {entry["name"]: entry for entry in json.loads(listing("--json"))}
    assert found["good"]["provides"] == {"tagger": ["good"]}
    assert found["builtin"]["version"] == glossator.__version__


def test_a_built_in_stage_that_is_gone_is_said_to_be_replaced():
    manager = PluginManager()
    assert REPLACED == {("classifier", "bow"): "linear", ("tagger", "window"): "crf"}
    for (kind, name), new in REPLACED.items():
        for written in (name, f"builtin/{name}"):
            with pytest.raises(UnknownNameError, match=f"the {kind} '{name}' was replaced by '{new}'"):
                manager.make(kind, written, {})
        assert manager.find(kind, new)
        assert name not in [each.record.name for each in manager.stages(kind)]


def test_a_plugin_may_have_a_stage_with_a_name_that_is_gone(site):
    site.add("old", GOOD.replace("taggers", "classifiers").replace('"good"', '"bow"'))
    assert PluginManager().find("classifier", "bow").plugin.name == "old"
