"""The imports between the modules of a checkout: circles, and imports from a lower floor to a higher one."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

SOURCE_FOLDERS = ("engine", "plugins")

# Floor of each module or room of the engine; a room imports lower floors only. `glossator` is the package's
# __init__ alone.
FLOORS = {
    "glossator.cli": 8,
    "glossator": 7,
    "glossator.commands": 7,
    "glossator.training": 6,
    "glossator.spacy_component": 6,
    "glossator.evaluation": 5,
    "glossator.jobs": 5,
    "glossator.testing": 5,
    "glossator.pipeline": 4,
    "glossator.data": 4,
    "glossator.builtin": 4,
    "glossator.formats": 3,
    "glossator.config": 3,
    "glossator.annotations": 2,
    "glossator.ml": 2,
    "glossator.plugins": 2,
    "glossator.hookspecs": 1,
    "glossator.stages": 1,
    "glossator.errors": 1,
    "glossator.about": 1,
    "glossator.util": 1,
}

ImportGraph = Mapping[str, set[str]]


def import_graph(root: Path) -> dict[str, set[str]]:
    """Return the modules of engine/ and plugins/, and the modules of the same checkout that each imports.

    Imports behind `TYPE_CHECKING` and inside functions count; modules named in strings do not, nor do the
    packages around a module, which Python imports by itself.
    """
    files = {
        module_name(path.relative_to(root / folder)): path
        for folder in SOURCE_FOLDERS
        for path in sorted((root / folder).rglob("*.py"))
    }
    return {
        module: {name for name in _imported(path, module, files) if name != module}
        for module, path in files.items()
    }


def module_name(path: Path) -> str:
    """Return the dotted name of a module from its path relative to the folder that packages lie in."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def circles(graph: ImportGraph) -> list[set[str]]:
    """Return the import circles, the largest first: modules that all reach each other by imports."""
    reachable = {module: _reachable(graph, module) for module in graph}
    result: list[set[str]] = []
    for module in graph:
        circle = {other for other in reachable[module] if module in reachable[other]}
        if len(circle) > 1 and circle not in result:
            result.append(circle)
    return sorted(result, key=len, reverse=True)


def upward_imports(graph: ImportGraph, floors: Mapping[str, int] = FLOORS) -> list[tuple[str, str]]:
    """Return the (importer, imported) pairs in which the imported module lies on a higher floor.

    Args:
        graph: The modules and their imports.
        floors: Floor of each module or room; modules without a floor are ignored.
    """
    return [
        (module, name)
        for module, names in sorted(graph.items())
        for name in sorted(names)
        if 0 < (floor_of(module, floors) or 0) < (floor_of(name, floors) or 0)
    ]


def floor_of(module: str, floors: Mapping[str, int]) -> int | None:
    """Return the floor of a module or of the innermost room around it, or None if it has no floor."""
    prefix = module
    while "." in prefix and prefix not in floors:
        prefix = prefix.rpartition(".")[0]
    # A top-level package is one module, its __init__: it is not a room around all others.
    return floors.get(prefix) if "." in prefix or prefix == module else None


def _imported(file: Path, module: str, modules: Collection[str]) -> Iterator[str]:
    """Yield the modules of the checkout that a file imports."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(node, package)
            targets = (_target(origin, alias.name, modules) for alias in node.names)
            yield from (target for target in targets if target is not None)


def _origin(node: ast.ImportFrom, package: str) -> str:
    """Return the full name of the module that names are imported from."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])


def _target(origin: str, name: str, modules: Collection[str]) -> str | None:
    """Return the module behind `from origin import name`, or None if it is not in the checkout."""
    if name.startswith("__") and f"{origin}.about" in modules:
        return f"{origin}.about"  # the package only passes on __version__ and its like
    return next((target for target in (f"{origin}.{name}", origin) if target in modules), None)


def _reachable(graph: ImportGraph, module: str) -> set[str]:
    """Return the modules that a module imports, directly or through others."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        new = graph[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen
