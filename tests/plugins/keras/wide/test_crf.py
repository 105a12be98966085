"""The sparse CRF inside a tagger: what it says of sentences that it saw, and of those that it did not."""

from __future__ import annotations

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

from glossator.errors import PipelineError, StageError
from glossator.ml import crf_weights
from glossator.ml.crf_training import LabelledWords, fit_crf
from glossator.ml.crf_weights import CRFWeights
from glossator.ml.feature_table import FeatureTable
from glossator.ml.token_features import TokenFeatures
from glossator_keras.wide.crf import WIDE, WideCRF
from glossator_keras.wide.folds import FOLDS, Folds, in_blocks, text_hashes

VOCAB = spacy.blank("en").vocab
FREE = (np.zeros((2, 2)), np.zeros(2), np.zeros(2))
TOWNS = ["Oslo", "Lima", "Skye", "Bath", "Nice", "Cork", "York", "Brno", "Graz", "Bonn", "Pisa", "Linz"]


def sentence(*words: str) -> Doc:
    return Doc(VOCAB, words=list(words), sent_starts=[True] + [False] * (len(words) - 1))


DOCS = [sentence("they", "saw", town, "today") for town in TOWNS]
GOLD = np.array([0, 0, 1, 0] * len(DOCS))


@pytest.fixture(scope="module")
def fitted() -> WideCRF:
    wide = WideCRF()
    wide.fit(DOCS, GOLD, FREE)
    return wide


def test_it_is_surer_of_what_it_saw(fitted):
    seen, unseen = fitted.emissions(DOCS), fitted.unseen_emissions(DOCS)
    margin = [float((rows[2::4, 1] - rows[2::4, 0]).mean()) for rows in (seen, unseen)]
    assert margin[0] > margin[1] > 0


def test_a_sentence_is_answered_by_a_model_that_was_fitted_without_its_fold(monkeypatch):
    monkeypatch.setattr(crf_weights, "_NEGLIGIBLE", 0.0)
    wide = WideCRF()
    wide.fit(DOCS, GOLD, FREE)
    tokens = TokenFeatures.of(DOCS)
    table = FeatureTable.of(tokens.named())
    rows, dense = tokens.rows(table), np.zeros((len(GOLD), 0), dtype=np.float32)
    data = LabelledWords(rows, dense, GOLD, tokens.words.lengths)
    zeros = CRFWeights.zeros(features=len(table), width=0, labels=2)

    hashes = text_hashes(tokens.words.features[:, 0], tokens.words.sentence_starts)
    folds = Folds.of(hashes, in_blocks(len(hashes))).find(hashes)
    got = wide.unseen_emissions(DOCS)
    for fold in range(FOLDS):
        weights = fit_crf(data.sentences(np.flatnonzero(folds != fold)), zeros, FREE)
        words = np.repeat(folds == fold, tokens.words.lengths)
        np.testing.assert_allclose(got[words], weights.emissions(rows, dense)[words], atol=0.02)


def test_new_sentences_are_answered_by_the_model_itself(fitted):
    new = [sentence("we", "saw", "Ghent"), sentence("today")]
    assert np.array_equal(fitted.unseen_emissions(new), fitted.emissions(new))
    mixed = fitted.unseen_emissions([DOCS[0], *new])
    assert np.array_equal(mixed[:4], fitted.unseen_emissions(DOCS[:1]))
    np.testing.assert_allclose(mixed[4:], fitted.emissions(new), atol=1e-6)


def test_white_space_and_empty_docs_have_no_emissions(fitted):
    docs = [Doc(VOCAB, words=[]), Doc(VOCAB, words=["saw", "\n", "Oslo"]), Doc(VOCAB, words=["  "])]
    assert fitted.emissions(docs).shape == fitted.unseen_emissions(docs).shape == (2, 2)
    assert fitted.emissions([]).shape == fitted.unseen_emissions([]).shape == (0, 2)


def test_a_single_sentence_says_nothing_of_itself():
    wide = WideCRF()
    wide.fit(DOCS[:1], GOLD[:4], FREE)
    assert not wide.unseen_emissions(DOCS[:1]).any()


def test_training_continues_from_its_state(fitted, tmp_path):
    fitted.to_disk(tmp_path)
    again = WideCRF()
    again.from_disk(tmp_path, labels=2)
    assert np.array_equal(again.emissions(DOCS), fitted.emissions(DOCS))
    assert np.array_equal(again.unseen_emissions(DOCS), again.emissions(DOCS))
    again.restore(fitted.state())
    assert np.array_equal(again.unseen_emissions(DOCS), fitted.unseen_emissions(DOCS))


@pytest.mark.parametrize("damage", ["removed", "cut", "other labels"])
def test_damage_is_an_error(fitted, tmp_path, damage):
    fitted.to_disk(tmp_path)
    file = tmp_path / WIDE
    if damage == "removed":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:-40])
    else:
        arrays = dict(np.load(file))
        np.savez(file, **{**arrays, "start": np.zeros(7, dtype=np.float16)})
    with pytest.raises(PipelineError, match=r"wide\.npz"):
        WideCRF().from_disk(tmp_path, labels=2)


def test_a_model_of_other_labels_than_the_network_is_an_error(fitted, tmp_path):
    fitted.to_disk(tmp_path)
    with pytest.raises(PipelineError, match="it has 2 labels, the network 3"):
        WideCRF().from_disk(tmp_path, labels=3)


def test_it_is_fitted_before_it_answers():
    with pytest.raises(StageError, match="not trained"):
        WideCRF().emissions(DOCS)
