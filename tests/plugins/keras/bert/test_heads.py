"""The `bert` tagger and classifier: fine-tuned from a tiny random BERT, on sentences that are made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy_bert import NumpyBert
from spacy.tokens import Doc
from spacy.training import Example
from tiny_bert import write_bert

pytest.importorskip("keras_hub", reason="needs glossator[train]")
pytest.importorskip("tensorflow", reason="needs glossator[train]")

from glossator.errors import ConfigError
from glossator.stages import Vectors, VectorSpace
from glossator_keras.bert.classifier import make_classifier
from glossator_keras.bert.tagger import make_tagger

pytestmark = pytest.mark.slow

FAST = {"learn_rate": 3e-3, "head_learn_rate": 1e-2, "warmup_steps": 5}
NONE = Vectors(space=VectorSpace(), values=[])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"))


def tagger_of(folder: Path, write: str = "ents", **settings):
    stage = make_tagger(write, checkpoint=str(folder), **{**FAST, **settings})
    stage.prepare(Path())
    return stage


def classifier_of(folder: Path, **settings):
    stage = make_classifier(checkpoint=str(folder), **{**FAST, **settings})
    stage.prepare(Path())
    return stage


def taught(stage, data, steps: int):
    stage.initialize(data, VectorSpace(), seed=0)
    for _ in range(steps):
        stage.update(data, NONE)
    return stage


def spans_of(answers) -> list:
    return [[(span.start, span.end, span.label) for span in answer] for answer in answers]


def gold_of(data) -> list:
    return [[(span.start, span.end, span.label_) for span in each.reference.ents] for each in data]


def docs_of(data) -> list[Doc]:
    return [example.predicted for example in data]


def share_right(answers, wanted) -> float:
    return float(np.mean([answer == want for answer, want in zip(answers, wanted, strict=True)]))


@pytest.fixture(scope="module")
def tagger(folder, school):
    """A tagger that has learned; only look."""
    stage = taught(tagger_of(folder), school.examples(300), 90)
    stage.finish()
    return stage


def test_it_learns_entities(tagger, school):
    assert tagger.labels == ("CLUB", "LOC", "PER")
    unseen = school.examples(60, seed=1)
    answers = tagger.predict(docs_of(unseen), NONE)
    assert share_right(spans_of(answers), gold_of(unseen)) > 0.85
    assert all(0 < span.score <= 1 for answer in answers for span in answer)


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_it_learns_tags(folder, school, decoder):
    stage = taught(tagger_of(folder, "tag", decoder=decoder), school.examples(300), 90)
    unseen = school.examples(40, seed=1)
    answers = stage.predict(docs_of(unseen), NONE)
    found = [[stage.labels[i] for i in answer.ids] for answer in answers]
    assert share_right(found, [[token.tag_ for token in each.reference] for each in unseen]) > 0.85


def test_capitals_are_seen_by_a_tagger_whose_pieces_have_none(folder, school):
    words = ["lima", "skye", "oslo", "ana", "berg", "boat"]
    data = [
        Example(Doc(school.vocab, words=[word]), Doc(school.vocab, words=[word], tags=[tag]))
        for lower in words
        for word, tag in ((lower, "LOW"), (lower.title(), "TITLE"), (lower.upper(), "UPPER"))
    ]
    stage = taught(tagger_of(folder, "tag"), data, 40)
    answers = stage.predict([Doc(school.vocab, words=["noor", "Noor", "NOOR"])], NONE)
    assert [stage.labels[i] for i in answers[0].ids] == ["LOW", "TITLE", "UPPER"]


def test_a_sentence_longer_than_the_model_is_tagged_as_a_whole(school, tmp_path):
    stage = taught(tagger_of(write_bert(tmp_path, positions=32)), school.examples(60), 60)
    words = ["Ana", "Berg", "saw", "the", "boat", "."] * 50
    [answer] = stage.predict([Doc(school.vocab, words=words)], NONE)
    assert spans_of([answer]) == [[(start, start + 2, "PER") for start in range(0, 300, 6)]]
    long = Doc(school.vocab, words=words, ents=["B-PER", "I-PER", "O", "O", "O", "O"] * 50)
    assert stage.update([Example(Doc(school.vocab, words=words), long)], NONE) < 0.5


def test_a_span_over_the_edge_of_a_window_teaches_nothing_impossible(school, tmp_path):
    stage = tagger_of(write_bert(tmp_path, positions=16))
    stage.initialize(school.examples(60), VectorSpace(), seed=0)
    words = ["Ana", "Berg"] * 20
    for first in range(2):  # one of the two has a person at every edge
        tags = ["O"] * first + ["B-PER", "I-PER"] * 19 + ["O"] * (2 - first)
        example = Example(Doc(school.vocab, words=words), Doc(school.vocab, words=words, ents=tags))
        assert stage.update([example], NONE) < 100


def test_a_huge_word_does_no_harm(tagger, school):
    words = ["Ana", "-".join("ab" * 200), "saw", "\u200d", "\n", "Oslo"]
    [answer] = tagger.predict([Doc(school.vocab, words=words)], NONE)
    assert all(span.end <= len(words) for span in answer)
    blank = [Doc(school.vocab), Doc(school.vocab, words=["\n"])]
    assert [list(spans) for spans in tagger.predict(blank, NONE)] == [[], []]
    assert list(tagger.predict([], NONE)) == []


def test_given_vectors_are_used(folder, school):
    data, rows = [], []
    for word in ["boat", "lima", "skye"]:
        for tag, value in (("LONG", 1), ("SHORT", -1)):
            gold = Doc(school.vocab, words=[word], tags=[tag])
            data.append(Example(Doc(school.vocab, words=[word]), gold))
            rows.append(np.full((1, 2), value, dtype=np.float32))
    given = Vectors(space=VectorSpace(width=2), values=rows)
    stage = tagger_of(folder, "tag")
    stage.initialize(data, given.space, seed=0)
    for _ in range(40):
        stage.update(data, given)
    stage.finish()
    answers = stage.predict(docs_of(data), given)
    assert [stage.labels[answer.ids[0]] for answer in answers] == ["LONG", "SHORT"] * 3


def cats_of(school, words: list[str], **cats: float) -> Example:
    gold = Doc(school.vocab, words=words)
    gold.cats = cats
    return Example(Doc(school.vocab, words=words), gold)


@pytest.fixture(scope="module")
def topics(school) -> list[Example]:
    """Documents whose topic is told by one word of theirs."""
    generator = np.random.default_rng(0)
    made = []
    for _ in range(40):
        at_sea = bool(generator.integers(2))
        words = generator.choice(["the", "old", "of", "saw"], size=5).tolist()
        words[generator.integers(5)] = "boat" if at_sea else "lima"
        made.append(cats_of(school, words, sea=float(at_sea), land=float(not at_sea)))
    return made


@pytest.mark.parametrize("settings", [{}, {"pooling": "cls", "exclusive": False}], ids=str)
def test_it_learns_categories(folder, topics, settings):
    stage = taught(classifier_of(folder, **settings), topics, 40)
    stage.finish()
    answers = stage.predict(docs_of(topics), NONE)
    assert stage.labels == ("land", "sea")
    wanted = [[each.reference.cats[label] for label in stage.labels] for each in topics]
    assert np.abs(answers - wanted).max() < 0.3


def test_a_document_longer_than_the_model_is_the_mean_of_its_windows(topics, school, tmp_path):
    stage = taught(classifier_of(write_bert(tmp_path, positions=32)), topics, 3)
    parts = [["the", "boat"] * 15, ["old", "lima"] * 15, ["of"] * 30]
    whole = Doc(school.vocab, words=[word for part in parts for word in part])
    docs = [Doc(school.vocab, words=part) for part in parts]
    logits = np.log(stage.predict(docs, NONE)).mean(axis=0)
    wanted = np.exp(logits) / np.exp(logits).sum()
    assert stage.predict([whole], NONE)[0] == pytest.approx(wanted, abs=1e-5)
    assert np.isfinite(stage.update([cats_of(school, ["the", "boat"] * 99, sea=1.0)], NONE))
    assert np.isfinite(stage.predict([Doc(school.vocab), whole], NONE)).all()


def test_a_classifier_takes_no_vectors(folder, topics):
    with pytest.raises(ConfigError, match="takes no vectors"):
        classifier_of(folder).initialize(topics, VectorSpace(width=3), seed=0)


def test_a_fresh_one_begins_with_the_checkpoints_weights(folder, topics, tmp_path):
    """Before the first step its hidden states are the checkpoint's: only the head is new."""
    stage = classifier_of(folder)
    stage.initialize(topics, VectorSpace(), seed=0)
    stage.to_disk(tmp_path)
    table = NumpyBert(folder).weights["embeddings.word_embeddings.weight"]
    with np.load(tmp_path / "weights.npz") as arrays:
        assert any(array.shape == table.shape and np.allclose(array, table) for array in arrays.values())


@pytest.mark.parametrize(("freeze", "moving"), [(0, {"token_embedding", "0", "1"}), (1, {"1"}), (2, set())])
def test_frozen_layers_stay_as_they_are(folder, topics, freeze, moving):
    stage = classifier_of(folder, freeze=freeze)
    stage.initialize(topics, VectorSpace(), seed=0)
    network = stage.network._current_learner().network
    before = {variable.path: variable.numpy().copy() for variable in network.variables}
    for _ in range(2):
        stage.update(topics, NONE)
    moved = {
        v.path.partition("/")[0] for v in network.variables if not np.array_equal(before[v.path], v.numpy())
    }
    body = {name.removeprefix("transformer_layer_") for name in moved if name != "logits"}
    assert "logits" in moved
    assert body & {"token_embedding", "0", "1"} == moving


def test_more_frozen_layers_than_there_are_is_an_error(folder, topics):
    with pytest.raises(ConfigError, match="freeze = 3: the model has 2 layers"):
        classifier_of(folder, freeze=3).initialize(topics, VectorSpace(), seed=0)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("freeze", -1),
        ("accumulate", 0),
        ("learn_rate", 0.0),
        ("dropout", 1.0),
        ("decoder", "beam"),
        ("warmup_steps", 1.5),
    ],
)
def test_settings_out_of_range_are_named(setting, value):
    with pytest.raises(ConfigError, match=setting):
        make_tagger(checkpoint="any", **{setting: value})


def test_a_head_is_taught_on_from_its_training_state(folder, school):
    data = school.examples(20)
    settings = {"accumulate": 2, "decay_steps": 20, "dropout": 0.2}
    one = taught(tagger_of(folder, **settings), data, 3)
    state = {name: array.copy() for name, array in one.training_state().items()}
    wanted = [one.update(data, NONE) for _ in range(3)]
    other = tagger_of(folder, **settings)
    other.initialize(data, VectorSpace(), seed=0)
    other.restore(state)
    assert [other.update(data, NONE) for _ in range(3)] == wanted
