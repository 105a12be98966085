from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_graph import FLOORS, circles, floor_of, import_graph, upward_imports

import glossator

REPOSITORY = Path(__file__).parents[2]
ENGINE = REPOSITORY / "engine"
GRAPH = import_graph(REPOSITORY)
MODULES = {
    ".".join(path.relative_to(ENGINE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ENGINE / "glossator").rglob("*.py"))
}
HEAVY = {"spacy", "numpy", "thinc", "rich"}
# What the engine may import beside itself and the standard library.
ALLOWED = {
    "click",
    "cymem",
    "threadpoolctl",
    "hypothesis",
    "matplotlib",
    "numpy",
    "pluggy",
    "pytest",
    "rich",
    "spacy",
    "srsly",
    "thinc",
}
LIGHT = (
    "glossator",
    "glossator.annotations.layer",
    "glossator.builtin",
    "glossator.cli",
    "glossator.commands",
    "glossator.config.schema",
    "glossator.config.sections",
    "glossator.errors",
    "glossator.hookspecs",
    "glossator.plugins.building",
    "glossator.plugins.manager",
    "glossator.stages",
    "glossator.util.messages",
)
PLUGINS = ("glossator_keras", "glossator_vectors")
# What a plugin may import of the engine: CONTRIBUTING.md says it, and our own plugins have no other door.
PLUGIN_API = (
    "glossator.about",
    "glossator.errors",
    "glossator.hookspecs",
    "glossator.stages",
    "glossator.util",
    "glossator.annotations",
    "glossator.ml",
    "glossator.plugins",
    "glossator.formats",
    "glossator.testing",
    "glossator.commands",
)
PUBLIC = ("glossator", "glossator.commands", "glossator.formats", "glossator.testing")


def imports(path: Path, *, everywhere: bool = True) -> Iterator[str]:
    """Yield the modules a file imports: everywhere, or only while it is itself imported."""
    yield from _imports(ast.parse(path.read_text(encoding="utf-8")), everywhere)


def _imports(node: ast.AST, everywhere: bool) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports name their module in full"
            yield child.module or ""
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif everywhere or not _is_deferred(child):
            yield from _imports(child, everywhere)


def _is_deferred(node: ast.AST) -> bool:
    """Whether what stands in a node does not run at import: functions, and `if TYPE_CHECKING`."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return True
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def loaded_by(code: str) -> set[str]:
    """Run code in a fresh interpreter and return the top names of all modules it loaded."""
    report = "\nimport sys; print('\\n' + ' '.join({name.partition('.')[0] for name in sys.modules}))"
    result = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


def room_of(module: str) -> str:
    """Return the entry of `FLOORS` that a module of the engine belongs to."""
    return max((room for room in FLOORS if _within(module, room)), key=len)


def test_import_glossator_is_light():
    assert not loaded_by("import glossator; dir(glossator); glossator.Stage") & HEAVY


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["annotate", "--help"], ["train", "--help"]]
)
def test_help_is_light(arguments):
    code = f"""
import sys
from glossator import cli
sys.argv = ["glossator", *{arguments!r}]
try:
    cli.main()
except SystemExit as end:
    assert not end.code, end.code
"""
    assert not loaded_by(code) & HEAVY


def test_touching_what_is_heavy_loads_it():
    assert "spacy" in loaded_by("import glossator; glossator.Pipeline")
    with pytest.raises(AttributeError, match="no attribute 'Pipelin'"):
        _ = glossator.Pipelin


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_import_nothing_heavy(module):
    tops = {name.partition(".")[0] for name in imports(MODULES[module], everywhere=False)}
    assert not tops & HEAVY


def test_the_engine_imports_what_it_is_allowed_to():
    allowed = ALLOWED | set(sys.stdlib_module_names) | {"glossator", "__future__"}
    strange = {
        (module, name)
        for module, path in MODULES.items()
        for name in imports(path)
        if name.partition(".")[0] not in allowed
    }
    assert not strange


def test_every_module_of_the_engine_has_a_floor():
    assert [module for module in MODULES if floor_of(module, FLOORS) is None] == []


def test_imports_point_down():
    assert upward_imports(GRAPH) == []


def test_rooms_of_one_floor_do_not_know_each_other():
    """A floor's rooms stand side by side; the ground floor is single files that make up one room."""
    neighbours = [
        (module, name)
        for module, names in GRAPH.items()
        if (floor_of(module, FLOORS) or 1) > 1
        for name in names
        if floor_of(name, FLOORS) == floor_of(module, FLOORS) and room_of(module) != room_of(name)
    ]
    assert neighbours == []


def test_no_module_needs_itself_to_be_imported():
    """`TYPE_CHECKING` and imports inside functions count: they only hide a circle."""
    assert circles(GRAPH) == []


@pytest.mark.parametrize("plugin", PLUGINS)
def test_our_plugins_import_only_what_a_strangers_may(plugin):
    private = [
        (module, name)
        for module, names in GRAPH.items()
        if _within(module, plugin)
        for name in names
        if name != "glossator" and not _within(name, plugin) and not any(_within(name, r) for r in PLUGIN_API)
    ]
    assert private == []


def test_plugins_do_not_know_each_other():
    others = {plugin: [other for other in PLUGINS if other != plugin] for plugin in PLUGINS}
    assert not [
        (module, name)
        for module, names in GRAPH.items()
        for name in names
        if any(_within(name, other) for other in others.get(module.partition(".")[0], ()))
    ]


@pytest.mark.parametrize("package", PUBLIC)
def test_every_exported_name_is_listed_and_documented(package):
    module = importlib.import_module(package)
    listed = {name: getattr(module, name) for name in module.__all__}
    defined = {name for name, value in vars(module).items() if getattr(value, "__module__", "") == package}
    assert {name for name in defined if not name.startswith("_")} - listed.keys() == set()
    described = {
        name: value for name, value in listed.items() if inspect.isclass(value) or inspect.isfunction(value)
    }
    assert [name for name, value in described.items() if not (value.__doc__ or "").strip()] == []


def test_contributing_lists_what_a_python_user_and_a_plugin_may_import():
    page = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = [f"glossator.{name}" for name in glossator.__all__ if not name.startswith("__")]
    assert [name for name in (*names, *PLUGIN_API) if f"`{name}`" not in page] == []


def test_files_stay_readable():
    lines = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in MODULES.items()}
    assert {module: count for module, count in lines.items() if count > 450} == {}


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
