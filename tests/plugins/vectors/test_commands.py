"""`glossator vectors` on the command line."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import warnings

import pytest

pytest.importorskip("gensim", reason="needs glossator[vectors]")


from toy_vectors import TEXTS, wanted_sentences

from glossator.cli import main
from glossator_vectors.folder.word_vectors import open_vectors


@pytest.fixture
def cli(monkeypatch, capsys):
    """Run a command line in this process; returns its exit code and what it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["glossator", *map(str, arguments)])
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def book(tmp_path):
    """A book as books come: a byte order mark, Windows' line ends, hard-wrapped."""
    file = tmp_path / "book.txt"
    file.write_bytes(b"\xef\xbb\xbf" + "\n\n".join(TEXTS).replace("\n", "\r\n").encode())
    return file


SMALL_OPTIONS = ("--width", 8, "--min-count", 2, "--epochs", 2)


def test_train_info_and_similar(cli, book, tmp_path):
    code, _, err = cli("vectors", "train", book, *SMALL_OPTIONS, "--licence", "CC0", "-o", tmp_path / "out")
    assert code == 0, err
    assert "of width 8" in err
    code, out, _ = cli("vectors", "info", tmp_path / "out", "--text", book, "--json")
    metadata = json.loads(out)
    words = [word for sentence in wanted_sentences() for word in sentence]
    assert (code, metadata["licence"], metadata["source"], metadata["width"]) == (0, "CC0", "book.txt", 8)
    assert metadata["coverage"]["tokens"] == {"exact": len(words), "lower": 0, "subwords": 0, "missing": 0}
    code, out, _ = cli("vectors", "similar", tmp_path / "out", "barley", "BOAT", "--top", 3, "--json")
    near = json.loads(out)
    assert code == 0
    assert [len(near["barley"]), len(near["BOAT"])] == [3, 3]
    assert "barley" not in [word for word, _ in near["barley"]]
    first = near["barley"][0][0]
    code, out, _ = cli("vectors", "similar", tmp_path / "out", "barley")
    assert (code, first in out) == (0, True)


def test_the_same_seed_gives_the_same_folder(cli, book, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert cli("vectors", "train", book, *SMALL_OPTIONS, "--seed", seed, "-o", tmp_path / name)[0] == 0
    files = sorted(file.name for file in (tmp_path / "a").iterdir())
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
    assert (tmp_path / "a" / "table.npy").read_bytes() != (tmp_path / "c" / "table.npy").read_bytes()


def test_bad_lines_of_text_cost_no_good_ones(cli, book, tmp_path):
    book.write_bytes(book.read_bytes() + b"\r\nbad \xff byte\r\n")
    code, _, err = cli("vectors", "train", book, *SMALL_OPTIONS, "-o", tmp_path / "out")
    assert code == 3
    assert "book.txt:" in err
    assert "0xff" in err
    assert "barley" in open_vectors(tmp_path / "out").words


def test_import_reports_and_keeps(cli, tmp_path):
    lines = "".join(f"w{i} {i} 1\n" for i in range(5))
    (tmp_path / "v.txt.gz").write_bytes(gzip.compress(f"{lines}bad 1\nw0 1 2\n".encode()))
    code, _, err = cli(
        "vectors", "import", tmp_path / "v.txt.gz", "-o", tmp_path / "out", "--licence", "PDDL"
    )
    assert code == 3
    assert "v.txt.gz:6: it has 1 numbers, not 2" in err
    assert "v.txt.gz:7: 'w0' is repeated" in err
    assert "5 words of width 2, 2 skipped" in err
    assert open_vectors(tmp_path / "out").metadata.licence == "PDDL"
    code, _, err = cli("vectors", "import", tmp_path / "gone.txt", "-o", tmp_path / "out")
    assert (code, "cannot be read" in err) == (1, True)


def test_coverage_tells_what_is_missing(cli, tmp_path):
    (tmp_path / "v.txt").write_text("gulls 1 0\ncry 0 1\n")
    assert cli("vectors", "import", tmp_path / "v.txt", "-o", tmp_path / "out")[0] == 0
    (tmp_path / "t.txt").write_text("Gulls cry. Ravens cry, too. Ravens!")
    code, out, _ = cli("vectors", "info", tmp_path / "out", "--text", tmp_path / "t.txt", "--json")
    found = json.loads(out)["coverage"]
    assert found["tokens"] == {"exact": 2, "lower": 1, "subwords": 0, "missing": 7}
    assert found["types"] == {"exact": 1, "lower": 1, "subwords": 0, "missing": 5}
    assert [".", 2] in found["missing"]
    assert ["Ravens", 2] in found["missing"]
    code, out, _ = cli("vectors", "info", tmp_path / "out", "--corpus", "samples")
    assert (code, "not found" in out) == (0, True)
    assert (
        cli("vectors", "info", tmp_path / "out", "--corpus", "samples", "--text", tmp_path / "t.txt")[0] == 2
    )


def test_unknown_words_are_told(cli, tmp_path):
    (tmp_path / "v.txt").write_text("gulls 1 0\ncry 0 1\n")
    cli("vectors", "import", tmp_path / "v.txt", "-o", tmp_path / "out")
    code, out, err = cli("vectors", "similar", tmp_path / "out", "gulls", "ravens")
    assert (code, "cry" in out, "'ravens' has no vector" in err) == (3, True, True)
    assert cli("vectors", "similar", tmp_path / "out", "ravens")[0] == 1
    assert cli("vectors", "similar", tmp_path / "nowhere", "ravens")[0] == 1


@pytest.mark.slow
def test_training_without_gensim_says_what_to_install(tmp_path):
    code = """
import sys
sys.modules["gensim"] = None
from glossator.cli import main
main()
"""
    (tmp_path / "t.txt").write_text("Gulls cry.")
    for arguments in (
        ["train", "t.txt", "-o", "out"],
        ["import", "t.bin", "--format", "fasttext", "-o", "out"],
    ):
        (tmp_path / "t.bin").write_bytes(b"x")
        done = subprocess.run(
            [sys.executable, "-c", code, "vectors", *arguments], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert "pip install 'glossator[vectors]'" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["train"], ["import"], ["info"], ["similar"]])
def test_help_is_light(arguments):
    code = f"""
import sys
from glossator.cli import main
sys.argv = ["glossator", "vectors", *{arguments!r}, "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code
print(" ".join({{name.partition(".")[0] for name in sys.modules}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert not set(done.stdout.splitlines()[-1].split()) & {
        "spacy",
        "numpy",
        "gensim",
        "thinc",
        "rich",
        "scipy",
    }
