"""Texts whose one label stands before them, or in the name of their file or folder; CLINC's JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glossator.config.schema import DataConfig
from glossator.data.files import read_files
from glossator.data.source import DataSource
from glossator.errors import DataError, UsageError
from glossator.formats.clinc import Clinc
from glossator.formats.labelled_text import ClassFiles, ClassFolders, LabelledLines
from glossator.formats.record import Record
from glossator.plugins.manager import PluginManager


@pytest.fixture(scope="module")
def plugins() -> PluginManager:
    return PluginManager(allow=())


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(file_format, path: Path, encoding: str = "utf-8") -> list[Record | DataError]:
    return list(file_format.read(path, name=path.name, encoding=encoding))


def test_labelled_lines(tmp_path):
    path = written(
        tmp_path / "a",
        b"calm\tOn we go.\r\n\r\nwild\tA\tstorm!\nno tab\n\tno label\n \tno\ncalm\t\xff\nwild\tOh\n",
    )
    items = read(LabelledLines(), path)
    records = [item for item in items if isinstance(item, Record)]
    assert [(r.text, r.cats, r.line) for r in records] == [
        ("On we go.", {"calm": 1.0}, 1),
        ("A\tstorm!", {"wild": 1.0}, 3),
        ("Oh", {"wild": 1.0}, 8),
    ]
    assert [item.line for item in items if isinstance(item, DataError)] == [4, 5, 6, 7]


def test_class_files(tmp_path):
    path = written(tmp_path / "tone.up", "Café!\n\nOh\x81\nFine.\n".encode("latin-1"))
    classes = {"tone.down": "sad", "tone.up": "glad", "more.up": "glad"}
    first, error, last = read(ClassFiles(classes), path, "cp1252")
    assert (first.text, first.cats, first.line) == ("Café!", {"sad": 0.0, "glad": 1.0}, 1)
    assert (error.line, last.line) == (3, 4)
    assert first.cats is not last.cats
    assert read(ClassFiles(), path, "cp1252")[0].cats == {"tone": 1.0}


def test_a_file_of_no_class(tmp_path):
    (error,) = read(ClassFiles({"up": "glad"}), written(tmp_path / "down", "a\nb\n"))
    assert "down: has no class" in str(error)


def test_class_folders(tmp_path, monkeypatch):
    path = written(tmp_path / "glad" / "1.txt", "Sun.\nMore sun.\n")
    (record,) = read(ClassFolders(), path)
    assert (record.text, record.cats) == ("Sun.\nMore sun.\n", {"glad": 1.0})
    assert read(ClassFolders("sad, glad"), path)[0].cats == {"sad": 0.0, "glad": 1.0}
    assert read(ClassFolders(["sad"]), path) == []
    monkeypatch.chdir(path.parent)
    assert read(ClassFolders(), Path("1.txt"))[0].cats == {"glad": 1.0}


@pytest.fixture
def folders(tmp_path) -> Path:
    for name in (
        "train/sad/2.txt",
        "train/sad/1.txt",
        "train/glad/1.txt",
        "train/notes.txt",
        "train/.x/1.txt",
    ):
        written(tmp_path / name, f"This is {name}.")
    return tmp_path


def source(folder: Path, plugins: PluginManager, **options) -> DataSource:
    config = DataConfig(train="train", format="class-folders", options=options)
    return DataSource(config, folder, None, plugins)


def test_a_folder_stands_for_the_files_below_it(folders, plugins):
    records = list(source(folders, plugins, classes=["glad", "sad"]).records("train"))
    assert [record.text.split("/", 1)[1] for record in records] == ["glad/1.txt.", "sad/1.txt.", "sad/2.txt."]
    assert [record.cats["sad"] for record in records] == [0.0, 1.0, 1.0]
    everything = read_files([folders / "train"], "", {}, "utf-8", plugins)
    assert len(list(everything)) == 4
    with pytest.raises(UsageError, match=r"has no file ending in \.jsonl"):
        read_files([folders / "train"], "jsonl", {}, "utf-8", plugins)


def test_the_sum_of_a_folder_tells_any_change(folders, plugins):
    data = source(folders, plugins)
    sums = [data.checksums("train")]
    assert list(sums[0]) == ["train"]
    written(folders / "train/.x/1.txt", "Hidden files do not count.")
    assert data.checksums("train") == sums[0]
    written(folders / "train/sad/1.txt", "Rain.")
    sums.append(data.checksums("train"))
    (folders / "train/sad/1.txt").rename(folders / "train/glad/3.txt")
    sums.append(data.checksums("train"))
    (folders / "train/glad/3.txt").unlink()
    sums.append(data.checksums("train"))
    assert len({found["train"] for found in sums}) == 4


CLINC = {
    "val": [["how warm is it", "weather"]],
    "train": [["will it rain", "weather"], ["wake me at six", "alarm"]],
    "oos_train": [["who built this bridge", "oos"]],
}


def test_clinc(tmp_path):
    path = written(tmp_path / "a.json", json.dumps(CLINC))
    found = read(Clinc(["train", "oos_train"]), path)
    assert [(r.text, r.cats, r.fields["list"]) for r in found] == [
        ("will it rain", {"weather": 1.0}, "train"),
        ("wake me at six", {"alarm": 1.0}, "train"),
        ("who built this bridge", {"oos": 1.0}, "oos_train"),
    ]
    assert [r.text for r in read(Clinc("val"), path)] == ["how warm is it"]
    assert len(read(Clinc(), path)) == 4


def test_clinc_items_that_are_wrong_cost_themselves_alone(tmp_path):
    path = written(
        tmp_path / "a.json", json.dumps({"val": [["a", "x"], ["b"], ["c", 3], "de", ["f", ""], ["g", "y"]]})
    )
    items = read(Clinc(["val", "test"]), path)
    assert [item.text for item in items if isinstance(item, Record)] == ["a", "g"]
    messages = [str(item) for item in items if isinstance(item, DataError)]
    assert [message.split(" ")[2] for message in messages[:-1]] == ["2", "3", "4", "5"]
    assert "has no list 'test'; it has: val" in messages[-1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{\n]", "a.json:2: is not JSON"),
        ("[]", "a.json: is not a JSON object"),
        ("[" * 100_000, "nested too deeply"),
        (b"{\xff}", "0xff"),
    ],
)
def test_what_is_no_clinc_file_is_one_error(tmp_path, content, message):
    (error,) = read(Clinc(), written(tmp_path / "a.json", content))
    assert message in str(error)
