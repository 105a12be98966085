"""Sub-words: the n-grams and the vectors that gensim and fastText make."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("gensim", reason="needs glossator[vectors]")

from gensim.models import FastText
from gensim.models.fasttext import ft_ngram_hashes, save_facebook_model

from glossator.errors import DataError
from glossator_vectors.analysis.coverage import lookup_kinds
from glossator_vectors.analysis.neighbours import nearest_words
from glossator_vectors.files.importing import import_vectors
from glossator_vectors.folder import subwords
from glossator_vectors.folder.subwords import ngrams
from glossator_vectors.folder.word_vectors import open_vectors

SENTENCES = [
    ["the", "miller", "walked", "to", "the", "mill", "with", "two", "sacks", "of", "barley"],
    ["the", "millers", "of", "Ostrava", "sold", "naïve", "travellers", "stale", "bread"],
    ["walking", "home", "they", "whistled", "and", "the", "mill", "wheel", "turned"],
]
UNSEEN = ["walked", "windmill", "Ostravan", "naïveté", "林小姐", "👩\u200d👧", "a", "é", "x" * 60, "mi<ll>er"]

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.lists(words, max_size=5), st.integers(1, 4), st.integers(0, 3), st.integers(1, 5000))
@example(["é", "", "林小姐", "\x00", "a"], 1, 2, 100)
def test_ngrams_fall_into_the_buckets_that_gensim_puts_them_in(texts, min_n, more, buckets):
    owners, found = ngrams(texts, min_n, min_n + more, buckets)
    assert np.all(np.diff(owners) >= 0)
    for i, text in enumerate(texts):
        wanted = ft_ngram_hashes(text, min_n, min_n + more, buckets)
        assert sorted(found[owners == i].tolist()) == sorted(wanted)


@pytest.fixture(scope="module")
def model():
    return FastText(SENTENCES, vector_size=12, min_count=1, epochs=2, seed=1, workers=1, bucket=300)


@pytest.fixture(scope="module", params=["saved by gensim", "saved as fastText's .bin"])
def vectors(request, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fasttext")
    if "gensim" in request.param:
        model.wv.save(str(folder / "file"))
    else:
        save_facebook_model(model, str(folder / "file"))
    done = import_vectors(folder / "file", folder / "out")
    assert done.format == ("gensim" if "gensim" in request.param else "fasttext")
    return open_vectors(folder / "out")


def test_unseen_words_get_the_vectors_that_gensim_gives(vectors, model):
    made = vectors.subwords.vectors(["", *UNSEEN])
    assert not made[0].any() or "" in model.wv
    for word, vector in zip(UNSEEN[1:], made[2:], strict=True):
        np.testing.assert_allclose(vector, model.wv.get_vector(word), atol=1e-6, err_msg=word)


def test_known_words_keep_their_own_vectors(vectors, model):
    assert vectors.words == model.wv.index_to_key
    np.testing.assert_allclose(vectors.table[1:], model.wv.vectors, atol=1e-6)


def test_many_ngrams_are_summed_in_parts(vectors, monkeypatch):
    whole = vectors.subwords.vectors(UNSEEN)
    monkeypatch.setattr(subwords, "NGRAM_BATCH_SIZE", 7)
    np.testing.assert_allclose(vectors.subwords.vectors(UNSEEN), whole, atol=1e-5)


def test_neighbours_are_those_of_gensim(vectors, model):
    for word in ("mill", "windmill"):
        near = nearest_words(vectors, word, 5)
        assert [n.word for n in near] == [w for w, _ in model.wv.most_similar(word, topn=5)]
        assert near[0].cosine == pytest.approx(model.wv.most_similar(word, topn=1)[0][1], abs=1e-5)


def test_ways_words_are_found(vectors):
    assert lookup_kinds(vectors, ["mill", "MILL", "windmill"]) == ["exact", "lower", "subwords"]


def test_a_damaged_bin_is_an_error(model, tmp_path):
    save_facebook_model(model, str(tmp_path / "model.bin"))
    content = (tmp_path / "model.bin").read_bytes()
    (tmp_path / "model.bin").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="gensim cannot read it"):
        import_vectors(tmp_path / "model.bin", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_ngrams_of_nothing():
    owners, buckets = ngrams([], 3, 6, 10)
    assert len(owners) == len(buckets) == 0
