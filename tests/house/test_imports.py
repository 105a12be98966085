from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_graph import FLOORS

import glossator

ROOT = Path(glossator.__file__).parent
MODULES = {
    ".".join(("glossator", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
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
    "glossator.builtin",
    "glossator.cli",
    "glossator.commands",
    "glossator.commands.options",
    "glossator.commands.reading",
    "glossator.commands.settings",
    "glossator.config.sections",
    "glossator.errors",
    "glossator.plugins.building",
    "glossator.hookspecs",
    "glossator.plugins.manager",
    "glossator.stages",
    "glossator.util.messages",
)


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
        elif everywhere or not _is_put_off(child):
            yield from _imports(child, everywhere)


def _is_put_off(node: ast.AST) -> bool:
    """Whether what stands in a node does not run at import: functions, and `if TYPE_CHECKING`."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return True
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def loaded_by(code: str) -> set[str]:
    """Run code in a fresh interpreter and return the top names of all modules it loaded."""
    report = "\nimport sys; print('\\n' + ' '.join({name.partition('.')[0] for name in sys.modules}))"
    result = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


def test_import_glossator_is_light():
    assert not loaded_by("import glossator; dir(glossator); glossator.Stage") & HEAVY


def test_what_commands_import_is_light():
    assert not loaded_by("from glossator.commands import *") & HEAVY


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
    assert all(hasattr(glossator, name) for name in glossator.__all__)
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


@pytest.mark.parametrize(
    ("importers", "forbidden"),
    [
        # what a part of the engine (a prefix of module names) must not know about
        ("glossator", ("glossator_keras", "glossator_vectors", "glossator_en")),
        (
            "glossator.formats",
            (
                "glossator.pipeline.pipeline",
                "glossator.training.trainer",
                "glossator.pipeline.folder",
                "glossator.pipeline.batch",
            ),
        ),
        (
            "glossator.builtin",
            (
                "glossator.pipeline.pipeline",
                "glossator.training.trainer",
                "glossator.pipeline.folder",
                "glossator.data.source",
            ),
        ),
        ("glossator.stages", ("glossator.pipeline.pipeline", "glossator.builtin", "glossator.formats")),
        (
            "glossator.annotations.gold",
            ("glossator.pipeline.pipeline", "glossator.annotations.write", "glossator.formats"),
        ),
        (
            "glossator.pipeline.batch",
            ("glossator.annotations.write", "glossator.pipeline.pipeline", "glossator.pipeline.folder"),
        ),
        (
            "glossator.annotations.write",
            ("glossator.pipeline.batch", "glossator.pipeline.pipeline", "glossator.pipeline.folder"),
        ),
        (
            "glossator.pipeline.pipeline",
            (
                "glossator.training.trainer",
                "glossator.evaluation.evaluate",
                "glossator.data.source",
                "glossator.jobs.record_stream",
            ),
        ),
        (
            "glossator.pipeline.folder",
            (
                "glossator.training.trainer",
                "glossator.evaluation.evaluate",
                "glossator.data.source",
                "glossator.jobs.record_stream",
            ),
        ),
        ("glossator.errors", ("glossator",)),
    ],
)
def test_imports_point_one_way(importers, forbidden):
    wrong = {
        (module, name)
        for module, path in MODULES.items()
        if _within(module, importers)
        for name in imports(path)
        if any(_within(name, target) for target in forbidden)
    }
    assert not wrong


def test_only_the_command_line_imports_the_command_line():
    wrong = {
        module
        for module, path in MODULES.items()
        if not _within(module, "glossator.cli") and any(_within(n, "glossator.cli") for n in imports(path))
    }
    assert not wrong


def test_our_own_plugins_import_what_any_plugin_may_import():
    public = {f"glossator.{name}" for name in glossator.__all__} | {"glossator"}
    rooms = {room for room, floor in FLOORS.items() if floor <= 2}
    rooms |= {"glossator.formats", "glossator.testing", "glossator.commands"}
    plugins = list(ROOT.parents[1].joinpath("plugins").rglob("*.py"))
    wrong = {
        (path.name, name)
        for path in plugins
        for name in imports(path)
        if _within(name, "glossator") and name not in public and not any(_within(name, r) for r in rooms)
    }
    assert len(plugins) > 40
    assert not wrong


def test_no_module_needs_itself_to_be_imported():
    """Follow imports that run at import: a circle would break whoever begins at the wrong end."""
    # A package that a module lies in is under way already when the module is imported.
    needs = {
        module: {n for n in imports(path, everywhere=False) if n in MODULES and not _within(module, n)}
        for module, path in MODULES.items()
    }

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail, module])
        if module not in done:
            for name in sorted(needs[module]):
                visit(name, (*trail, module))
            done.add(module)

    done: set[str] = set()
    for module in MODULES:
        visit(module, ())


def test_files_stay_readable():
    assert {
        m: n for m, p in MODULES.items() if (n := len(p.read_text(encoding="utf-8").splitlines())) > 450
    } == {}


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
