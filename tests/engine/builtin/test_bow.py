from __future__ import annotations

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example

from glossator.builtin.bow import BagOfWords, _keys, _network
from glossator.errors import ConfigError, StageError
from glossator.stages import Vectors, VectorSpace

NLP = spacy.blank("en")
TOPICS = {
    "boats": ["sail", "mast", "keel"],
    "food": ["soup", "bread", "plum"],
    "rain": ["wet", "cloud", "drip"],
}


def vectors(docs, width: int = 0) -> Vectors:
    values = [
        np.asarray([[len(t) / 9] * width for t in doc], dtype=np.float32).reshape(len(doc), width)
        for doc in docs
    ]
    return Vectors(space=VectorSpace(width=width), values=values)


def examples(number: int, seed: int = 0, several: bool = False) -> list[Example]:
    """Documents on one topic, or on several at once, told by their words."""
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        chosen = generator.permutation(list(TOPICS))[: generator.integers(0, 4) if several else 1]
        words = ["the", "and", "so"]
        for topic in chosen:
            words += generator.choice(TOPICS[topic], size=2).tolist()
        words = generator.permutation(words).tolist()
        gold = Doc(NLP.vocab, words=words)
        gold.cats = {topic: float(topic in chosen) for topic in TOPICS}
        made.append(Example(Doc(NLP.vocab, words=words), gold))
    return made


def learn(data, steps: int = 40, seed: int = 0, width: int = 0, **settings) -> BagOfWords:
    stage = BagOfWords(**{"width": 8, "rows": 500, "learn_rate": 0.02, **settings})
    stage.initialize(data, VectorSpace(width=width), seed=seed)
    go_on(stage, data, steps, width)
    return stage


def go_on(stage, data, steps: int, width: int = 0) -> list[float]:
    return [stage.update(data, vectors([e.predicted for e in data], width)) for _ in range(steps)]


def predicted(stage, data, width: int = 0) -> np.ndarray:
    docs = [e.predicted for e in data]
    return stage.predict(docs, vectors(docs, width))


def gold_of(stage, data) -> np.ndarray:
    return np.asarray([[e.reference.cats[label] for label in stage.labels] for e in data])


@pytest.mark.parametrize("width", [0, 2])
def test_it_learns_one_label_of_several(width):
    stage, test = learn(examples(60), width=width), examples(60, seed=1)
    answers = predicted(stage, test, width)
    assert stage.labels == ("boats", "food", "rain")
    assert answers.shape == (60, 3)
    assert answers.sum(axis=1) == pytest.approx(np.ones(60), abs=1e-5)
    assert (answers.argmax(axis=1) == gold_of(stage, test).argmax(axis=1)).mean() > 0.95


def test_it_learns_any_number_of_labels():
    data = examples(120, several=True)
    stage, test = learn(data, 80, exclusive=False), examples(60, seed=1, several=True)
    answers = predicted(stage, test)
    assert ((answers > 0.5) == (gold_of(stage, test) == 1)).mean() > 0.95
    assert ((answers >= 0) & (answers <= 1)).all()
    sums = answers.sum(axis=1)
    assert sums.min() < 0.5
    assert sums.max() > 2


def test_the_order_of_neighbours_counts():
    data = []
    for words, label in ((["not", "good"], "bad"), (["good", "not"], "fine")) * 6:
        gold = Doc(NLP.vocab, words=words)
        gold.cats = {"bad": float(label == "bad"), "fine": float(label == "fine")}
        data.append(Example(Doc(NLP.vocab, words=words), gold))
    stage = learn(data, 80, dropout=0.0)
    assert (predicted(stage, data).argmax(axis=1) == gold_of(stage, data).argmax(axis=1)).all()


def test_labels_the_gold_does_not_spell_out():
    """An exclusive document's other labels are wrong; a multi-label one's are not known."""
    short = []
    for example in examples(60):
        gold = Doc(NLP.vocab, words=[t.text for t in example.reference])
        gold.cats = {label: 1.0 for label, value in example.reference.cats.items() if value}
        short.append(Example(example.predicted, gold))
    whole = examples(60)
    assert np.array_equal(predicted(learn(short, 3), whole), predicted(learn(whole, 3), whole))
    sure = learn(short, 60, exclusive=False)
    assert (predicted(sure, whole) > 0.5).all()


def test_a_seed_gives_one_result_and_another_another():
    data = examples(20)
    first, again, other = learn(data, 4), learn(data, 4), learn(data, 4, seed=1)
    assert np.array_equal(predicted(first, data), predicted(again, data))
    assert not np.array_equal(predicted(first, data), predicted(other, data))
    first.calibrate(data, vectors([e.predicted for e in data]))
    first.initialize(data, VectorSpace(), seed=0)
    go_on(first, data, 4)
    assert np.array_equal(predicted(first, data), predicted(again, data))


def test_a_run_that_was_cut_off_ends_where_an_undisturbed_one_does(tmp_path):
    data = examples(20)
    whole, half = learn(data, 8), learn(data, 4)
    half.to_disk(tmp_path)
    state = {name: array.copy() for name, array in half.training_state().items()}
    go_on(half, data, 3)
    resumed = BagOfWords(learn_rate=0.02)
    resumed.initialize(data, VectorSpace(), seed=9)
    resumed.from_disk(tmp_path)
    resumed.restore(state)
    go_on(resumed, data, 4)
    assert np.array_equal(predicted(resumed, data), predicted(whole, data))


@pytest.mark.parametrize("exclusive", [True, False])
def test_saved_and_loaded_it_answers_the_same(tmp_path, exclusive):
    data = examples(20)
    stage = learn(data, 4, exclusive=exclusive, width=2)
    stage.calibrate(data, vectors([e.predicted for e in data], 2))
    stage.to_disk(tmp_path)
    loaded = BagOfWords()
    loaded.from_disk(tmp_path)
    assert (loaded.labels, loaded.exclusive) == (stage.labels, exclusive)
    assert np.array_equal(predicted(loaded, data, 2), predicted(stage, data, 2))


def test_answers_do_not_depend_on_the_batch_or_white_space():
    stage, test = learn(examples(40), 10, width=2), examples(10, seed=1)
    together = predicted(stage, test, 2)
    for example, row in zip(test, together, strict=True):
        words = [t.text for t in example.predicted]
        spaced = Doc(NLP.vocab, words=["\n", *words[:2], "  ", *words[2:], "\n"])
        for doc in (example.predicted, spaced):
            [alone] = stage.predict([doc], vectors([doc], 2))
            assert alone == pytest.approx(row, abs=1e-5)


def test_a_long_document_is_taken_whole(monkeypatch):
    stage = learn(examples(40), 20)
    words = ["sail"] * 300 + ["soup"] * 700
    doc = Doc(NLP.vocab, words=words)
    whole = stage.predict([doc], vectors([doc]))
    monkeypatch.setattr("glossator.builtin.bow.SLICE_KEYS", 64)
    assert stage.predict([doc], vectors([doc])) == pytest.approx(whole, abs=1e-6)
    assert stage.labels[whole[0].argmax()] == "food"
    flipped = Doc(NLP.vocab, words=["sail"] * 700 + ["soup"] * 300)
    assert stage.labels[stage.predict([flipped], vectors([flipped]))[0].argmax()] == "boats"


@pytest.mark.parametrize("exclusive", [True, False])
def test_calibration_changes_scores_and_no_label(exclusive):
    stage = learn(examples(60), 80, exclusive=exclusive)
    noisy = examples(100, seed=2)
    generator = np.random.default_rng(0)
    for example in noisy:  # one document in three is on something else than it says
        if generator.random() < 1 / 3:
            topic = str(generator.choice(list(TOPICS)))
            example.reference.cats = {label: float(label == topic) for label in TOPICS}
    before, gold = predicted(stage, noisy), gold_of(stage, noisy)
    stage.calibrate(noisy, vectors([e.predicted for e in noisy]))
    after = predicted(stage, noisy)
    # Near 0 and 1 different logits may give equal probabilities in single precision: then any order is right.
    ranked = np.take_along_axis(after, before.argsort(axis=1), axis=1)
    assert (np.diff(ranked, axis=1) > -1e-6).all()
    told = np.abs(before - 0.5) > 1e-6
    assert exclusive or np.array_equal((before > 0.5)[told], (after > 0.5)[told])

    def unlikeliness(answers):
        return -(gold * np.log(answers + 1e-9) + (1 - gold) * np.log(1 - answers + 1e-9)).mean()

    assert unlikeliness(after) < unlikeliness(before)


@pytest.mark.parametrize("width", [0, 2])
def test_documents_without_words(width):
    stage = learn(examples(10), 1, width=width)
    assert stage.predict([], vectors([], width)).shape == (0, 3)
    docs = [Doc(NLP.vocab), Doc(NLP.vocab, words=["\n"]), Doc(NLP.vocab, words=["sail"])]
    answers = stage.predict(docs, vectors(docs, width))
    assert np.array_equal(answers[0], answers[1])
    assert np.isfinite(answers).all()
    stage.calibrate([], vectors([], width))
    gold = Doc(NLP.vocab)
    gold.cats = dict.fromkeys(TOPICS, 0.0)
    assert go_on(stage, [Example(Doc(NLP.vocab), gold)], 2, width) == [0.0, 0.0]
    assert np.isfinite(go_on(stage, [Example(Doc(NLP.vocab), gold), *examples(3)], 2, width)).all()


def test_keys_are_the_lower_cased_words_and_ordered_pairs():
    first, second, third = _keys([NLP("Soup and\nBread"), NLP("soup AND bread"), NLP("and soup bread")])
    assert first.tolist() == second.tolist()
    assert len(first) == 5
    assert set(first[:3]) == set(third[:3])
    assert set(first[3:]).isdisjoint(third[3:])
    assert [len(keys) for keys in _keys([NLP(""), NLP("one")])] == [0, 1]


def test_gradients_are_those_of_the_network():
    network = _network(labels=3, vectors=2, width=4, rows=9)
    network.initialize()
    generator = np.random.default_rng(0)
    for node in network.walk():
        for name in node.param_names:
            shape = node.get_param(name).shape
            node.set_param(name, generator.normal(size=shape).astype(np.float32))
    bags = [generator.integers(0, 2**60, size=size).astype(np.uint64) for size in (3, 0, 5, 1)]
    inputs = (bags, generator.normal(size=(4, 2)).astype(np.float32))
    weights = generator.normal(size=(4, 3)).astype(np.float32)
    logits, backprop = network.begin_update(inputs)
    assert logits == pytest.approx(network.predict(inputs), abs=1e-5)
    backprop(weights)
    checked = 0
    for node in network.walk():
        for name in node.param_names:
            array, gradient = node.get_param(name), node.get_grad(name)
            for place in np.ndindex(array.shape):
                kept, values = array[place], []
                for step in (0.5, -0.5):  # the logits are linear in every weight
                    array[place] = kept + np.float32(step)
                    values.append(float((network.predict(inputs).astype(np.float64) * weights).sum()))
                array[place] = kept
                assert values[0] - values[1] == pytest.approx(gradient[place], rel=1e-3, abs=1e-4)
                checked += 1
    assert checked == 9 * 4 + 3 * 6 + 3


def test_misuse_is_named(tmp_path):
    with pytest.raises(ConfigError, match="width and rows must be at least 1"):
        BagOfWords(width=0)
    stage = BagOfWords()
    with pytest.raises(StageError, match="not trained yet"):
        stage.predict([NLP("x")], vectors([NLP("x")]))
    with pytest.raises(StageError, match="nothing to save"):
        stage.to_disk(tmp_path)
    with pytest.raises(ConfigError, match="remove tune = true"):
        stage.initialize(examples(3), VectorSpace(tables=(np.zeros((2, 2)),)), seed=0)
    one = Doc(NLP.vocab, words=["x"])
    one.cats = {"only": 1.0}
    with pytest.raises(StageError, match=r"the categories \['only'\]: too few to learn from"):
        stage.initialize([Example(Doc(NLP.vocab, words=["x"]), one)], VectorSpace(), seed=0)
    BagOfWords(exclusive=False).initialize([Example(Doc(NLP.vocab, words=["x"]), one)], VectorSpace(), seed=0)


def test_soft_labels_of_exclusive_categories_rule_out_the_others():
    def with_cats(cats: dict[str, float]) -> list[Example]:
        data = examples(30)
        for example in data:
            [topic] = [label for label, value in example.reference.cats.items() if value]
            example.reference.cats = {label: value for label, value in cats.items() if label == topic}
        return data

    soft = learn(with_cats(dict.fromkeys(TOPICS, 0.9)))
    spelt_out = examples(30)
    for example in spelt_out:
        example.reference.cats = {label: 0.9 * value for label, value in example.reference.cats.items()}
    np.testing.assert_array_equal(predicted(soft, spelt_out), predicted(learn(spelt_out), spelt_out))
