"""Training vectors: the corpus on disk, and gensim's own result."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("gensim", reason="needs glossator[vectors]")

from gensim.models import FastText, Word2Vec
from toy_vectors import TEXTS, wanted_sentences

from glossator.builtin.tokenizers import SpacyTokenizer
from glossator.errors import DataError, UsageError
from glossator_vectors.folder.word_vectors import open_vectors
from glossator_vectors.training import tokenized_corpus as corpus_module
from glossator_vectors.training.progress import TrainingProgress
from glossator_vectors.training.settings import TrainingSettings
from glossator_vectors.training.tokenized_corpus import TokenizedCorpus
from glossator_vectors.training.trainer import BUCKETS, train_vectors

SMALL = {"width": 8, "window": 2, "min_count": 2, "epochs": 2, "seed": 3}


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
