"""Training vectors: the corpus on disk, gensim's own result, and the command line around it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("gensim", reason="needs glossator[vectors]")

from gensim.models import FastText, Word2Vec

from glossator.builtin.tokenizers import SpacyTokenizer
from glossator.cli import main
from glossator.errors import DataError, UsageError
from glossator.plugins import PluginManager
from glossator_vectors.folder.word_vectors import open_vectors
from glossator_vectors.texts import paragraphs as texts_module
from glossator_vectors.texts.paragraphs import read_paragraphs
from glossator_vectors.training import tokenized_corpus as corpus_module
from glossator_vectors.training.progress import TrainingProgress
from glossator_vectors.training.settings import TrainingSettings
from glossator_vectors.training.tokenized_corpus import TokenizedCorpus
from glossator_vectors.training.trainer import BUCKETS, train_vectors

TEXTS = [
    "The miller's boat left Ostrava.  It carried\nbarley, and it came back empty.",
    "",
    "   \n ",
    "Barley was dear that year! The boat did not mind: it carried what it was given.",
] * 6
SMALL = {"width": 8, "window": 2, "min_count": 2, "epochs": 2, "seed": 3}


def sentences():
    tokenizer = SpacyTokenizer("en")
    return [
        [token.text for token in sent if not token.is_space]
        for text in TEXTS
        for sent in tokenizer(text).sents
    ]


def wanted_sentences():
    return [sentence for sentence in sentences() if sentence]


@pytest.mark.parametrize("at_once", [1, 7, 20_000])
def test_the_corpus_on_disk_is_the_sentences_in_order(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(corpus_module, "_WORD_BATCH_SIZE", at_once)
    monkeypatch.setattr(corpus_module, "_SENTENCE_BATCH_SIZE", 3)
    corpus = TokenizedCorpus(tmp_path)
    heard = []
    corpus.add(TEXTS[:5], SpacyTokenizer("en"), heard.append)
    corpus.add(TEXTS[5:], SpacyTokenizer("en"), heard.append)
    assert list(corpus) == wanted_sentences()
    assert list(corpus) == wanted_sentences()
    words = [word for sentence in wanted_sentences() for word in sentence]
    assert corpus.counts == {word: words.count(word) for word in words}
    assert list(corpus.counts) == list(dict.fromkeys(words))
    assert (corpus.words, corpus.sentences) == (len(words), len(wanted_sentences()))
    assert heard[-1] == len(words)


def test_sentences_that_gensim_would_cut_off_are_parted(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_module, "MAX_SENTENCE_LENGTH", 4)
    corpus = TokenizedCorpus(tmp_path)
    corpus.add(["a b c d e f g h i", "j k"], SpacyTokenizer("xx"))
    assert [" ".join(sentence) for sentence in corpus] == ["a b c d", "e f g h", "i", "j k"]


def test_an_empty_corpus_has_no_sentences(tmp_path):
    corpus = TokenizedCorpus(tmp_path)
    corpus.add(["", " "], SpacyTokenizer("xx"))
    assert list(corpus) == []


@pytest.mark.parametrize("skip_gram", [False, True])
@pytest.mark.parametrize("method", ["word2vec", "fasttext"])
def test_the_vectors_are_those_of_plain_gensim(tmp_path, method, skip_gram):
    settings = TrainingSettings(method=method, skip_gram=skip_gram, **SMALL)
    done = train_vectors(TEXTS, tmp_path / "out", settings, source="a test", licence="CC0")
    kind, more = (FastText, {"bucket": BUCKETS}) if method == "fasttext" else (Word2Vec, {})
    plain = kind(
        wanted_sentences(),
        vector_size=8,
        window=2,
        min_count=2,
        epochs=2,
        seed=3,
        workers=1,
        sg=skip_gram,
        **more,
    )
    vectors = open_vectors(tmp_path / "out")
    assert vectors.words == plain.wv.index_to_key
    np.testing.assert_array_equal(vectors.table[1:], plain.wv.vectors)
    assert done.count == len(plain.wv)
    assert (vectors.metadata.licence, vectors.metadata.source, vectors.metadata.lang) == (
        "CC0",
        "a test",
        "en",
    )
    if method == "fasttext":
        [made] = vectors.subwords.vectors(["millers"])
        np.testing.assert_allclose(made, plain.wv["millers"], atol=1e-6)
    else:
        assert vectors.subwords is None


def test_progress_hears_every_word_of_every_epoch(tmp_path):
    class Recorded(TrainingProgress):
        total = trained_words = 0

        def training_started(self, words):
            self.total = words

        def trained(self, words):
            self.trained_words += words

    heard = Recorded()
    done = train_vectors(TEXTS, tmp_path / "out", TrainingSettings(**SMALL), progress=heard)
    assert heard.total == heard.trained_words == 2 * done.words


def test_too_little_text_is_an_error_that_leaves_nothing(tmp_path):
    with pytest.raises(DataError, match="of 4 words none occurs 5 times"):
        train_vectors(["Gulls cried at dawn"], tmp_path / "out", TrainingSettings())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [{"method": "glove"}, {"width": 0}, {"workers": 0}, {"min_count": 0}])
def test_settings_are_checked(wrong):
    with pytest.raises(UsageError, match=str(next(iter(wrong))).replace("_", ".")):
        TrainingSettings(**wrong)


def test_plain_text_comes_in_paragraphs(tmp_path, monkeypatch):
    monkeypatch.setattr(texts_module, "MAX_PARAGRAPH_LENGTH", 12)
    content = "One line\r\nand the next.\r\n\r\n\r\n  \r\nThree\r\nfour\r\nfive six seven\r\neight"
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + content.encode())
    (tmp_path / "b.jsonl").write_text('{"text": "whole\\n\\ndocument"}\n')
    records = list(read_paragraphs([tmp_path], "", {}, "utf-8", PluginManager.from_environment()))
    assert [(record.text, record.line) for record in records] == [
        ("One line\nand the next.", 1),
        ("Three\nfour\nfive six seven", 6),
        ("eight", 9),
        ("whole\n\ndocument", 1),
    ]


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
