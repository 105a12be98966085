"""Where a run over files writes, and how far the journal says it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glossator.errors import PipelineError, UsageError
from glossator.jobs.record_stream import Tally
from glossator.jobs.resumable_output import Output, output_at, run_fingerprint

FACTS = {"pipeline": "p", "inputs": [["a", "1"]], "options": {"to": ""}}


def cut_off(folder: Path, text: str = "one\ntwo\n", more: str = "three, cut o") -> Output:
    """Return an output whose run was cut off after two documents and a bit."""
    output = Output(folder / "out.jsonl")
    output.part.write_text(text)
    output.checkpoint(FACTS, Tally(read=3, written=2, words=20, failed=1, seconds=1.5))
    with output.part.open("a") as file:
        file.write(more)
    return output


@pytest.mark.parametrize(
    ("name", "part"),
    [("out.jsonl", "out.part.jsonl"), ("out", "out.part"), ("a.b.spacy", "a.b.part.spacy")],
)
def test_names(tmp_path, name, part):
    output = Output(tmp_path / name)
    assert output.part == tmp_path / part
    assert output.journal == tmp_path / f"{name}.journal"


def test_a_run_starts_at_the_start(tmp_path):
    output = Output(tmp_path / "out.jsonl")
    assert output.open(FACTS, resume=False) == output.open(FACTS, resume=True) == Tally()


@settings(max_examples=30, deadline=None)
@given(text=st.text("ab\n", max_size=40), more=st.text("ab\n", max_size=40))
def test_what_came_after_the_checkpoint_is_cut_off(tmp_path_factory, text, more):
    output = cut_off(tmp_path_factory.mktemp("cut"), text, more)
    tally = output.open(FACTS, resume=True)
    assert tally == Tally(read=3, written=2, words=20, failed=1, seconds=1.5)
    assert output.part.read_text() == text


def test_without_resume_everything_unfinished_is_discarded(tmp_path):
    output = cut_off(tmp_path)
    assert output.open(FACTS, resume=False) == Tally()
    assert list(tmp_path.iterdir()) == [output.journal]
    output.discard()
    folder = Output(tmp_path / "out")
    folder.part.mkdir()
    (folder.part / "part-00001.spacy").write_bytes(b"x")
    folder.checkpoint(FACTS, Tally(read=1))
    assert folder.open(FACTS, resume=False) == Tally()
    assert list(tmp_path.iterdir()) == [folder.journal]


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("name", ["out.part.jsonl", "out.part.jsonl/", "out.jsonl.journal"])
def test_what_no_run_has_left_is_never_removed(tmp_path, name, resume):
    own = tmp_path / name
    if name.endswith("/"):
        own.mkdir()
        own = own / "chapter.txt"
    own.write_text('{"text": "precious"}')
    resume = resume and not name.endswith("journal")
    with pytest.raises(UsageError, match=r"is in the way, .*: move it, or name another output"):
        Output(tmp_path / "out.jsonl").open(FACTS, resume=resume)
    assert own.read_text() == '{"text": "precious"}'


def test_a_run_killed_before_it_has_kept_anything_starts_anew(tmp_path):
    output = Output(tmp_path / "out.jsonl")
    output.open(FACTS, resume=False)
    output.part.write_text("half a do")
    assert output.open(FACTS, resume=True) == Tally()
    assert output.part.read_text() == ""
    output.part.write_text("half a do")
    assert output.open(FACTS, resume=False) == Tally()
    assert not output.part.exists()


def test_a_link_and_the_folder_one_is_in_are_what_they_stand_for(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    assert output_at(tmp_path / "link").path == tmp_path / "there"
    monkeypatch.chdir(tmp_path / "there")
    assert output_at(Path()).path == tmp_path / "there"
    assert output_at(Path("out.jsonl")).path == Path("out.jsonl")


def test_a_folder_does_not_replace_a_file(tmp_path):
    output = Output(tmp_path / "out")
    output.path.write_text("Mine.")
    output.part.mkdir()
    with pytest.raises(UsageError, match="is a file, but the format writes a folder"):
        output.check_kind()


@pytest.mark.parametrize("changed", [["pipeline"], ["inputs"], ["options"], ["pipeline", "inputs"]])
def test_another_run_is_not_gone_on_with(tmp_path, changed):
    output = cut_off(tmp_path)
    before = output.part.read_bytes()
    facts = FACTS | dict.fromkeys(changed, "other")
    with pytest.raises(PipelineError, match=f"other {' and '.join(changed)}: undo the change"):
        output.open(facts, resume=True)
    assert output.part.read_bytes() == before


def test_a_folder_goes_back_to_the_shards_of_the_checkpoint(tmp_path):
    output = Output(tmp_path / "out")
    output.part.mkdir()
    for number in (1, 2):
        (output.part / f"part-0000{number}.spacy").write_bytes(b"whole")
    output.checkpoint(FACTS, Tally(read=2))
    (output.part / "part-00003.spacy").write_bytes(b"after")
    (output.part / "part-00004.spacy.tmp").write_bytes(b"half")
    assert output.open(FACTS, resume=True).read == 2
    assert sorted(path.name for path in output.part.iterdir()) == ["part-00001.spacy", "part-00002.spacy"]
    output.finish()
    assert len(list(output.path.iterdir())) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"run": {}}', '{"run": [], "position": 1, "tally": {}}']
)
def test_a_damaged_journal_is_named(tmp_path, content):
    output = cut_off(tmp_path)
    output.journal.write_text(content)
    with pytest.raises(PipelineError, match="is damaged, remove it and"):
        output.open(FACTS, resume=True)


def test_an_unfinished_output_that_is_gone_or_short_is_not_made_up(tmp_path):
    output = cut_off(tmp_path, more="")
    output.part.write_text("one\n")
    with pytest.raises(PipelineError, match="is missing or shorter than"):
        output.open(FACTS, resume=True)
    assert output.part.read_text() == "one\n"
    output.part.unlink()
    with pytest.raises(PipelineError, match="is missing or shorter than"):
        output.open(FACTS, resume=True)


def test_a_format_that_writes_at_the_end_has_no_checkpoint(tmp_path):
    output = Output(tmp_path / "out.spacy")
    output.checkpoint(FACTS, Tally(read=5))
    assert not output.journal.exists()


def test_finishing_replaces_and_cleans_up(tmp_path):
    (tmp_path / "out.jsonl").write_text("old")
    output = cut_off(tmp_path, more="")
    output.finish()
    assert (tmp_path / "out.jsonl").read_text() == "one\ntwo\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
    (tmp_path / "out").mkdir()
    folder = Output(tmp_path / "out")
    folder.part.mkdir()
    (folder.part / "x").write_text("")
    folder.finish()
    assert (tmp_path / "out" / "x").exists()


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("precious")
    with pytest.raises(UsageError, match="exists and is not empty"):
        Output(tmp_path / "thesis").open(FACTS, resume=False)


def test_facts_change_with_what_matters(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("one")
    facts = run_fingerprint("p", [file], {"to": "jsonl"})
    assert facts == json.loads(json.dumps(facts))
    assert run_fingerprint("q", [file], {"to": "jsonl"}) != facts
    assert run_fingerprint("p", [file, file], {"to": "jsonl"}) != facts
    file.write_text("two")
    assert run_fingerprint("p", [file], {"to": "jsonl"}) != facts
    # reading reports those; here they only need to be told apart from files that are there
    assert run_fingerprint("p", [Path("-"), tmp_path / "gone"], {})["inputs"] == [
        ["-", ""],
        [str(tmp_path / "gone"), ""],
    ]


def test_what_a_run_leaves_in_an_input_folder_is_known(tmp_path):
    output = Output(tmp_path / "out.jsonl")
    own = [output.part, output.journal, Output(tmp_path / "out").part / "part-00001.spacy"]
    assert [output.is_unfinished(own[0]), output.is_unfinished(own[1])] == [True, True]
    assert Output(tmp_path / "out").is_unfinished(own[2])
    assert not output.is_unfinished(tmp_path / "other.jsonl")
    assert not output.is_unfinished(output.path)
