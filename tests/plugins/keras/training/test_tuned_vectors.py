"""Tables that stages tune: the rows they meet move as Adam moves them, and no other."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs glossator[train]")
tf = pytest.importorskip("tensorflow", reason="needs glossator[train]")

import spacy  # noqa: E402
from spacy.training import Example  # noqa: E402

from glossator.errors import PipelineError  # noqa: E402
from glossator.stages import Vectors, VectorSpace  # noqa: E402
from glossator_keras.models.bilstm_crf import make_tagger  # noqa: E402
from glossator_keras.models.cnn import make_classifier  # noqa: E402
from glossator_keras.training.tuned_vectors import TUNED, TunedTable  # noqa: E402

pytestmark = pytest.mark.slow

NLP = spacy.blank("en")
WORDS = ["", "keel", "oven", "wing", "the", "of"]
TABLE = np.random.default_rng(0).normal(size=(len(WORDS), 4)).astype(np.float32)
TABLE[0] = 0


def test_rows_move_as_adam_moves_them():
    generator = np.random.default_rng(1)
    tuned = TunedTable(4, learn_rate=0.01)
    weight = tf.Variable(TABLE)
    adam = keras.optimizers.Adam(0.01)
    adam.build([weight])
    for _ in range(20):
        rows = np.arange(1, len(WORDS))
        gradient = generator.normal(size=(len(rows), 4)).astype(np.float32)
        tuned.learn(rows, gradient, TABLE, decay=0.5)
        adam.apply([tf.constant(np.concatenate([np.zeros((1, 4), np.float32), gradient]))])
    found = tuned.look_up(np.arange(len(WORDS)), TABLE, training=True)
    np.testing.assert_allclose(found, weight.numpy(), atol=1e-5)


def test_what_several_words_say_of_a_row_adds_up():
    one, other = TunedTable(4, 0.01), TunedTable(4, 0.01)
    gradient = np.random.default_rng(2).normal(size=(3, 4)).astype(np.float32)
    one.learn(np.array([2, 2, 2]), gradient, TABLE, decay=0.0)
    other.learn(np.array([2]), gradient.sum(axis=0, keepdims=True), TABLE, decay=0.0)
    rows = np.array([2, 1, 2])
    np.testing.assert_allclose(
        one.look_up(rows, TABLE, training=True), other.look_up(rows, TABLE, training=True), rtol=1e-6
    )


def test_rows_not_met_stay_and_so_does_that_of_nothing():
    tuned = TunedTable(4, 0.1)
    tuned.learn(np.array([0, 3]), np.ones((2, 4), dtype=np.float32), TABLE, decay=0.0)
    found = tuned.look_up(np.arange(len(WORDS)), TABLE, training=True)
    moved = (found != TABLE).any(axis=1)
    assert moved.tolist() == [False, False, False, True, False, False]


def test_what_annotates_is_the_average_over_steps():
    tuned = TunedTable(4, 0.1)
    met = []
    for step in range(5):
        tuned.learn(np.array([1]), np.full((1, 4), step + 1, dtype=np.float32), TABLE, decay=0.75)
        met.append(tuned.look_up(np.array([1]), TABLE, training=True))
    average = TABLE[1]
    for value in met:
        average = average + 0.25 * (value - average)
    np.testing.assert_allclose(tuned.look_up(np.array([1]), TABLE), average, rtol=1e-5)


def vectors_of(docs) -> Vectors:
    rows = [
        np.asarray([WORDS.index(t.text) if t.text in WORDS else 0 for t in doc], dtype=int) for doc in docs
    ]
    values = [np.zeros((len(doc), 0), dtype=np.float32) for doc in docs]
    return Vectors(space=VectorSpace(tables=(TABLE,)), values=values, rows=(rows,))


def lessons():
    made = []
    for words, label in (("the keel of", "boat"), ("oven the", "bread"), ("wing of the", "bird")) * 4:
        gold = NLP.make_doc(words)
        gold.cats = {label: 1.0}
        for token in gold:
            token.tag_ = "THING" if token.text in WORDS[1:4] else "WORD"
        made.append(Example(NLP.make_doc(words), gold))
    return made


SMALL = {"filters": 8, "embedding_width": 8, "learn_rate": 0.02}
STAGES = {
    "classifier": lambda: make_classifier(**SMALL, dropout=0.1, word_dropout=0.1),
    "tagger": lambda: make_tagger("tag", width=8, learn_rate=0.02),
}


def plain(answers):
    return answers if isinstance(answers, np.ndarray) else [answer.probabilities for answer in answers]


@pytest.mark.parametrize("kind", STAGES)
def test_a_stage_tunes_saves_and_goes_on(kind, tmp_path):
    data = lessons()
    docs = [example.predicted for example in data]
    stage = STAGES[kind]()
    given = vectors_of(docs)
    stage.initialize(data, given.space, seed=0)
    losses = [stage.update(data, given) for _ in range(25)]
    assert losses[-1] < losses[0] / 2
    tuned = stage.network.vectors._tables[0]
    assert (tuned.look_up(np.arange(len(WORDS)), TABLE) != TABLE).any(axis=1).tolist() == [False] + [True] * 5
    stage.finish()
    stage.to_disk(tmp_path)
    state = dict(stage.training_state())
    again = STAGES[kind]()
    again.from_disk(tmp_path)
    for one, other in zip(plain(stage.predict(docs, given)), plain(again.predict(docs, given)), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    again.restore(state)
    assert again.update(data, given) == pytest.approx(stage.update(data, given), abs=1e-6)
    (tmp_path / TUNED).write_bytes(b"no arrays")
    with pytest.raises(PipelineError, match=TUNED):
        STAGES[kind]().from_disk(tmp_path)
