"""The command line, as it is typed: what it answers, where, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from spacy.tokens import DocBin

import glossator
from glossator.cli import COMMANDS
from glossator.jobs.record_stream import Tally
from glossator.jobs.resumable_output import Output

TEXT = "Mara Voss left Lisbon. We loved the soup."


@pytest.fixture
def letters(tmp_path) -> Path:
    """A folder of texts, some of them out of sight."""
    folder = tmp_path / "letters"
    for name in ("b.txt", "a.txt", "sub/c.txt", ".hidden.txt", ".git/d.txt", "sub/picture.png"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"The letter {name} came from Lisbon.\n")
    return folder


def lines_of(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


# Help and misuse


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS), ("plugins", "list")])
def test_every_command_explains_itself(cli, command):
    ended = cli(*command, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"Usage: glossator {' '.join(command)}".rstrip())
    assert cli(*command, "-h").out == ended.out


def test_help_lists_all_commands_and_those_of_plugins(cli, test_stages):
    out = cli("--help").out
    for name, (_, summary) in COMMANDS.items():
        assert name in out
        assert summary in out
    assert "greet" in out
    assert "Greet whoever asks for it." in out
    assert "greet" not in cli("--no-plugin", "test-stages", "--help").out
    assert cli("--version").out.split() == ["glossator", glossator.__version__]


def test_a_plugins_command_is_run_and_what_it_returns_is_no_exit_code(cli, test_stages):
    ended = cli("greet")
    assert (ended.code, ended.out) == (0, "good day\n")
    assert cli("--no-plugin", "test-stages", "greet").code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("anotate",), 2, "No such command 'anotate'"),
        (("annotate",), 2, "Missing argument 'INPUTS...'"),
        (("annotate", "x.txt"), 2, "Missing option '--pipeline'"),
        (("annotate", "-", "-p", "nowhere"), 1, "nowhere: there is no such pipeline folder"),
        (("annotate", "letters/", "x.txt", "-p", "nowhere"), 2, "letters, x.txt: no such file or folder"),
        (("convert", "x.jsonl", "./x.jsonl"), 2, "x.jsonl would be overwritten by x.jsonl"),
        (("convert", "x.part.jsonl", "x.jsonl"), 2, "x.part.jsonl would be overwritten by x.jsonl"),
        (
            ("convert", "x.jsonl", "x.csv"),
            2,
            "cannot be written; formats that can be written: conll (.conll, .bio, .iob), conllu",
        ),
        (
            ("convert", "x.jsonl", "x.odd"),
            2,
            "no format has this ending; name the format\nformats that can be written: conll (.conll",
        ),
        (("info", "nowhere"), 1, "nowhere: there is no such pipeline folder"),
        (("evaluate", "nowhere"), 1, "nowhere: there is no such pipeline folder"),
        (("evaluate", "nowhere", "--report", "out"), 1, "nowhere: there is no such pipeline folder"),
        (("evaluate", "nowhere", "gold.jsonl", "--split", "dev"), 2, "leave it out, or leave out GOLD"),
        (("evaluate", "nowhere", "--split", "tset"), 2, "'tset' is not one of 'train', 'dev', 'test'"),
        (("train", "samlpes", "-o", "out"), 2, "no recipe 'samlpes'; there are: "),
        (("train", "gone.cfg", "-o", "out"), 2, "gone.cfg: cannot read the config"),
        (("train", "-o", "out"), 2, "name one of these: a CONFIG, --tagger STAGE or --classifier STAGE"),
        (("train", "samples", "--tagger", "crf", "-o", "out"), 2, "name one of these"),
        (("train", "samples", "--train", "x", "-o", "out"), 2, "--train goes with --tagger"),
        (("train", "samples", "--lang", "de", "-o", "out"), 2, "--lang goes with --tagger"),
        (("train", "samples", "--write", "pos", "-o", "out"), 2, "--write goes with --tagger"),
        (("train", "--tagger", "crf", "-o", "out"), 2, "need --train FILE"),
        (("train", "samples", "-o", "out", "--set", "nonsense"), 2, "write it as SECTION.NAME=VALUE"),
        (("train", "samples", "-o", "out", "--seeds", "0"), 2, "seeds must be at least 1"),
        (
            ("train", "samples", "-o", "out", "--set", "taggers.nre.width=3"),
            2,
            "there is no tagger 'nre'",
        ),
        (
            ("train", "--tagger", "windwo", "--train", "x", "--dev", "y", "-o", "out"),
            2,
            "no tagger 'windwo'",
        ),
        (
            ("train", "--tagger", "linear", "--train", "x", "--dev", "y", "-o", "out"),
            2,
            "no tagger 'linear' (it is a classifier)",
        ),
    ],
)
def test_misuse_and_what_is_not_there(cli, tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    ended = cli(*arguments)
    assert message in ended.err
    assert (ended.code, ended.out) == (code, "")
    assert "Traceback" not in ended.err
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_where_an_error_came_from(start_cli):
    for debug, shown in ((("--debug",), True), ((), False)):
        process = start_cli(*debug, "info", "nowhere")
        out, err = process.communicate()
        assert (process.returncode, out) == (1, "")
        assert ("Traceback (most recent call last)" in err) == shown
        assert "there is no such pipeline folder" in err


def test_a_fault_of_ours_says_so(cli, test_stages, tmp_path, monkeypatch):
    """A command that raises something unforeseen."""
    import glossator_test_stages

    monkeypatch.setattr(glossator_test_stages.greet, "callback", lambda: 1 / 0)
    ended = cli("greet")
    assert ended.code == 1
    assert "internal error: ZeroDivisionError" in ended.err
    assert "`glossator --debug ...` shows where" in ended.err


def test_an_error_of_the_system_is_no_fault_of_ours(cli, trained_samples, letters):
    (letters / "file").write_text("")
    ended = cli("annotate", letters, "-p", trained_samples, "-o", letters / "file" / "out.jsonl")
    assert ended.code == 1
    assert "internal error" not in ended.err
    assert f"error: {letters / 'file' / 'out.jsonl'}" in ended.err


# Annotating


def test_standard_input_and_output(start_cli, trained_samples):
    process = start_cli("annotate", "-", "-p", trained_samples, "--to", "jsonl")
    out, err = process.communicate(TEXT)
    assert (process.returncode, err) == (0, "")
    [line] = lines_of(out)
    assert line["text"] == TEXT
    assert set(line["cats"]) == {"positive", "negative"}
    assert len(line["tokens"]) == 10


def test_leaving_out_every_head_is_misuse(cli, trained_samples, letters):
    heads = [part for name in glossator.load(trained_samples).heads for part in ("--without", name)]
    ended = cli("annotate", letters / "a.txt", "-p", trained_samples, *heads)
    assert (ended.code, "no head is left to load" in ended.err) == (2, True)


def test_a_run_in_which_all_fails_leaves_the_output_as_it_was(cli, trained_samples, tmp_path):
    (tmp_path / "out.jsonl").write_text("{}\n")
    (tmp_path / "bad.txt").write_bytes(b"\xff")
    ended = cli("annotate", tmp_path / "bad.txt", "-p", trained_samples, "-o", tmp_path / "out.jsonl")
    assert (ended.code, "out.jsonl is unchanged" in ended.err) == (1, True)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {
        "out.jsonl": b"{}\n",
        "bad.txt": b"\xff",
    }


def test_a_dash_as_output_is_standard_output(cli, trained_samples, letters, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("annotate", letters / "a.txt", "-p", trained_samples, "--only", "mood")
    for to in ((), ("--to", "jsonl")):
        assert cli(*arguments, *to, "-o", "-") == cli(*arguments, *to)
    assert not Path("-").exists()


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")
def test_messages_stand_above_the_progress_bar(trained_samples, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "Good."}\n{broken\n')
    controller, terminal = os.openpty()
    arguments = ["annotate", "in.jsonl", "-p", str(trained_samples), "-o", "out.conllu"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from glossator.cli import main; main()", *arguments],
        cwd=tmp_path,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "500"},
        stderr=terminal,
    )
    assert process.wait() == 3
    os.close(terminal)
    shown = os.read(controller, 1_000_000).decode()
    os.close(controller)
    lines = re.sub(r"\x1b\[[0-9;?]*[A-JL-Za-z]", "", shown).replace("\x1b[2K", "\r").splitlines()
    for beginning in ("out.conllu cannot hold ", "failed: in.jsonl:2: ", "1 documents, 2 words in "):
        assert any(line.startswith(beginning) for line in lines), shown


def test_standard_input_into_a_file(start_cli, trained_samples, tmp_path):
    process = start_cli("annotate", "-", "-p", trained_samples, "--from", "lines", "-o", "out.jsonl")
    _, err = process.communicate("One line.\n\nAnother.\n")
    assert process.returncode == 0, err
    assert [line["text"] for line in lines_of((tmp_path / "out.jsonl").read_text())] == [
        "One line.",
        "Another.",
    ]
    process = start_cli("annotate", "-", "-p", trained_samples, "-o", "out.jsonl", "--resume")
    _, err = process.communicate("")
    assert (process.returncode, "cannot continue standard input" in err) == (2, True)


def test_folders_are_read_in_order_and_what_is_hidden_is_not(cli, trained_samples, letters):
    ended = cli("annotate", letters, "-p", trained_samples, "--to", "jsonl", "--only", "mood")
    assert ended.code == 0
    names = [line["file"] for line in lines_of(ended.out)]
    assert names == [str(letters / name) for name in ("a.txt", "b.txt", "sub/c.txt")]
    assert "skipped (no known format): picture.png\n" in ended.err
    ended = cli("annotate", letters, "-p", trained_samples, "--from", "jsonl")
    assert (ended.code, "has no file ending in .jsonl, .ndjson" in ended.err) == (2, True)


@pytest.mark.parametrize(("bad", "good", "code"), [(0, 2, 0), (1, 2, 3), (3, 1, 3), (2, 0, 1), (25, 1, 3)])
def test_exit_codes_count_what_failed(cli, trained_samples, tmp_path, bad, good, code):
    file = tmp_path / "in.jsonl"
    with file.open("wb") as opened:
        opened.write(b'{"text": "\xff"}\n' * bad + b'{"text": "Good.", "id": [1]}\n' * good)
    for arguments in ((), ("-o", tmp_path / "out.jsonl")):
        ended = cli("annotate", file, "-p", trained_samples, "--to", "jsonl", "--only", "mood", *arguments)
        assert ended.code == code
        assert ended.err.count("failed: ") == min(bad, 20)
        if bad:
            assert f"{file}:1: the byte 0xff is not utf-8" in ended.err
            assert f"{bad} of {bad + good} documents failed" in ended.err
        assert ("more documents failed" in ended.err) == (bad > 20)
        if arguments and not good:
            assert "out.jsonl is unchanged" in ended.err
            assert not (tmp_path / "out.jsonl").exists()
        else:
            written = (tmp_path / "out.jsonl").read_text() if arguments else ended.out
            assert [line["id"] for line in lines_of(written)] == [[1]] * good


@pytest.mark.parametrize(
    ("name", "message"), [("gone.txt", "cannot be read: No such file"), ("picture.png", "no format has this")]
)
def test_a_file_that_cannot_be_read_loses_no_other(cli, trained_samples, letters, tmp_path, name, message):
    for output in ((), ("-o", tmp_path / "out.jsonl")):
        arguments = ("annotate", letters / name, letters / "a.txt", "-p", trained_samples)
        ended = cli(*arguments, "--to", "jsonl", *output)
        assert ended.code == 3
        assert f"{name}: {message}" in ended.err
    assert len(lines_of((tmp_path / "out.jsonl").read_text())) == 1


def test_an_ending_that_means_no_format_is_misuse(cli, trained_samples, letters, tmp_path):
    (tmp_path / "a.png").write_text("Text.")
    ended = cli("annotate", tmp_path / "a.png", "-p", trained_samples)
    assert (ended.code, "a.png: no format has this ending" in ended.err) == (2, True)
    ended = cli("annotate", letters / "a.txt", "-p", trained_samples, "-o", tmp_path / "out.odd")
    assert (ended.code, "out.odd: no format has this ending" in ended.err) == (2, True)


def test_an_output_that_is_an_input_is_refused(cli, trained_samples, tmp_path):
    file = tmp_path / "in.jsonl"
    file.write_text('{"text": "x"}\n')
    for arguments in ((file,), (tmp_path,)):
        ended = cli("annotate", *arguments, "-p", trained_samples, "-o", tmp_path / "sub" / ".." / "in.jsonl")
        assert (ended.code, "is an input too: name another output" in ended.err) == (2, True)
    assert file.read_text() == '{"text": "x"}\n'


def test_what_a_cut_off_run_left_in_the_input_folder_is_not_read(cli, trained_samples, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "x"}\n')
    output = Output(tmp_path / "out.jsonl")
    output.part.write_text('{"text": "left behind"}\n')
    output.checkpoint({}, Tally(read=1))
    ended = cli("annotate", tmp_path, "-p", trained_samples, "-o", tmp_path / "out.jsonl")
    assert ended.code == 0, ended.err
    assert [line["text"] for line in lines_of((tmp_path / "out.jsonl").read_text())] == ["x"]
    assert "skipped" not in ended.err


@pytest.mark.parametrize(
    ("given", "output", "arguments"),
    [
        ("reviews.part.jsonl", "reviews.jsonl", ()),
        ("notes.journal", "notes", ("--from", "lines", "--to", "jsonl")),
        ("talks.part", "talks", ("--to", "docbin")),
    ],
)
def test_an_input_is_never_taken_for_an_unfinished_output(
    cli, trained_samples, tmp_path, given, output, arguments
):
    own = tmp_path / given
    if own.suffix != ".part":
        own.write_text('{"text": "precious"}\n')
    else:
        own.mkdir()
        (own / "a.txt").write_text("Precious.")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    ended = cli("annotate", own, "-p", trained_samples, "-o", tmp_path / output, *arguments)
    assert (ended.code, "name another output" in ended.err) == (2, True)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_what_can_be_read_once_is_read_once(start_cli, trained_samples, tmp_path):
    arguments = ("/dev/stdin", "--from", "text", "-p", trained_samples, "--only", "mood", "-o", "out.jsonl")
    process = start_cli("annotate", *arguments)
    _, err = process.communicate("Fine bread.")
    assert process.returncode == 0, err
    assert [line["text"] for line in lines_of((tmp_path / "out.jsonl").read_text())] == ["Fine bread."]


def test_gold_from_standard_input_is_for_every_head(start_cli, trained_samples):
    gold = {"text": "Ada left.", "spans": [{"start": 0, "end": 3, "label": "PER"}], "cats": {"positive": 1.0}}
    process = start_cli("evaluate", trained_samples, "-", "--from", "jsonl", "--json")
    out, err = process.communicate(json.dumps(gold))
    assert process.returncode == 0, err
    assert json.loads(out)["heads"].keys() == {"ner", "mood"}


def test_what_a_terminal_cannot_show_costs_no_document(start_cli, trained_samples):
    process = start_cli("annotate", "-", "--from", "lines", "-p", trained_samples, PYTHONIOENCODING="latin-1")
    out, err = process.communicate("日本\nplain\n")
    assert process.returncode == 0, err
    assert "??" in out
    assert "plain" in out


def test_a_folder_with_something_in_it_is_refused(cli, trained_samples, letters, tmp_path):
    arguments = ("annotate", letters, "-p", trained_samples, "-o", tmp_path / "docs", "--to", "docbin")
    assert cli(*arguments).code == 0
    shards = sorted(path.name for path in (tmp_path / "docs").iterdir())
    assert shards == ["part-00001.spacy"]
    docs = DocBin().from_disk(tmp_path / "docs" / shards[0]).get_docs(glossator.load(trained_samples).vocab)
    assert [doc.text.split()[2] for doc in docs] == ["a.txt", "b.txt", "sub/c.txt"]
    ended = cli(*arguments)
    assert (ended.code, "exists and is not empty" in ended.err) == (2, True)
    assert sorted(path.name for path in (tmp_path / "docs").iterdir()) == shards


def test_resume_where_there_is_nothing_to_resume(cli, trained_samples, letters, tmp_path):
    ended = cli("annotate", letters, "-p", trained_samples, "-o", tmp_path / "out.jsonl", "--resume")
    assert (ended.code, "there is no run to resume: starting a new one" in ended.err) == (0, True)
    ended = cli("annotate", letters, "-p", trained_samples, "--resume")
    assert (ended.code, "only output to a file or folder can be resumed" in ended.err) == (2, True)


@pytest.mark.skipif(os.name == "nt", reason="there is no `head`")
@pytest.mark.parametrize("arguments", [("--to", "jsonl"), ()])
def test_who_has_seen_enough_may_close_the_pipe(trained_samples, tmp_path, arguments):
    lines = "".join(f"Line {i} came from Lisbon and went on to Oslo.\n" for i in range(4_000))
    (tmp_path / "many.txt").write_text(lines)
    with subprocess.Popen(
        [
            sys.executable, "-c", "from glossator.cli import main; main()",
            "annotate", "many.txt", "--from", "lines", "-p", trained_samples, "--only", "mood", *arguments,
        ],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait() == 1


# Training, info and configs


def test_training_from_labelled_files(cli, tmp_path, samples_folder):
    sentences = [samples_folder / f"sentences.{split}.conll" for split in ("train", "dev")]
    arguments = (
        "--train",
        sentences[0],
        "--dev",
        sentences[1],
        "--from-option",
        'columns=["token","pos","ner"]',
    )
    for write, head in (("ents", "ner"), ("pos", "pos"), ("spans:things", "things")):
        output = tmp_path / head
        ended = cli("train", "--tagger", "crf", *arguments, "--write", write, "-o", output)
        assert ended.code == 0, ended.err
        assert f"{head} seed 0: 1,142 words, trained in one step" in ended.err
        assert list(glossator.load(output).heads) == [head]
        ended = cli("info", output, "--check")
        assert ended.code == 0, ended.err
        assert write in ended.out
        assert "so are its predictions for the golden texts" in ended.err


def test_info_finds_damage(cli, trained_samples, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(trained_samples, own)
    meta = json.loads(cli("info", own, "--json").out)
    assert set(meta["heads"]) == {"ner", "pos", "mood"}
    file = own / "classifiers" / "mood" / "weights.npz"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    ended = cli("info", own, "--check")
    assert (ended.code, "damaged files: classifiers/mood/weights.npz" in ended.err) == (1, True)


def test_info_lists_the_features_of_a_label(cli, trained_samples):
    ended = cli("info", trained_samples, "--weights", "positive")
    assert ended.code == 0, ended.err
    assert "mood: positive" in ended.out
    assert len([line for line in ended.out.splitlines() if line.endswith("│") and "." in line]) == 30
    ended = cli("info", trained_samples, "--weights", "sideways")
    assert ended.code == 2
    assert "has the label 'sideways'; labels of such: " in ended.err
    assert "negative" in ended.err


def test_a_config_to_start_from_trains_once_it_names_data(cli, tmp_path, samples_folder):
    printed = cli("init-config")
    assert printed.code == 0
    assert cli("init-config", "-o", tmp_path / "start.cfg").code == 0
    assert (tmp_path / "start.cfg").read_text() == printed.out
    ended = cli("init-config", "-o", tmp_path / "start.cfg")
    assert (ended.code, "already exists" in ended.err) == (2, True)
    for split in ("train", "dev"):
        shutil.copy(samples_folder / f"reviews.{split}.jsonl", tmp_path / f"topic.{split}.jsonl")
        lines = [
            {"text": "Mara left Oslo.", "spans": [{"start": 0, "end": 4, "label": "PER"}]},
            {"text": "She saw Joe.", "spans": [{"start": 8, "end": 11, "label": "PER"}]},
        ]
        (tmp_path / f"tags.{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    ended = cli("train", tmp_path / "start.cfg", "-o", tmp_path / "out")
    assert ended.code == 0, ended.err
    assert list(glossator.load(tmp_path / "out").heads) == ["tags", "topic"]


def test_stages_of_a_new_config_are_named(cli):
    out = cli("init-config", "--lang", "pt", "--tagger", "crf", "--tagger", "gazetteer").out
    for part in ('lang = "pt"', "[taggers.tags-1]", "[taggers.tags-2]", "[data.tags-2]"):
        assert part in out


def test_a_folder_named_like_a_recipe_does_not_hide_it(cli, tmp_path, monkeypatch):
    (tmp_path / "samples").mkdir()
    monkeypatch.chdir(tmp_path)
    ended = cli("train", "samples", "-o", "out", "--set", "classifiers.sentiment.nonsense=1")
    assert "cannot read the config" not in ended.err
    assert "has no setting 'nonsense'" in ended.err


def test_what_the_output_of_a_pipeline_cannot_hold_is_said(cli, trained_samples, letters, tmp_path):
    heads = {str(head.config.layer): name for name, head in glossator.load(trained_samples).heads.items()}
    for output in (("--to", "conllu"), ("-o", tmp_path / "out.conllu")):
        err = cli("annotate", letters, "-p", trained_samples, *output).err
        assert "conllu cannot hold " in err
        assert {layer for layer, name in heads.items() if f"'{name}' ({layer})" in err} == {"ents", "cats"}
    assert "cannot hold" not in cli("annotate", letters, "-p", trained_samples, "--to", "jsonl").err
