from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glossator.config.text import read_config
from glossator.data import corpora
from glossator.errors import ConfigError, DataError, PluginError
from glossator.formats import Record
from glossator.plugins.manager import PluginManager

SPLITS = ("train", "dev", "test")
OPEN_CLASSES = {"ADJ", "ADV", "INTJ", "NOUN", "PROPN", "VERB"}
CLOSED_CLASSES = {"ADP", "AUX", "CCONJ", "DET", "NUM", "PART", "PRON", "SCONJ"}
UPOS = OPEN_CLASSES | CLOSED_CLASSES | {"PUNCT", "SYM", "X"}
NAMES = sorted(corpora.manifest())
ROOT = os.environ.get(corpora.CORPORA_VARIABLE)


@pytest.fixture(scope="module")
def plugins():
    return PluginManager(allow=())


@pytest.fixture(scope="module")
def sentences(plugins):
    return {split: read("samples", split, plugins) for split in SPLITS}


@pytest.fixture(scope="module")
def reviews(plugins):
    return {split: read("samples_reviews", split, plugins) for split in SPLITS}


def read(name: str, split: str, plugins: PluginManager, root: Path | None = None) -> list[Record]:
    items = list(corpora.read_split(corpora.corpus(name), split, root=root, plugins=plugins))
    assert not [item for item in items if isinstance(item, DataError)]
    return items


def rows(split: str) -> list[list[list[str]]]:
    """The sample sentences of a split as the file has them, without the reader under test."""
    text = (corpora.corpora_home() / "samples" / f"sentences.{split}.conll").read_text(encoding="utf-8")
    return [[line.split("\t") for line in block.splitlines()] for block in text.split("\n\n")]


@pytest.mark.parametrize("name", NAMES)
def test_manifest_entry_is_complete(name):
    corpus = corpora.corpus(name)
    assert corpus.name == name
    assert corpus.title
    assert corpus.licence
    assert set(corpus.splits) == ({"all"} if corpus.task == "raw" else set(SPLITS))
    if corpus.format != "class-folders":
        assert set(corpus.sha256) == set(itertools.chain.from_iterable(corpus.splits.values()))
    assert all(len(bytes.fromhex(digest)) == 32 for digest in corpus.sha256.values())
    assert set(corpus.split_options) <= set(corpus.splits)


@pytest.mark.parametrize("name", NAMES)
def test_splits_of_one_file_are_told_apart(name):
    corpus = corpora.corpus(name)
    listed = list(itertools.chain.from_iterable(corpus.splits.values()))
    shared = len(set(listed)) < len(listed)
    assert shared == (corpus.tenths or bool(corpus.split_options))


def test_readme_names_every_corpus():
    readme = (corpora.corpora_home() / "README.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"`{name}`" not in readme] == []


@pytest.mark.parametrize("name", corpora.recipes())
def test_recipe_is_a_config_of_known_corpora(name):
    path = corpora.recipe(name)
    config = read_config(path)
    assert config.name == name
    assert set(config.data) == {head.name for head in config.heads}
    opening = path.read_text(encoding="utf-8").partition("\n\n[")[0]
    assert f"glossator train {name} " in opening
    for head in config.heads:
        corpus = corpora.corpus(config.data[head.name].corpus)
        assert corpus.lang == config.lang
        assert corpus.licence == config.licence
        assert corpus.licence in opening
        task = {"ents": "ner", "pos": "pos", "tag": "pos", "cats": head.name}[str(head.layer)]
        assert task in corpus.task.split("+")


def test_unknown_names_list_what_there_is():
    with pytest.raises(ConfigError, match=r"no corpus 'ewt'; there are: .*samples.*uner_ewt"):
        corpora.corpus("ewt")
    with pytest.raises(ConfigError, match=r"no recipe 'ewt'; there are: .*samples.*uner_ewt-crf"):
        corpora.recipe("ewt")
    with pytest.raises(ConfigError, match="no split 'validation'; it has: train, dev, test"):
        corpora.split_files(corpora.corpus("samples"), "validation", None)


def test_a_format_that_is_not_installed_is_a_plain_error(plugins, tmp_path):
    corpus = replace(corpora.corpus("samples"), format="scrolls")
    with pytest.raises(PluginError, match="no format 'scrolls'"):
        corpora.read_split(corpus, "train", root=None, plugins=plugins)


def test_sample_sentences_are_well_formed():
    total = with_entity = 0
    for split in SPLITS:
        for sentence in rows(split):
            tokens, pos, tags = zip(*sentence, strict=True)
            assert 6 <= len(tokens) <= 20
            assert set(pos) <= UPOS, tokens
            for before, tag in itertools.pairwise(["O", *tags]):
                assert tag == "O" or tag[2:] in {"PER", "LOC", "ORG"}, tokens
                assert not tag.startswith("I-") or before[1:] == tag[1:], tokens
            total += 1
            with_entity += set(tags) != {"O"}
    assert total >= 110
    assert with_entity / total >= 0.6


def test_sample_sentences_are_tokenized_as_spacy_does(plugins, sentences):
    spacy = pytest.importorskip("spacy")
    tokenizer = spacy.blank("en").tokenizer
    for record in itertools.chain.from_iterable(sentences.values()):
        assert [token.text for token in tokenizer(record.text)] == record.tokens.words


def test_samples_are_read_as_the_file_has_them(sentences):
    for split in SPLITS:
        expected = rows(split)
        assert len(sentences[split]) == len(expected)
        for record, sentence in zip(sentences[split], expected, strict=True):
            assert record.tokens.words == [token for token, _, _ in sentence]
            assert record.tokens.pos == [pos for _, pos, _ in sentence]
            labels = [tag[2:] for _, _, tag in sentence if tag.startswith("B-")]
            assert [span.label for span in record.spans] == labels
            first_words = [token for token, _, tag in sentence if tag.startswith("B-")]
            texts = [record.text[span.start : span.end] for span in record.spans]
            assert [text.split()[0] for text in texts] == first_words


def test_every_split_of_the_samples_has_every_label(sentences, reviews):
    for split in SPLITS:
        labels = {span.label for record in sentences[split] for span in record.spans}
        assert labels == {"PER", "LOC", "ORG"}
        positive = [record.cats["positive"] for record in reviews[split]]
        assert all(set(record.cats) == {"positive", "negative"} for record in reviews[split])
        assert all(sum(record.cats.values()) == 1.0 for record in reviews[split])
        assert sum(positive) * 2 == len(positive)


def test_no_sample_is_in_two_splits(sentences, reviews):
    for records in (sentences, reviews):
        texts = [record.text for split in SPLITS for record in records[split]]
        assert len(set(texts)) == len(texts)


def test_names_of_the_test_samples_are_partly_new(sentences):
    known, new = 0, 0
    seen = {record.text[s.start : s.end] for record in sentences["train"] for s in record.spans}
    for record in sentences["test"]:
        for span in record.spans:
            found = record.text[span.start : span.end] in seen
            known, new = known + found, new + (not found)
    assert known
    assert new


def test_a_changed_file_is_refused(plugins, tmp_path):
    shutil.copytree(corpora.corpora_home() / "samples", tmp_path / "samples")
    corpus = replace(corpora.corpus("samples"), shipped="")
    assert list(corpora.read_split(corpus, "dev", root=tmp_path, plugins=plugins))
    changed = tmp_path / "samples" / "sentences.train.conll"
    changed.write_bytes(changed.read_bytes().replace(b"bakery", b"brewer", 1))
    with pytest.raises(DataError, match=corpus.sha256[changed.name]) as refusal:
        corpora.read_split(corpus, "train", root=tmp_path, plugins=plugins)
    assert refusal.value.file == str(changed)
    shutil.copy(corpora.corpora_home() / "samples" / changed.name, changed)
    assert list(corpora.read_split(corpus, "train", root=tmp_path, plugins=plugins))


def test_a_missing_file_is_named(plugins, tmp_path):
    (tmp_path / "samples").mkdir()
    corpus = replace(corpora.corpus("samples"), shipped="")
    with pytest.raises(DataError, match=r"sentences\.dev\.conll: cannot read"):
        corpora.read_split(corpus, "dev", root=tmp_path, plugins=plugins)


def test_missing_folders_are_named(monkeypatch, tmp_path):
    monkeypatch.delenv(corpora.CORPORA_VARIABLE, raising=False)
    btc = corpora.corpus("btc")
    with pytest.raises(ConfigError, match=r"'btc'.*--corpora or GLOSSATOR_CORPORA"):
        corpora.corpus_folder(btc, None)
    with pytest.raises(ConfigError, match=r"there is no folder .*btc"):
        corpora.corpus_folder(btc, tmp_path)
    (tmp_path / "btc").mkdir()
    assert corpora.corpus_folder(btc, tmp_path) == tmp_path / "btc"
    monkeypatch.setenv(corpora.CORPORA_VARIABLE, str(tmp_path))
    assert corpora.corpus_folder(btc, None) == tmp_path / "btc"
    assert corpora.corpus_folder(btc, tmp_path / "btc" / "..") != tmp_path  # the argument comes first


def test_training_and_test_files_are_different_ones():
    corpus = corpora.corpus("samples")
    files = {split: set(corpora.split_files(corpus, split, None)) for split in SPLITS}
    assert not files["test"] & (files["train"] | files["dev"])
    assert all(path.is_file() for paths in files.values() for path in paths)


def numbered_corpus(folder: Path, counts: list[int], splits: dict[str, list[int]]) -> corpora.Corpus:
    """A corpus of files that hold "FILE-NUMBER" on every line; `splits` lists files by number."""
    folder = folder / "numbered"
    folder.mkdir(exist_ok=True)
    sums = {}
    for file, count in enumerate(counts):
        path = folder / f"{file}.txt"
        path.write_text("".join(f"{file}-{number}\n" for number in range(count)), encoding="utf-8")
        sums[path.name] = sha256(path)
    return corpora.Corpus(
        name="numbered",
        title="Numbered lines",
        task="raw",
        lang="en",
        format="lines",
        licence="MIT",
        tenths=True,
        splits={split: tuple(f"{file}.txt" for file in files) for split, files in splits.items()},
        sha256=sums,
    )


def sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("splits", "owned"),
    [
        pytest.param(
            {"train": [0, 1], "dev": [0, 1], "test": [0, 1]},
            {"train": range(8), "dev": [8], "test": [9]},
            id="all share",
        ),
        pytest.param(
            {"train": [0], "dev": [0], "test": [1]},
            {"train": [*range(8), 9], "dev": [8], "test": range(10)},
            id="test apart",
        ),
        pytest.param(
            {"train": [0], "dev": [1], "test": [0]},
            {"train": range(9), "dev": range(10), "test": [9]},
            id="dev apart",
        ),
    ],
)
def test_tenths(tmp_path, plugins, splits, owned):
    counts = [37, 20]
    corpus = numbered_corpus(tmp_path, counts, splits)
    for split, remainders in owned.items():
        expected = [
            f"{file}-{number}"
            for file in splits[split]
            for number in range(counts[file])
            if number % 10 in remainders
        ]
        found = corpora.read_split(corpus, split, root=tmp_path, plugins=plugins)
        assert [record.text for record in found] == expected


def test_an_item_that_cannot_be_read_keeps_its_number(tmp_path, plugins):
    corpus = numbered_corpus(tmp_path, [30], {split: [0] for split in SPLITS})
    path = tmp_path / "numbered" / "0.txt"
    path.write_bytes(path.read_bytes().replace(b"0-13", b"\xff\xfe\xff"))
    corpus = replace(corpus, sha256={path.name: sha256(path)})
    items = {s: list(corpora.read_split(corpus, s, root=tmp_path, plugins=plugins)) for s in SPLITS}
    assert [item.text for item in items["test"]] == ["0-9", "0-19", "0-29"]
    assert [item.text for item in items["dev"]] == ["0-8", "0-18", "0-28"]
    errors = [item for item in items["train"] if isinstance(item, DataError)]
    assert [error.line for error in errors] == [14]
    assert len(items["train"]) == 24


@given(st.integers(0, 10**6), st.sets(st.sampled_from(SPLITS), min_size=2).filter(lambda s: "train" in s))
def test_every_item_has_an_owner_among_those_that_share(number, sharing):
    owner = corpora.owner_of(number, sharing)
    assert owner in sharing
    assert owner == corpora.owner_of(number + 10, sharing)
    assert (owner == "test") == ("test" in sharing and number % 10 == 9)
    assert (owner == "dev") == ("dev" in sharing and number % 10 == 8)


def test_importing_is_light():
    script = (
        "import sys, glossator.data.corpora as corpora; corpora.manifest(); "
        "sys.exit(any(module in sys.modules for module in ('spacy', 'numpy', 'thinc')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.skipif(not ROOT, reason=f"{corpora.CORPORA_VARIABLE} names no folder of corpora")
@pytest.mark.parametrize("name", NAMES)
def test_sums_of_the_real_files(name):
    corpus = corpora.corpus(name)
    if not corpus.sha256:
        pytest.skip("a folder of files has no sum")
    folder = corpora.corpus_folder(corpus, None)
    for file, expected in corpus.sha256.items():
        corpora.check_checksum(folder / file, expected)


SIZES = {  # sentences and entities of train, dev and test, as their authors count them
    "uner_ewt": ((12_543, 2_001, 2_077), (7_022, 966, 1_088)),
    "ud_ewt": ((12_544, 2_001, 2_077), (0, 0, 0)),
    "wnut17": ((3_394, 1_009, 1_287), (1_975, 836, 1_079)),
    "btc": ((6_338, 1_001, 2_001), (8_779, 1_730, 4_376)),
}


@pytest.mark.skipif(not ROOT, reason=f"{corpora.CORPORA_VARIABLE} names no folder of corpora")
@pytest.mark.parametrize("name", SIZES)
def test_sizes_of_the_real_splits(name, plugins):
    records = [read(name, split, plugins) for split in SPLITS]
    sentences = tuple(len(split) for split in records)
    entities = tuple(sum(len(record.spans or ()) for record in split) for split in records)
    assert (sentences, entities) == SIZES[name]


@pytest.mark.skipif(not ROOT, reason=f"{corpora.CORPORA_VARIABLE} names no folder of corpora")
def test_tenths_of_wikigold_are_the_whole_of_it(plugins):
    records = [read("wikigold", split, plugins) for split in SPLITS]
    assert [len(split) for split in records] == [1_696 - 2 * 169, 169, 169]
    assert sum(len(record.spans) for split in records for record in split) == 3_558


DOCUMENTS = {  # documents of train, dev and test, and labels
    "mr": ((8_530, 1_066, 1_066), 2),
    "subj": ((8_000, 1_000, 1_000), 2),
    "banking77": ((9_003, 1_000, 3_080), 77),
    "clinc150": ((15_000, 3_100, 5_500), 150),
    "goemotions": ((43_410, 5_426, 5_427), 28),
    "smsspam": ((4_460, 557, 557), 2),
}


@pytest.mark.skipif(not ROOT, reason=f"{corpora.CORPORA_VARIABLE} names no folder of corpora")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_sizes_of_the_real_classification_splits(name, plugins):
    records = [read(name, split, plugins) for split in SPLITS]
    sizes, labels = DOCUMENTS[name]
    assert tuple(len(split) for split in records) == sizes
    for split in records:
        holding = [{label for label, value in record.cats.items() if value} for record in split]
        assert len(set().union(*holding) - {"oos"}) == labels
        most = max(len(held) for held in holding)
        assert min(len(held) for held in holding) == 1
        assert (most > 1) == (name == "goemotions")


@pytest.mark.skipif(not ROOT, reason=f"{corpora.CORPORA_VARIABLE} names no folder of corpora")
@pytest.mark.parametrize(
    ("name", "totals"),
    [
        ("mr", {"negative": 5_331, "positive": 5_331}),
        ("subj", {"objective": 5_000, "subjective": 5_000}),
        ("smsspam", {"ham": 4_827, "spam": 747}),
    ],
)
def test_tenths_of_the_real_class_files_are_the_whole_of_them(name, totals, plugins):
    records = [record for split in SPLITS for record in read(name, split, plugins)]
    found = {label: sum(record.cats.get(label, 0) for record in records) for label in totals}
    assert found == totals


def test_imdb_is_read_as_it_is_published(plugins, tmp_path):
    """A review a file, a folder a class and set, and reviews without a class that are left alone."""
    for split in ("train", "test"):
        for label in ("neg", "pos"):
            folder = tmp_path / "imdb" / split / label
            folder.mkdir(parents=True)
            for number in range(20):
                (folder / f"{number:02}_{number % 10}.txt").write_text(f"{split} {label} {number} <br />")
    (tmp_path / "imdb" / "train" / "unsup").mkdir()
    (tmp_path / "imdb" / "train" / "unsup" / "0_0.txt").write_text("unlabelled")
    corpus = corpora.corpus("imdb")
    read = {
        split: list(corpora.read_split(corpus, split, root=tmp_path, plugins=plugins)) for split in SPLITS
    }
    texts = {split: {record.text for record in records} for split, records in read.items()}
    assert texts["dev"] == {
        f"train {label} {number} <br />" for label in ("neg", "pos") for number in (8, 18)
    }
    assert len(texts["train"]) == 36
    assert not texts["train"] & texts["dev"]
    assert texts["test"] == {f"test {label} {n} <br />" for label in ("neg", "pos") for n in range(20)}
    for record in itertools.chain.from_iterable(read.values()):
        assert record.cats == {"neg": float(" neg " in record.text), "pos": float(" pos " in record.text)}
