"""Folders of vectors: copied, replaced, shared, damaged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from toy_vectors import doc_of, prepared

from glossator.errors import PipelineError
from glossator_vectors.embedders.static import StaticVectors
from glossator_vectors.files.importing import import_vectors


def test_saving_costs_no_second_copy_where_files_can_be_linked(folder, tmp_path):
    stage = prepared(folder)
    (tmp_path / "own").mkdir()
    stage.to_disk(tmp_path / "own")
    assert {file.name for file in (tmp_path / "own").iterdir()} == {file.name for file in folder.iterdir()}
    for file in folder.iterdir():
        assert (tmp_path / "own" / file.name).read_bytes() == file.read_bytes()


def test_importing_again_leaves_saved_copies_alone(tmp_path):
    file = tmp_path / "file.txt"
    for value in (1, 2):
        file.write_text(f"mill {value} {value}\nbrook 5 5\n")
        import_vectors(file, tmp_path / "table")
        if value == 1:
            stage, late = prepared(tmp_path / "table"), prepared(tmp_path / "table")
            assert stage.embed([doc_of("mill")])[0].tolist() == [[1, 1]]
            (tmp_path / "own").mkdir()
            stage.to_disk(tmp_path / "own")
    kept = StaticVectors(path="table")
    kept.from_disk(tmp_path / "own")
    assert kept.embed([doc_of("mill")])[0].tolist() == [[1, 1]]
    assert stage.embed([doc_of("mill")])[0].tolist() == [[1, 1]]
    assert late.embed([doc_of("mill")])[0].tolist() == [[1, 1]]
    with pytest.raises(PipelineError, match="replaced"):
        stage.to_disk(tmp_path / "own")
    assert prepared(tmp_path / "table").embed([doc_of("mill")])[0].tolist() == [[2, 2]]


def test_stages_of_one_folder_share_one_table(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    one, two = prepared(folder), prepared(tmp_path / "link")
    assert one.table is two.table


def test_vectors_that_were_replaced_before_they_were_read_are_an_error(tmp_path):
    file = tmp_path / "file.txt"
    file.write_text("mill 1 1\n")
    import_vectors(file, tmp_path / "table")
    stage = prepared(tmp_path / "table")
    file.write_text("mill 2 2\n")
    import_vectors(file, tmp_path / "table")
    with pytest.raises(PipelineError, match="replaced"):
        stage.embed([doc_of("mill")])


def test_nothing_but_the_facts_is_read_before_it_is_needed(folder):
    code = f"""
import sys
from pathlib import Path
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from glossator_vectors.embedders.static import StaticVectors
stage = StaticVectors(path="x")
stage.from_disk(Path({str(folder)!r}))
stage.width
print([Path(name).name for name in opened if name.startswith({str(folder)!r})])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['vectors.json']"


@pytest.mark.parametrize("name", ["vectors.json", "table.npy", "keys.npy", "rows.npy", "words.txt"])
def test_damage_names_the_file_and_the_remedy(folder, tmp_path, name):
    for damage in (lambda file: file.unlink(), lambda file: file.write_bytes(file.read_bytes()[:-3])):
        broken = tmp_path / "broken"
        shutil.copytree(folder, broken)
        damage(broken / name)
        with pytest.raises(PipelineError, match=f"{name}.*glossator vectors"):
            prepared(broken)
        shutil.rmtree(broken)


def test_a_table_of_another_shape_is_refused(folder, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    metadata = json.loads((broken / "vectors.json").read_text())
    (broken / "vectors.json").write_text(json.dumps({**metadata, "width": 3}))
    with pytest.raises(PipelineError, match=r"table\.npy"):
        prepared(broken).embed([doc_of("mill")])
