"""The measures of a checkout's structure, each on a small made-up one."""

from __future__ import annotations

import textwrap

import click
import house
import pytest
from click.testing import CliRunner
from house import Source
from import_graph import FLOORS, circles, floor_of, import_graph, upward_imports

FILES = {
    "engine/glossator/__init__.py": """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from glossator.pipeline.pipeline import Pipeline
        from glossator.about import __version__
        """,
    "engine/glossator/about.py": '__version__ = "1"\n',
    "engine/glossator/errors.py": '"""Errors."""\n',
    "engine/glossator/pipeline/__init__.py": "",
    "engine/glossator/pipeline/pipeline.py": """
        import json
        from glossator.pipeline import golden

        def train():
            from glossator.training.loop import fit
        """,
    "engine/glossator/pipeline/golden.py": """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from . import pipeline
        """,
    "engine/glossator/pipeline/folder.py": """
        import glossator.errors
        from glossator import __version__, hookimpl
        """,
    "engine/glossator/training/__init__.py": "",
    "engine/glossator/training/loop.py": "from glossator.errors import GlossatorError\n",
    "engine/glossator/old.py": "from glossator.training import loop\n",
    "plugins/glossator_keras/__init__.py": """
        from typing import Any
        import glossator.errors

        def network(values: Any) -> list[Any]:
            return values  # as they are
        """,
    "tests/test_pipeline.py": """
        import pytest

        def check(value):
            assert value

        @pytest.mark.parametrize("value", [1, 2])
        def test_values(value):
            check(value)
            with pytest.raises(ValueError):
                int("x")

        class TestMore:
            def test_nothing(self):
                assert True
        """,
    "tests/support.py": "def test_helper():\n    assert True\n",
}


def source(text):
    return Source("engine/one.py", textwrap.dedent(text).lstrip())


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkout")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
    return root


def test_every_import_of_the_checkout_is_in_the_graph(root):
    graph = import_graph(root)
    assert len(graph) == 11
    assert graph["glossator"] == {"glossator.pipeline.pipeline", "glossator.about"}
    assert graph["glossator.pipeline.pipeline"] == {"glossator.pipeline.golden", "glossator.training.loop"}
    assert graph["glossator.pipeline.golden"] == {"glossator.pipeline.pipeline"}
    # the version comes from about; any other name is one of the package's __init__
    assert graph["glossator.pipeline.folder"] == {"glossator.errors", "glossator.about", "glossator"}
    assert graph["glossator_keras"] == {"glossator.errors"}
    # what Python imports around a module is no import of the module's
    assert graph["glossator.training.loop"] == {"glossator.errors"}


def test_circles_are_followed_through_type_checking(root):
    assert circles(import_graph(root)) == [{"glossator.pipeline.pipeline", "glossator.pipeline.golden"}]


def test_circles_are_the_strongly_connected_components():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}, "g": set()}
    assert circles(graph) == [{"a", "b", "c"}, {"d", "e"}]


def test_imports_from_a_lower_floor_to_a_higher_one(root):
    assert upward_imports(import_graph(root)) == [
        ("glossator.pipeline.folder", "glossator"),
        ("glossator.pipeline.pipeline", "glossator.training.loop"),
    ]
    floors = FLOORS | {"glossator.old": 3}
    assert ("glossator.old", "glossator.training.loop") in upward_imports(import_graph(root), floors)


@pytest.mark.parametrize(
    ("module", "floor"),
    [
        ("glossator", 7),
        ("glossator.pipeline", 4),
        ("glossator.pipeline.golden", 4),
        ("glossator.formats.shared.blocks", 3),
        ("glossator.pipelines", None),
        ("glossator_keras.crf", None),
    ],
)
def test_the_floor_of_a_module_is_that_of_its_room(module, floor):
    assert floor_of(module, FLOORS) == floor


def test_folders_and_files(root):
    sources = [each for folder in ("engine", "plugins") for each in house.read_sources(root, folder)]
    assert house.widest_folder(sources) == (4, "engine/glossator/pipeline")
    assert house.largest_file(sources) == (5, "plugins/glossator_keras/__init__.py")
    assert house.widest_folder([]) == house.largest_file([]) == (0, "")


def test_comments_and_lines_of_code():
    one = source('''
        """What it is.

        In two lines.
        """
        # a reason
        x = 1  # another
        y = """a

        b"""  # noqa: E501

        def f():
            "Documented."
            return "# no comment"
        ''')
    assert one.code_lines == {6, 7, 9, 11, 13}
    assert one.comments == 2
    assert house.comment_density([one]) == 40
    assert house.comment_density([]) == 0


def lines_of(count):
    return "".join(f"    x{i} = {i}\n" for i in range(count))


def test_functions_are_measured_without_their_docstrings():
    documented = source(f'def f():\n    """One.\n\n    Two.\n    """\n{lines_of(20)}')
    assert house.longest_function([documented]) == (21, "engine/one.py:f")
    assert house.long_functions([documented]) == (0, 1)
    assert house.long_functions([source(f"def f():\n{lines_of(19)}")]) == (0, 0)


@pytest.mark.parametrize(
    ("middle", "parted"),
    [
        ("\n", 1),
        ("", 0),
        ('    y = """\n\n    """\n', 0),
        ("    def g():\n        pass\n\n    z = 1\n", 1),
    ],
)
def test_a_blank_line_parts_the_steps_of_a_function(middle, parted):
    text = f"def f():\n{lines_of(15)}{middle}{lines_of(15)}\n\ndef after():\n    pass\n"
    assert house.long_functions([source(text)]) == (parted, 1)


def test_uses_of_any(root):
    assert house.any_density(house.read_sources(root, house.KERAS_PLUGIN)) == 50


def test_a_repeated_run_counts_once_however_long_it_is():
    run = "\n".join(f"step({i})" for i in range(9))
    one = Source("a.py", f"import os\n{run}\nend_of_a()\n")
    two = Source("b.py", f"def f():\n{textwrap.indent(run, '    ')}\n")
    assert house.repeated_runs([one, two]) == [[("a.py", 2), ("b.py", 2)]]
    # a part of it that a third file repeats is a second run
    three = Source("c.py", "\n\n".join(f"step({i})" for i in range(2, 8)))
    assert len(house.repeated_runs([one, two, three])) == 2


def test_five_equal_lines_and_equal_imports_are_no_run():
    five = "\n".join(f"step({i})" for i in range(5))
    imports = "\n".join(f"import module{i}" for i in range(8))
    files = [Source(name, f"{imports}\n{five}\nend_of_{name[0]}()\n") for name in ("a.py", "b.py")]
    assert house.repeated_runs(files) == []


def test_tests_and_checks_are_counted(root):
    counts = house.count_tests(house.read_sources(root, "tests"))
    assert (counts.functions, counts.parametrized, counts.checks) == (2, 1, 4)


def test_the_table_has_one_column_per_checkout(root, tmp_path):
    (tmp_path / "floors.toml").write_text('"glossator.old" = 3\n')
    measures = house.measure(root, FLOORS | house.read_floors(tmp_path / "floors.toml"))
    assert measures["imports that run upwards"] == "3"
    assert measures["modules in circles"] == "2"
    assert measures["engine files per floor"] == "7:1 6:2 4:4 3:1 1:2"
    assert measures["engine files without a floor"] == "0 of 10"

    result = CliRunner().invoke(
        house.main, [f"{root}", f"{root}", "--floors", f"{tmp_path / 'floors.toml'}"], env={"COLUMNS": "250"}
    )
    assert result.exit_code == 0, result.output
    [row] = [line for line in result.output.splitlines() if "test functions" in line]
    assert row.count("2 (1 parametrized)") == 2


def test_a_floor_is_a_whole_number(tmp_path):
    (tmp_path / "floors.toml").write_text("glossator.store = 4\n")
    with pytest.raises(click.UsageError, match=r'write "glossator\.store" = 4'):
        house.read_floors(tmp_path / "floors.toml")
