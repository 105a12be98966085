"""Classifiers made of a network: what they learn and refuse; padding and batches change nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

keras = pytest.importorskip("keras", reason="needs glossator[train]")
pytest.importorskip("tensorflow", reason="needs glossator[train]")

import spacy  # noqa: E402
from spacy.training import Example  # noqa: E402

from glossator.errors import ConfigError, PipelineError, StageError  # noqa: E402
from glossator.ml.words import words_of  # noqa: E402
from glossator.stages import Vectors, VectorSpace  # noqa: E402
from glossator_keras import classifier  # noqa: E402
from glossator_keras.encoding.doc_windows import windows_of  # noqa: E402
from glossator_keras.encoding.hashed_words import HashedWords, encode, padded_sequences  # noqa: E402
from glossator_keras.models import cnn, lstm  # noqa: E402
from glossator_keras.network import NetworkConfig  # noqa: E402
from glossator_keras.training.losses import exclusive_loss, independent_loss  # noqa: E402
from glossator_keras.wide.linear import WIDE, WideLinear  # noqa: E402

pytestmark = pytest.mark.slow

NLP = spacy.blank("en")
WORDS = {
    "boats": ["keel", "mast", "harbour", "oar"],
    "bread": ["flour", "oven", "crust", "yeast"],
    "birds": ["wing", "nest", "feather"],
}
FILLING = ["the", "a", "of", "near", "old", "seen", "and", "two"]
LABELS = tuple(sorted(WORDS))
LEARNING = {"learn_rate": 0.02, "dropout": 0.1, "word_dropout": 0.1, "embedding_width": 12}
CNN = {"filters": 16, **LEARNING}
LSTM = {"widths": [12], **LEARNING}
KINDS = {
    "cnn": (cnn.make_classifier, CNN),
    "cnn, one convolution and a hidden layer": (
        cnn.make_classifier,
        {**CNN, "widths": [5], "hidden_widths": [8], "bag": False},
    ),
    "lstm, max": (lstm.make_classifier, LSTM),
    "lstm, last of two": (lstm.make_classifier, {**LSTM, "pooling": "last", "widths": [12, 8]}),
    "lstm, last of one direction": (
        lstm.make_classifier,
        {**LSTM, "pooling": "last", "bidirectional": False},
    ),
    "gru, mean": (lstm.make_classifier, {**LSTM, "pooling": "mean", "cell": "gru"}),
    "lstm, attention": (lstm.make_classifier, {**LSTM, "pooling": "attention"}),
    "cnn, no linear model": (cnn.make_classifier, {**CNN, "wide": False}),
}


def text(generator: np.random.Generator, about: list[str], fillers: int = 6) -> str:
    words = [str(generator.choice(WORDS[label])) for label in about for _ in range(2)]
    words += [str(generator.choice(FILLING)) for _ in range(generator.integers(0, fillers))]
    return " ".join(generator.permutation(words))


def examples(number: int, seed: int = 0, *, exclusive: bool = True) -> list[Example]:
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        most = 1 if exclusive else 3
        about = [str(x) for x in generator.permutation(LABELS)[: generator.integers(exclusive, most + 1)]]
        said = text(generator, about)
        gold = NLP.make_doc(said)
        gold.cats = {label: float(label in about) for label in LABELS}
        made.append(Example(NLP.make_doc(said), gold))
    return made


def vectors_of(docs, width: int = 0) -> Vectors:
    values = [
        np.asarray([[len(token) / 9] * width for token in doc]).reshape(len(doc), width) for doc in docs
    ]
    return Vectors(space=VectorSpace(width=width), values=values)


def teach(stage, data, steps: int = 20, width: int = 0) -> list[float]:
    stage.initialize(data, VectorSpace(width=width), seed=0)
    docs = [example.predicted for example in data]
    return [stage.update(data, vectors_of(docs, width)) for _ in range(steps)]


def predict(stage, docs, width: int = 0):
    return stage.predict(docs, vectors_of(docs, width))


@pytest.fixture(scope="module")
def trained():
    """Classifiers of each kind that have learned; only to be looked at."""
    made = {}

    def of(kind: str, *, exclusive: bool = True, width: int = 0):
        if (kind, exclusive, width) not in made:
            make, chosen = KINDS[kind]
            stage = make(exclusive=exclusive, **chosen)
            teach(stage, examples(60, exclusive=exclusive), width=width)
            stage.finish()
            made[kind, exclusive, width] = stage
        return made[kind, exclusive, width]

    return of


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_which_words_tell(trained, kind):
    stage = trained(kind)
    assert stage.labels == LABELS
    new = examples(40, seed=1)
    answers = predict(stage, [example.predicted for example in new])
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)
    right = [
        example.reference.cats[LABELS[best]]
        for example, best in zip(new, answers.argmax(axis=1), strict=True)
    ]
    assert np.mean(right) > 0.9


@pytest.mark.parametrize("kind", ["cnn", "lstm, max"])
def test_it_learns_any_number_of_labels(trained, kind):
    stage = trained(kind, exclusive=False)
    new = examples(40, seed=1, exclusive=False)
    answers = predict(stage, [example.predicted for example in new]) > 0.5
    gold = [[example.reference.cats[label] > 0 for label in LABELS] for example in new]
    assert (answers == gold).mean() > 0.9


@pytest.mark.parametrize("width", [0, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_batches_change_no_score_whatever_runs_the_network(trained, kind, width, tmp_path):
    stage = trained(kind, width=width)
    docs = [example.predicted for example in examples(30, seed=2)]
    docs += [NLP.make_doc(""), NLP.make_doc(" \n "), NLP.make_doc("oar"), NLP.make_doc("nest of the " * 150)]
    together = predict(stage, docs, width)
    alone = np.concatenate([predict(stage, [doc], width) for doc in docs])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    order = np.random.default_rng(0).permutation(len(docs))
    shuffled = predict(stage, [docs[i] for i in order], width)
    np.testing.assert_allclose(shuffled, together[order], atol=1e-5)
    stage.to_disk(tmp_path)
    make, chosen = KINDS[kind]
    in_keras = make(**chosen, runtime="keras")
    in_keras.from_disk(tmp_path)
    np.testing.assert_allclose(predict(in_keras, docs, width), together, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_no_score(kind):
    make, chosen = KINDS[kind]
    stage = make(**chosen)
    network = stage._build_network(NetworkConfig(outputs=3, settings=stage._settings))
    encoded = encode([example.predicted for example in examples(6, seed=3)])
    windows = windows_of(encoded.words)
    (batch,) = padded_sequences(encoded, windows.starts, windows.lengths, 10_000)
    inputs = HashedWords().inputs(batch, None)
    wider = {**inputs, "words": np.pad(inputs["words"], ((0, 0), (0, 9)))}
    # A wider batch rounds differently, in the seventh digit; padding that leaks shows in the second.
    np.testing.assert_allclose(network(inputs), network(wider), atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(1, 7), st.integers(1, 4))
def test_windows_hold_each_word_once_and_are_about_as_long(sizes, window, most):
    docs = [NLP.make_doc(" ".join(["word"] * size)) for size in sizes]
    words = words_of(docs, ())
    windows = windows_of(words, window)
    held = [np.arange(start, start + n) for start, n in zip(windows.starts, windows.lengths, strict=True)]
    np.testing.assert_array_equal(np.concatenate(held), np.arange(sum(sizes)))
    assert (windows.lengths <= window).all()
    for doc, size in enumerate(sizes):
        lengths = windows.lengths[windows.docs == doc]
        assert len(lengths) == max(1, -(-size // window))
        assert lengths.max() - lengths.min() <= 1
    rows = np.random.default_rng(0).normal(size=(len(windows.docs), 2))
    means = windows.mean(rows, len(sizes))
    for doc in range(len(sizes)):
        chosen = windows.docs == doc
        weights = np.maximum(windows.lengths[chosen], 1)
        np.testing.assert_allclose(means[doc], np.average(rows[chosen], axis=0, weights=weights), rtol=1e-5)
    sample = windows.sample(most, np.random.default_rng(1))
    assert set(zip(sample.docs, sample.starts, strict=True)) <= set(
        zip(windows.docs, windows.starts, strict=True)
    )
    for doc in range(len(sizes)):
        assert (sample.docs == doc).sum() == min(most, (windows.docs == doc).sum())


@pytest.mark.parametrize("place", [0, 1, 2])
def test_every_window_of_a_long_document_counts(trained, place):
    stage = trained("cnn", exclusive=False)
    filling = [" ".join(FILLING * 60) for _ in range(3)]
    answers = []
    for word in ("keel", "wing"):
        parts = [*filling[:place], " ".join([word] * 300), *filling[place:]]
        answers.append(predict(stage, [NLP.make_doc(" ".join(parts))])[0])
    (boats, _), (_, birds) = (
        [answer[LABELS.index(label)] for label in ("boats", "birds")] for answer in answers
    )
    assert boats > answers[1][LABELS.index("boats")]
    assert birds > answers[0][LABELS.index("birds")]


def test_a_long_document_is_learned_from_in_one_step():
    data = [*examples(4), *examples(1, seed=9)]
    long = NLP.make_doc("wing nest feather old and two " * 2_000)
    long.cats = {"birds": 1.0}
    data.append(Example(NLP.make_doc(long.text), long))
    losses = teach(cnn.make_classifier(**CNN), data, steps=2)
    assert np.isfinite(losses).all()


def probabilities_of(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_the_exclusive_loss_is_the_weighted_smoothed_cross_entropy():
    logits = np.array([[0.2, -1.0, 0.5], [1.0, 0.0, 2.0], [0.0, 0.0, 0.0]], dtype=np.float32)
    gold = np.array([[1, 0, 0], [0, 0, 1], [-1, -1, -1]], dtype=np.float32)
    weights = np.array([2.0, 1.0, 0.5], dtype=np.float32)
    logs = np.log(probabilities_of(logits))
    smooth = 0.9 * gold + 0.1 / 3
    wanted = -(2.0 * (smooth[0] * logs[0]).sum() + 0.5 * (smooth[1] * logs[1]).sum()) / 2
    assert float(exclusive_loss(weights, 0.1)(gold, logits)) == pytest.approx(wanted, rel=1e-5)


def test_the_loss_of_independent_labels_leaves_out_what_is_unknown():
    logits = np.array([[0.2, -1.0, 0.5], [1.0, 0.0, 2.0]], dtype=np.float32)
    gold = np.array([[1, 0, -1], [0, -1, 1]], dtype=np.float32)
    weights = np.array([2.0, 1.0, 0.5], dtype=np.float32)
    sigmoid = 1 / (1 + np.exp(-logits))
    does, does_not = np.log(sigmoid), np.log(1 - sigmoid)
    # A weight is of what holds: what smoothing moves to one half, of labels that do not, has none.
    each = -(0.9 * np.where(gold > 0, weights * does, does_not) + 0.05 * (does + does_not))
    wanted = each[gold >= 0].sum() / 2
    assert float(independent_loss(weights, 0.1)(gold, logits)) == pytest.approx(wanted, rel=1e-5)


def test_balanced_weights_count_what_is_rare_for_more(tmp_path):
    data = examples(12)
    for example in data[:9]:
        example.reference.cats = {"boats": 1.0}
    for example in data[9:]:
        example.reference.cats = {"bread": 1.0}
    stage = cnn.make_classifier(**CNN, class_weights="balanced")
    teach(stage, data, steps=0)
    np.testing.assert_allclose(stage._label_weights, [12 / (2 * 9), 12 / (2 * 3)], rtol=1e-6)
    stage.to_disk(tmp_path)
    again = cnn.make_classifier(**CNN, class_weights="balanced")
    again.from_disk(tmp_path)
    np.testing.assert_array_equal(again._label_weights, stage._label_weights)


def test_balanced_weights_count_a_teachers_doubt_as_parts_of_documents():
    data = examples(12)
    for number, example in enumerate(data):
        boats = 0.95 if number < 9 else 0.2
        example.reference.cats = {"boats": boats, "bread": 1 - boats}
    stage = cnn.make_classifier(**CNN, class_weights="balanced")
    teach(stage, data, steps=0)
    parts = np.array([9 * 0.95 + 3 * 0.2, 9 * 0.05 + 3 * 0.8])
    np.testing.assert_allclose(stage._label_weights, 12 / (2 * parts), rtol=1e-6)


def test_named_weights_move_the_answers_towards_their_label():
    data = examples(30)
    for example in data:
        example.reference.cats = {label: float(label == "birds") for label in LABELS}
    data[0].reference.cats = {"boats": 1.0}
    answers = []
    for weights in (None, {"boats": 50}):
        stage = cnn.make_classifier(**CNN, class_weights=weights)
        teach(stage, data, steps=5)
        answers.append(predict(stage, [NLP.make_doc("the old and two")])[0, LABELS.index("boats")])
    assert answers[0] < answers[1]


def test_label_smoothing_keeps_it_from_being_sure():
    sure, smooth = (cnn.make_classifier(**CNN, label_smoothing=share) for share in (0.0, 0.3))
    data = examples(40)
    for stage in (sure, smooth):
        teach(stage, data, steps=30)
    docs = [example.predicted for example in examples(40, seed=1)]  # new to the linear model, too
    assert predict(smooth, docs).max(axis=1).mean() < predict(sure, docs).max(axis=1).mean() - 0.05


@pytest.mark.parametrize("exclusive", [True, False])
def test_calibrating_makes_the_dev_set_likelier_and_changes_no_order(exclusive):
    stage = lstm.make_classifier(exclusive=exclusive, **LSTM)
    teach(stage, examples(40, exclusive=exclusive), steps=15)
    dev = examples(30, seed=5, exclusive=exclusive)
    for example in dev[:8]:  # some are labelled wrongly, so it is too sure of itself
        example.reference.cats = {label: 1 - value for label, value in example.reference.cats.items()}
    docs = [example.predicted for example in dev]
    gold = classifier.gold_values(dev, stage.labels, exclusive)

    def likelihood():
        answers = predict(stage, docs).astype(float)
        log = np.where(gold > 0, np.log(answers), 0 if exclusive else np.log1p(-answers))
        return log.sum()

    before, order = likelihood(), predict(stage, docs).argsort(axis=1)
    stage.calibrate(dev, vectors_of(docs))
    assert likelihood() > before
    # Near 0 and 1 different logits may give equal probabilities in single precision: then any order is right.
    assert (np.diff(np.take_along_axis(predict(stage, docs), order, axis=1), axis=1) > -1e-6).all()


def test_one_that_was_saved_in_training_goes_on_as_if_it_had_not_been(tmp_path):
    data = examples(20)
    docs = [example.predicted for example in data]
    whole = lstm.make_classifier(**LSTM)
    teach(whole, data, steps=3)
    (tmp_path / "stage").mkdir()
    whole.to_disk(tmp_path / "stage")
    state = dict(whole.training_state())
    ahead = [whole.update(data, vectors_of(docs)) for _ in range(3)]
    again = lstm.make_classifier(**LSTM)
    again.from_disk(tmp_path / "stage")
    again.restore(state)
    assert [again.update(data, vectors_of(docs)) for _ in range(3)] == ahead
    np.testing.assert_array_equal(predict(again, docs), predict(whole, docs))


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_network_starts_as_the_linear_model_that_it_contains(exclusive, tmp_path):
    stage = cnn.make_classifier(exclusive=exclusive, **CNN)
    teach(stage, examples(40, exclusive=exclusive), steps=0)
    stage.to_disk(tmp_path)
    wide = WideLinear()
    wide.from_disk(tmp_path, len(LABELS))
    docs = [example.predicted for example in examples(10, seed=1)]
    docs += [NLP.make_doc("nest of the " * 300), NLP.make_doc("")]  # several windows, and none
    logits = wide.logits(docs)
    wanted = probabilities_of(logits) if exclusive else 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(predict(stage, docs), wanted, atol=1e-5)


def test_folders_of_the_first_versions_have_no_linear_model(trained, tmp_path):
    stage = trained("cnn, no linear model")
    stage.to_disk(tmp_path)
    file = tmp_path / "classifier.json"
    metadata = json.loads(file.read_text())
    del metadata["wide"]
    file.write_text(json.dumps(metadata))
    loaded = cnn.make_classifier(**CNN)
    loaded.from_disk(tmp_path)
    docs = [example.predicted for example in examples(10, seed=1)]
    np.testing.assert_array_equal(predict(loaded, docs), predict(stage, docs))


def test_a_linear_model_that_is_missing_is_named(trained, tmp_path):
    trained("cnn").to_disk(tmp_path)
    (tmp_path / WIDE).unlink()
    with pytest.raises(PipelineError, match=r"wide\.npz is missing"):
        cnn.make_classifier().from_disk(tmp_path)


def test_documents_without_gold_teach_nothing():
    data = examples(6)
    stage = cnn.make_classifier(**CNN)
    teach(stage, data, steps=1)
    for example in data:
        example.reference.cats = {}
    assert stage.update(data, vectors_of([example.predicted for example in data])) == 0.0


@pytest.mark.parametrize(
    ("make", "chosen", "said"),
    [
        (cnn.make_classifier, {"widths": []}, "widths"),
        (cnn.make_classifier, {"widths": [0]}, "at least 1"),
        (cnn.make_classifier, {"filters": 0}, "filters"),
        (cnn.make_classifier, {"dropout": 1.0}, "dropout"),
        (cnn.make_classifier, {"word_dropout": -0.1}, "word_dropout"),
        (cnn.make_classifier, {"learn_rate": 0.0}, "learn_rate must be above 0"),
        (lstm.make_classifier, {"learn_rate": -0.1}, "learn_rate must be above 0"),
        (cnn.make_classifier, {"label_smoothing": 1.0}, "label_smoothing"),
        (cnn.make_classifier, {"class_weights": "even"}, "balanced"),
        (cnn.make_classifier, {"class_weights": {"boats": 0}}, "above 0"),
        (cnn.make_classifier, {"runtime": "torch"}, "onnx, keras"),
        (lstm.make_classifier, {"pooling": "first"}, "last, max, mean, attention"),
        (lstm.make_classifier, {"cell": "rnn"}, "lstm, gru"),
        (lstm.make_classifier, {"widths": 100}, "list of numbers"),
    ],
)
def test_settings_out_of_range_are_refused(make, chosen, said):
    with pytest.raises(ConfigError, match=said):
        make(**chosen)


def test_what_cannot_be_learned_from_is_refused():
    data = examples(4)
    with pytest.raises(ConfigError, match="no label 'ships'"):
        cnn.make_classifier(class_weights={"ships": 2}).initialize(data, VectorSpace(), seed=0)
    for example in data:
        example.reference.cats = {"boats": 1.0}
    with pytest.raises(StageError, match="takes more to learn"):
        cnn.make_classifier().initialize(data, VectorSpace(), seed=0)
    with pytest.raises(StageError, match="not trained"):
        cnn.make_classifier().predict([], vectors_of([]))


def test_a_damaged_folder_is_named(trained, tmp_path):
    trained("cnn").to_disk(tmp_path)
    (tmp_path / classifier.METADATA).write_text('{"labels": ["a"]}')
    with pytest.raises(PipelineError, match=classifier.METADATA):
        cnn.make_classifier().from_disk(tmp_path)
