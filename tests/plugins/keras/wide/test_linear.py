"""The linear model inside a classifier: what it says of documents that it saw, and of others."""

from __future__ import annotations

import numpy as np
import pytest
import spacy

import glossator_keras.wide.linear as wide_linear
from glossator.errors import PipelineError, StageError
from glossator.ml.logistic_regression import fit
from glossator_keras.wide.folds import FOLDS, Folds, by_label
from glossator_keras.wide.linear import WIDE, WideLinear

NLP = spacy.blank("en")
ABOUT = {0: ["keel", "mast", "harbour", "oar"], 1: ["flour", "oven", "crust", "yeast"]}
LABELS = np.array([0, 1] * 12)
DOCS = [
    NLP.make_doc(f"the {ABOUT[label][i % 4]} of number {i} and {ABOUT[label][i % 3]}")
    for i, label in enumerate(LABELS.tolist())
]
GOLD = np.eye(2)[LABELS]


@pytest.fixture(scope="module")
def fitted() -> WideLinear:
    wide = WideLinear()
    wide.fit(DOCS, GOLD, exclusive=True)
    return wide


def test_it_is_surer_of_what_it_saw(fitted):
    signs = 2 * GOLD - 1
    seen, unseen = ((logits * signs).sum() for logits in (fitted.logits(DOCS), fitted.unseen_logits(DOCS)))
    assert seen > unseen > 0


def test_a_document_is_answered_by_the_model_that_was_fitted_without_its_fold(monkeypatch):
    learned_from = []

    def watched(design, gold, **settings):
        learned_from.append(gold)
        return fit(design, gold, **settings)

    monkeypatch.setattr(wide_linear, "fit", watched)
    wide = WideLinear()
    wide.fit(DOCS, GOLD, exclusive=True)
    folds = by_label(LABELS)
    assert [len(gold) for gold in learned_from] == [24, *(24 - np.bincount(folds))]
    # Alone or among others, a document is answered by the same model, and not by the one that saw it.
    got = wide.unseen_logits(DOCS)
    for number, doc in enumerate(DOCS):
        np.testing.assert_allclose(wide.unseen_logits([doc])[0], got[number], atol=1e-5)
    # Wrong labels in a fold change what others say of themselves, and nothing in the fold.
    wrong = np.where((folds == 0)[:, None], 1 - GOLD, GOLD)
    monkeypatch.setattr(wide_linear, "by_label", lambda labels: folds)
    other = WideLinear()
    other.fit(DOCS, wrong, exclusive=True)
    chosen = [np.argmax(logits[folds == 0], axis=1).tolist() for logits in (got, other.unseen_logits(DOCS))]
    assert chosen[0] == chosen[1]


def test_new_documents_are_answered_by_the_model_itself(fitted):
    new = [NLP.make_doc("keel"), NLP.make_doc("yeast"), NLP.make_doc(""), NLP.make_doc(" \n")]
    assert np.array_equal(fitted.unseen_logits(new), fitted.logits(new))
    assert fitted.logits(new).argmax(axis=1).tolist()[:2] == [0, 1]
    assert fitted.logits([]).shape == fitted.unseen_logits([]).shape == (0, 2)


def test_equal_documents_share_a_fold(fitted):
    hashes = wide_linear._hashes([*DOCS, *DOCS[::-1]])
    folds = Folds.of(hashes, by_label(np.tile(LABELS, 2))).find(hashes)
    assert np.array_equal(folds[:24], folds[:23:-1])
    assert set(folds.tolist()) == set(range(FOLDS))


def test_training_continues_from_its_state(fitted, tmp_path):
    fitted.to_disk(tmp_path)
    again = WideLinear()
    again.from_disk(tmp_path, labels=2)
    assert np.array_equal(again.logits(DOCS), fitted.logits(DOCS))
    assert np.array_equal(again.unseen_logits(DOCS), again.logits(DOCS))
    again.restore(fitted.state())
    assert np.array_equal(again.unseen_logits(DOCS), fitted.unseen_logits(DOCS))


@pytest.mark.parametrize("damage", ["removed", "cut", "other labels", "not numbers"])
def test_damage_is_an_error(fitted, tmp_path, damage):
    fitted.to_disk(tmp_path)
    file = tmp_path / WIDE
    arrays = dict(np.load(file))
    if damage == "removed":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:-40])
    elif damage == "other labels":
        np.savez(file, **{**arrays, "dense": np.zeros((1, 7), dtype=np.float32)})
    else:
        np.savez(file, **{**arrays, "dense": arrays["dense"] * np.float32(np.nan)})
    with pytest.raises(PipelineError, match=r"wide\.npz"):
        WideLinear().from_disk(tmp_path, labels=2)


def test_a_model_of_other_labels_than_the_network_is_an_error(fitted, tmp_path):
    fitted.to_disk(tmp_path)
    with pytest.raises(PipelineError, match="it has 2 labels, the network 3"):
        WideLinear().from_disk(tmp_path, labels=3)


def test_it_is_fitted_before_it_answers():
    with pytest.raises(StageError, match="not trained"):
        WideLinear().logits(DOCS)
