from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin

pytestmark = pytest.mark.slow

WANTED = "scikit-learn or CRFsuite is not installed: pip install 'glossator[benchmarks]'"
pytest.importorskip("sklearn", reason=WANTED)
pytest.importorskip("pycrfsuite", reason=WANTED)
small_data = importlib.import_module("small_data")

SCRIPT = Path(small_data.__file__)
NLP = spacy.blank("en")


def shares(labels):
    return {"ham": 0.8, "spam": 0.2}


SPAM = small_data.SmallCorpus("smsspam", "cats", "cats_macro_f", shares)


def messages(ham, spam):
    docs = []
    for label, count in (("ham", ham), ("spam", spam)):
        for number in range(count):
            doc = Doc(NLP.vocab, words=[label, str(number)])
            doc.cats = {"ham": float(label == "ham"), "spam": float(label == "spam")}
            docs.append(doc)
    return small_data.pool_of(SPAM, docs, docs[:3])


def drawn(pool, size, dev_size, seed, folder):
    small_data.draw(pool, size, dev_size, seed, folder)
    return {
        split: [doc.text.strip() for doc in DocBin().from_disk(folder / f"{split}.spacy").get_docs(NLP.vocab)]
        for split in ("train", "dev", "test")
    }


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000))
def test_draws_share_nothing_with_the_dev_set_and_keep_the_shares(seed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("draw")
    pool = messages(100, 40)
    sets = drawn(pool, 50, 20, seed, folder)
    assert len(set(sets["train"])) == 50
    assert len(set(sets["dev"])) == 20
    assert not set(sets["train"]) & set(sets["dev"])
    assert sum(text.startswith("spam") for text in sets["train"]) == 10
    assert sum(text.startswith("spam") for text in sets["dev"]) == 4
    assert sets["test"] == [doc.text.strip() for doc in pool.test]


def test_seeds_draw_differently_and_again_the_same(tmp_path):
    pool = messages(100, 40)
    first, again, other = (drawn(pool, 10, 20, seed, tmp_path) for seed in (0, 0, 1))
    assert first == again
    assert set(first["train"]) != set(other["train"])


def test_too_few_documents_of_a_label_are_an_error(tmp_path):
    with pytest.raises(click.ClickException, match=r"10 \+ 4 documents are wanted where there are 13"):
        drawn(messages(100, 13), 50, 20, 0, tmp_path)


def test_five_intents_are_every_second_of_the_first_ten(tmp_path):
    docs = []
    for letter in "lkjihgfedcba" * 6:
        doc = Doc(NLP.vocab, words=[letter, str(len(docs))])
        doc.cats = {letter: 1.0}
        docs.append(doc)
    pool = small_data.pool_of(small_data.CORPORA["banking77"], docs, docs)
    assert len(pool.test) == 5 * 6
    sets = drawn(pool, 10, 20, 0, tmp_path)
    assert sorted(text[0] for text in sets["train"]) == list("aacceeggii")
    assert sorted(text[0] for text in sets["dev"]) == sorted("acegi" * 4)
    assert set(sets["test"]) == {doc.text.strip() for doc in docs if doc.text[0] in "acegi"}
    for stored in DocBin().from_disk(tmp_path / "dev.spacy").get_docs(NLP.vocab):
        assert stored.cats == {letter: float(letter == stored.text[0]) for letter in "acegi"}


def test_the_interval_is_students():
    # t with 4 degrees of freedom at 97.5%: 2.776; the standard error of the mean is sqrt(2.5) / sqrt(5)
    low, high = small_data.mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (low, high) == pytest.approx((3 - 2.776 * 0.5**0.5, 3 + 2.776 * 0.5**0.5), abs=1e-3)


def test_baselines_and_stages_learn_from_the_same_draws():
    options = [
        "--size",
        "20",
        "--dev",
        "10",
        "--draws",
        "2",
        "--stage",
        "crf",
        "--stage",
        "linear",
        "--markdown",
    ]
    done = subprocess.run(
        [sys.executable, SCRIPT, "samples", "samples_reviews", *options],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    lines = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| s")]
    assert [line[:4] for line in lines] == [
        ["samples", "ents_f", "20", "baseline"],
        ["samples", "ents_f", "20", "crf"],
        ["samples_reviews", "cats_macro_f", "20", "baseline"],
        ["samples_reviews", "cats_macro_f", "20", "linear"],
    ]
    for baseline, stage in (lines[:2], lines[2:]):
        theirs, ours = (float(line[4].split()[0]) for line in (baseline, stage))
        assert theirs > 30, "it hardly learned"
        difference, low, _, high = stage[5].replace("(", "").replace(")", "").split()
        assert float(difference) == pytest.approx(ours - theirs, abs=0.011)
        assert float(low) <= float(difference) <= float(high)
        assert stage[6] == ("better" if float(low) > 0 else "worse" if float(high) < 0 else "undecided")


def test_a_stage_that_no_plugin_has_is_an_error():
    with pytest.raises(click.BadParameter, match="no tagger or classifier is called nonsense"):
        small_data.stages_for(SPAM, ["linear", "nonsense"])
    assert small_data.stages_for(SPAM, ["crf", "linear"]) == ["linear"]
