"""Measure the structure of checkouts side by side: floors, circles, sizes, comments, repetition, tests.

The numbers come from the source text alone, by `ast` and `tokenize`: nothing is imported or run.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click
from import_graph import FLOORS, SOURCE_FOLDERS, ImportGraph, circles, floor_of, import_graph, upward_imports
from rich.console import Console
from rich.table import Table

KERAS_PLUGIN = "plugins/glossator_keras"
LONG_FUNCTION, RUN_LENGTH = 20, 6

Function = ast.FunctionDef | ast.AsyncFunctionDef

_DIRECTIVE = re.compile(r"#\s*(noqa|type:|pragma|mypy:|ruff:|!)")
_LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True)
class Source:
    """One Python file.

    Example:
        source = Source("engine/glossator/errors.py", "import enum\\n")
        source.code_lines  # {1}

    Attributes:
        name: Path relative to the root of the checkout.
        text: Content of the file.
    """

    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text, self.name)

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the file; line n is `lines[n - 1]`."""
        return self.text.splitlines()

    @cached_property
    def functions(self) -> list[Function]:
        """All functions and methods, nested ones too."""
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    @cached_property
    def tokens(self) -> list[tokenize.TokenInfo]:
        """The tokens of the file, comments included."""
        return list(tokenize.generate_tokens(io.StringIO(self.text).readline))

    @cached_property
    def code_lines(self) -> set[int]:
        """Numbers of the lines that are neither blank nor a comment nor part of a docstring."""
        lines = {
            number
            for token in self.tokens
            if token.type not in _LAYOUT
            for number in range(token.start[0], token.end[0] + 1)
            if self.lines[number - 1].strip()
        }
        return lines - {number for node in ast.walk(self.tree) for number in docstring_lines(node)}

    @cached_property
    def comments(self) -> int:
        """Number of comments, on lines of their own or behind code; directives to tools do not count."""
        return sum(
            token.type == tokenize.COMMENT and not _DIRECTIVE.match(token.string) for token in self.tokens
        )


def read_sources(root: Path, folder: str) -> list[Source]:
    """Read all Python files under a folder of a checkout, in the order of their paths."""
    return [
        Source(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted((root / folder).rglob("*.py"))
    ]


def docstring_lines(node: ast.AST) -> range:
    """Return the line numbers of a node's docstring; empty if it has none."""
    if isinstance(node, ast.Module | ast.ClassDef | Function) and ast.get_docstring(node) is not None:
        return range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    return range(0)


# Text


def widest_folder(sources: Sequence[Source]) -> tuple[int, str]:
    """Return the largest number of Python files directly in one folder, and the folder."""
    folders = Counter(Path(source.name).parent.as_posix() for source in sources)
    return max(((count, folder) for folder, count in folders.items()), default=(0, ""))


def largest_file(sources: Sequence[Source]) -> tuple[int, str]:
    """Return the lines of the largest file, and its path."""
    return max(((len(source.lines), source.name) for source in sources), default=(0, ""))


def function_length(function: Function) -> int:
    """Return the lines of a function from its `def` to its end, without the docstring."""
    return (function.end_lineno or 0) - function.lineno + 1 - len(docstring_lines(function))


def longest_function(sources: Sequence[Source]) -> tuple[int, str]:
    """Return the lines of the longest function without its docstring, and where it stands."""
    lengths = (
        (function_length(function), f"{source.name}:{function.name}")
        for source in sources
        for function in source.functions
    )
    return max(lengths, default=(0, ""))


def long_functions(sources: Sequence[Source]) -> tuple[int, int]:
    """Return how many functions of more than 20 lines have a blank line in their body, and how many exist."""
    parted = [
        has_blank_line(source, function)
        for source in sources
        for function in source.functions
        if function_length(function) > LONG_FUNCTION
    ]
    return sum(parted), len(parted)


def has_blank_line(source: Source, function: Function) -> bool:
    """Whether a blank line parts the steps of a function; docstrings and other strings do not count."""
    statements = function.body[1 if docstring_lines(function) else 0 :]
    if not statements:
        return False
    inside_strings = {
        number
        for node in ast.walk(function)
        if isinstance(node, ast.Constant | ast.JoinedStr)
        for number in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    body = range(statements[0].lineno, (function.end_lineno or 0) + 1)
    return any(number not in inside_strings and not source.lines[number - 1].strip() for number in body)


def comment_density(sources: Sequence[Source]) -> float:
    """Return the comments per 100 lines of code."""
    return _per_hundred(sum(source.comments for source in sources), sources)


def any_density(sources: Sequence[Source]) -> float:
    """Return the uses of the type `Any` per 100 lines of code."""
    uses = sum(
        isinstance(node, ast.Name) and node.id == "Any"
        for source in sources
        for node in ast.walk(source.tree)
    )
    return _per_hundred(uses, sources)


def repeated_runs(sources: Sequence[Source]) -> list[list[tuple[str, int]]]:
    """Return the runs of at least six equal lines: for each, the files and lines where it begins.

    Lines are compared without indentation; blank lines and imports are dropped. A longer run counts once.
    """
    texts = {source.name: _comparable_lines(source) for source in sources}
    starts_of: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for name, lines in texts.items():
        for start in range(len(lines) - RUN_LENGTH + 1):
            starts_of[tuple(text for _, text in lines[start : start + RUN_LENGTH])].append((name, start))

    return [
        [(name, texts[name][start][0]) for name, start in starts]
        for starts in starts_of.values()
        # Where the line before is the same everywhere, the window only continues a run.
        if len(starts) > 1 and len({_line_before(texts, *start) for start in starts}) > 1
    ]


def _line_before(texts: Mapping[str, list[tuple[int, str]]], name: str, start: int) -> str:
    return texts[name][start - 1][1] if start else f"beginning of {name}"


def _comparable_lines(source: Source) -> list[tuple[int, str]]:
    """Return the numbers and stripped texts of the lines that are neither blank nor imports."""
    imports = {
        number
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for number in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    numbered = enumerate(map(str.strip, source.lines), start=1)
    return [(number, text) for number, text in numbered if text and number not in imports]


def _per_hundred(count: int, sources: Sequence[Source]) -> float:
    lines = sum(len(source.code_lines) for source in sources)
    return 100 * count / lines if lines else 0.0


# Tests


@dataclass(frozen=True, slots=True)
class TestCounts:
    """What the tests of a checkout hold.

    Example:
        TestCounts(functions=1200, parametrized=230, checks=3100)

    Attributes:
        functions: Number of test functions in files named `test_*.py`.
        parametrized: How many of them are parametrized, and run several times.
        checks: Number of `assert` statements and of calls of `pytest.raises` and `pytest.warns`.
    """

    __test__ = False  # not a class of tests, whatever pytest makes of its name

    functions: int
    parametrized: int
    checks: int


def count_tests(sources: Sequence[Source]) -> TestCounts:
    """Count the tests in the files of a folder of tests; helpers hold checks, too."""
    tests = [
        function
        for source in sources
        if Path(source.name).name.startswith("test_")
        for function in source.functions
        if function.name.startswith("test_")
    ]
    checks = sum(_is_check(node) for source in sources for node in ast.walk(source.tree))
    return TestCounts(len(tests), sum(map(_is_parametrized, tests)), checks)


def _is_parametrized(function: Function) -> bool:
    return any("parametrize" in ast.unparse(decorator) for decorator in function.decorator_list)


def _is_check(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ("pytest.raises", "pytest.warns")
    return isinstance(node, ast.Assert)


# The table


def measure(root: Path, floors: Mapping[str, int] = FLOORS) -> dict[str, str]:
    """Return all measures of a checkout, by name, as text."""
    sources = [source for folder in SOURCE_FOLDERS for source in read_sources(root, folder)]
    parted, long = long_functions(sources)
    tests = count_tests(read_sources(root, "tests"))
    return {
        "Python files": f"{len(sources)}",
        "files in the widest folder": "{} ({})".format(*widest_folder(sources)),
        **measure_imports(import_graph(root), floors),
        "largest file": "{} lines ({})".format(*largest_file(sources)),
        "longest function": "{} lines ({})".format(*longest_function(sources)),
        "comments per 100 lines of code": f"{comment_density(sources):.1f}",
        f"functions of more than {LONG_FUNCTION} lines with a blank line": (
            f"{parted} of {long} ({parted / max(long, 1):.0%})"
        ),
        "Any per 100 lines of the Keras plugin": f"{any_density(read_sources(root, KERAS_PLUGIN)):.1f}",
        f"repeated runs of {RUN_LENGTH} lines": f"{len(repeated_runs(sources))}",
        "test functions": f"{tests.functions} ({tests.parametrized} parametrized)",
        "checks in tests": f"{tests.checks}",
    }


def measure_imports(graph: ImportGraph, floors: Mapping[str, int]) -> dict[str, str]:
    """Return the measures of an import graph, by name, as text."""
    engine = [floor_of(module, floors) for module in graph if module.partition(".")[0] == "glossator"]
    per_floor = Counter(floor for floor in engine if floor is not None)
    circle_sizes = [len(circle) for circle in circles(graph)]
    return {
        "floors that hold a file": f"{len(per_floor)} of {len(set(floors.values()))}",
        "engine files per floor": " ".join(
            f"{floor}:{per_floor[floor]}" for floor in sorted(per_floor)[::-1]
        ),
        "engine files without a floor": f"{engine.count(None)} of {len(engine)}",
        "imports that run upwards": f"{len(upward_imports(graph, floors))}",
        "import circles": f"{len(circle_sizes)}",
        "modules in circles": f"{sum(circle_sizes)}",
    }


def read_floors(file: Path) -> dict[str, int]:
    """Read the floors of further modules and rooms from TOML: `"glossator.store" = 4`.

    Raises:
        click.UsageError: A value is not a whole number.
    """
    floors = tomllib.loads(file.read_text(encoding="utf-8"))
    for name, floor in floors.items():
        if not isinstance(floor, int):
            example = 'write "glossator.store" = 4, in quotes'
            raise click.UsageError(f"{file}: the floor of {name} is not a whole number: {example}")
    return floors


@click.command()
@click.argument(
    "roots", nargs=-1, type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="[ROOT]..."
)
@click.option(
    "--floors",
    "floors_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="TOML file with the floors of modules that lie elsewhere in an older checkout.",
)
def main(roots: tuple[Path, ...], floors_file: Path | None) -> None:
    """Measure the checkouts at ROOT..., by default the current folder, one column each."""
    floors = FLOORS | (read_floors(floors_file) if floors_file else {})
    checkouts = roots or (Path(),)
    columns = [measure(root, floors) for root in checkouts]

    table = Table("measure")
    for root in checkouts:
        table.add_column(f"{root.resolve()}", overflow="fold")
    for name in columns[0]:
        table.add_row(name, *(column[name] for column in columns))
    Console().print(table)


if __name__ == "__main__":
    main()
