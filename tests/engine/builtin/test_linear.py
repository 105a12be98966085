from __future__ import annotations

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.training import Example

from glossator.builtin.linear import LinearClassifier
from glossator.errors import ConfigError, PipelineError, StageError
from glossator.ml import linear_model
from glossator.ml.linear_features import NGRAM, PAIR, WORD, bags_of, collect_features
from glossator.ml.linear_model import with_intercept
from glossator.ml.linear_occurrences import design_of, occurrences_of
from glossator.stages import Calibratable, Explainable, Finishable, Fittable, Updatable, Vectors, VectorSpace

NLP = spacy.blank("en")
TOPICS = {
    "boats": ["sail", "mast", "keel"],
    "food": ["soup", "bread", "plum"],
    "rain": ["wet", "cloud", "drip"],
}


def vectors(docs, width: int = 0) -> Vectors:
    values = [
        np.asarray([[len(t) / 9, t.i % 2][:width] for t in doc], dtype=np.float32).reshape(len(doc), width)
        for doc in docs
    ]
    return Vectors(space=VectorSpace(width=width), values=values)


def example(words, cats) -> Example:
    gold = Doc(NLP.vocab, words=words)
    gold.cats = cats
    return Example(Doc(NLP.vocab, words=words), gold)


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
        made.append(example(words, {topic: float(topic in chosen) for topic in TOPICS}))
    return made


def fitted(data, width: int = 0, **settings) -> LinearClassifier:
    stage = LinearClassifier(**settings)
    stage.fit(data, vectors([e.predicted for e in data], width), seed=0)
    return stage


def stepped(data, steps: int = 60, width: int = 0, **settings) -> LinearClassifier:
    stage = LinearClassifier(**settings)
    stage.initialize(data, VectorSpace(width=width), seed=0)
    go_on(stage, data, steps, width)
    return stage


def go_on(stage, data, steps: int, width: int = 0) -> list[float]:
    return [stage.update(data, vectors([e.predicted for e in data], width)) for _ in range(steps)]


def predicted(stage, data, width: int = 0) -> np.ndarray:
    docs = [e.predicted for e in data]
    return stage.predict(docs, vectors(docs, width))


def gold_of(stage, data) -> np.ndarray:
    return np.asarray([[e.reference.cats[label] for label in stage.labels] for e in data])


def logits_by_hand(stage, doc) -> np.ndarray:
    """The logits of a Doc without vectors, feature by feature."""
    features, weights = stage._features, stage._weights
    index = {(int(k), n): i for i, (k, n) in enumerate(zip(features.kinds, features.names, strict=True))}
    words = [token.lower_ for token in doc if not token.is_space]
    pairs = set(zip(["|", *words], [*words, "|"], strict=True)) if words else set()
    own = [(WORD, word) for word in set(words)] + [(PAIR, " ".join(pair)) for pair in pairs]
    grams = [
        (NGRAM, f"_{word}_"[i : i + size])
        for word in set(words)
        for size in (2, 3, 4, 5)
        for i in range(len(word) + 3 - size)
    ]
    logits = 0.25 * weights.dense[-1].astype(float)
    for group in (own, grams):
        known = [index[feature] for feature in group if feature in index]
        length = sum(float(features.factors[i]) ** 2 for i in known) ** 0.5
        for i in known:
            logits = logits + float(features.factors[i]) / length * weights.sparse[i]
    return logits


def test_it_keeps_the_protocols():
    stage = LinearClassifier()
    for protocol in (Updatable, Fittable, Calibratable, Finishable, Explainable):
        assert isinstance(stage, protocol)


@pytest.mark.parametrize("make", [fitted, stepped])
@pytest.mark.parametrize("width", [0, 2])
def test_it_learns_one_label_of_several(make, width):
    stage, test = make(examples(60), width=width), examples(60, seed=1)
    answers = predicted(stage, test, width)
    assert stage.labels == ("boats", "food", "rain")
    assert answers.shape == (60, 3)
    assert answers.sum(axis=1) == pytest.approx(np.ones(60), abs=1e-5)
    assert (answers.argmax(axis=1) == gold_of(stage, test).argmax(axis=1)).mean() > 0.95


@pytest.mark.parametrize("make", [fitted, stepped])
def test_it_learns_any_number_of_labels(make):
    stage, test = make(examples(120, several=True), exclusive=False), examples(60, seed=1, several=True)
    answers = predicted(stage, test)
    assert ((answers > 0.5) == (gold_of(stage, test) == 1)).mean() > 0.95
    sums = answers.sum(axis=1)
    assert sums.min() < 0.5
    assert sums.max() > 2


@pytest.mark.parametrize("make", [fitted, stepped])
def test_vectors_alone_can_tell_labels(make):
    def shifted(number, seed):
        """Documents whose words say nothing: their vectors do."""
        generator = np.random.default_rng(seed)
        data = [example(["x"], {"low": float(i % 2), "high": 1.0 - i % 2}) for i in range(number)]
        rows = [
            np.asarray([[3 + (-1) ** i, 5]]) + generator.normal(scale=0.1, size=(1, 2)) for i in range(number)
        ]
        return data, Vectors(space=VectorSpace(width=2), values=[row.astype(np.float32) for row in rows])

    data, given_vectors = shifted(60, 0)
    stage = LinearClassifier()
    if make is fitted:
        stage.fit(data, given_vectors, seed=0)
    else:
        stage.initialize(data, given_vectors.space, seed=0)
        for _ in range(100):
            stage.update(data, given_vectors)
    test, test_vectors = shifted(20, 1)
    answers = stage.predict([e.predicted for e in test], test_vectors)
    assert (answers.argmax(axis=1) == gold_of(stage, test).argmax(axis=1)).all()


def test_the_order_of_neighbours_counts():
    data = [
        example(words, {"bad": float(label == "bad"), "fine": float(label == "fine")})
        for words, label in ((["not", "good"], "bad"), (["good", "not"], "fine")) * 6
    ]
    stage = fitted(data)
    assert (predicted(stage, data).argmax(axis=1) == gold_of(stage, data).argmax(axis=1)).all()


def test_words_never_seen_are_told_by_their_parts():
    stage = fitted(examples(60))
    doc = Doc(NLP.vocab, words=["the", "sailing", "masts"])
    assert stage.labels[stage.predict([doc], vectors([doc]))[0].argmax()] == "boats"


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.sampled_from(["sail", "Sail", "soup", "sailing", "unseen", "\n", "the", "wet"]), max_size=9)
)
def test_logits_are_the_sums_over_features(words):
    doc = Doc(NLP.vocab, words=words)
    stage = SHARED
    assert stage._logits([doc], vectors([doc]))[0] == pytest.approx(logits_by_hand(stage, doc), abs=1e-3)


SHARED = fitted(examples(40))


def test_learning_and_predicting_compute_the_same_logits():
    data = examples(30, seed=3)
    docs = [e.predicted for e in data]
    bags = bags_of(docs)
    texts = [NLP.vocab.strings[key] for key in bags.keys.tolist()]
    dense = with_intercept(np.zeros((len(docs), 0), dtype=np.float32))
    design = design_of(bags, SHARED._features, texts, dense)
    assert design.logits(SHARED._weights) == pytest.approx(SHARED._logits(docs, vectors(docs)), abs=1e-4)


def test_a_documents_own_words_and_pairs_and_its_ngrams_have_length_one():
    docs = [NLP("Soup and soup and bread."), NLP("x"), NLP("")]
    bags = bags_of(docs)
    texts = [NLP.vocab.strings[key] for key in bags.keys.tolist()]
    features = collect_features(bags, texts, most=10_000)
    design = design_of(bags, features, texts, np.zeros((3, 0), dtype=np.float32))
    words = len(bags.keys)
    is_ngrams = (design.documents.columns >= words) & (design.documents.columns < 2 * words)
    squares = design.units.row_sums_of_squares()[design.documents.columns]
    for group in (is_ngrams, ~is_ngrams):
        lengths = np.bincount(
            design.documents.rows[group], squares[group] * design.documents.values[group] ** 2, minlength=3
        )
        assert lengths == pytest.approx([1, 1, 0], abs=1e-5)


def test_words_are_lower_cased_and_counted_once_and_white_space_is_none():
    bags = bags_of([NLP("Soup\nand soup"), NLP(""), NLP("AND")])
    texts = [NLP.vocab.strings[key] for key in bags.keys.tolist()]
    assert sorted(texts) == ["and", "soup"]
    assert np.bincount(bags.word_docs, minlength=3).tolist() == [2, 0, 1]
    assert np.bincount(bags.pair_docs, minlength=3).tolist() == [4, 0, 2]


def test_of_too_many_features_the_most_frequent_are_kept():
    bags = bags_of([NLP("the soup"), NLP("the bread"), NLP("the plum")])
    texts = [NLP.vocab.strings[key] for key in bags.keys.tolist()]
    features = collect_features(bags, texts, most=12)
    assert len(features.hashes) == 12
    assert {"the", "| the", "th", "he_"} <= set(features.names)
    assert "soup" not in features.names


def test_document_frequencies_of_ngrams_are_near_the_true_ones():
    generator = np.random.default_rng(0)
    vocabulary = ["tea", "teapot", "pot", "spot", "steam", "rain", "train", "brain"]
    docs = [Doc(NLP.vocab, words=generator.choice(vocabulary, size=3).tolist()) for _ in range(500)]
    bags = bags_of(docs)
    texts = [NLP.vocab.strings[key] for key in bags.keys.tolist()]
    features = collect_features(bags, texts, most=10_000)
    for gram in ("ain", "te", "_s"):
        true = sum(any(gram in f"_{token.text}_" for token in doc) for doc in docs)
        estimated = 501 / np.exp(features.factors[features.names.index(gram)] - 1) - 1
        assert estimated == pytest.approx(true, rel=0.15)


def test_the_documents_of_features_are_counted_once_for_each_distinct_word():
    docs = [NLP("tea teapot tea"), NLP("tea pot"), NLP("rain")]
    bags = bags_of(docs)
    texts = [NLP.vocab.strings[key] for key in bags.keys.tolist()]
    features = collect_features(bags, texts, most=10_000)
    counts = occurrences_of(bags, features, texts)._counts(np.eye(3))
    for name, expected in (
        ("tea", [1, 1, 0]),
        ("_te", [2, 1, 0]),
        ("tea teapot", [1, 0, 0]),
        ("in_", [0, 0, 1]),
    ):
        assert counts[features.names.index(name)].tolist() == expected


@pytest.mark.parametrize("make", [fitted, stepped])
def test_features_that_tell_of_labels_count_more(make):
    stage = make(examples(60))
    factors = dict(zip(stage._features.names, stage._features.factors.tolist(), strict=True))
    rarity = dict(zip(*collected_from(examples(60)), strict=True))
    shares = {name: factor / rarity[name] for name, factor in factors.items()}
    assert shares["the"] < 1 < shares["soup"]


def collected_from(data) -> tuple[tuple[str, ...], list[float]]:
    bags = bags_of([e.predicted for e in data])
    texts = [NLP.vocab.strings[key] for key in bags.keys.tolist()]
    features = collect_features(bags, texts, most=10_000)
    return features.names, features.factors.tolist()


def test_labels_the_gold_does_not_spell_out():
    """An exclusive document's other labels are wrong; a multi-label one's are not known."""
    short = [
        example([t.text for t in each.reference], {k: v for k, v in each.reference.cats.items() if v})
        for each in examples(60)
    ]
    whole = examples(60)
    assert np.array_equal(predicted(fitted(short), whole), predicted(fitted(whole), whole))
    sure = fitted(short, exclusive=False)
    assert (predicted(sure, whole) > 0.5).all()


def test_soft_labels_of_exclusive_categories_rule_out_the_others():
    soft, spelt_out = examples(30), examples(30)
    for each in soft:
        each.reference.cats = {label: 0.9 for label, value in each.reference.cats.items() if value}
    for each in spelt_out:
        each.reference.cats = {label: 0.9 * value for label, value in each.reference.cats.items()}
    assert np.array_equal(predicted(fitted(soft), soft), predicted(fitted(spelt_out), soft))


def test_soft_labels_are_learned_as_probabilities():
    data = [example(["soup"], {"food": 0.75, "rain": 0.25}) for _ in range(40)]
    data += [example(["cloud"], {"food": 0.0, "rain": 1.0}) for _ in range(40)]
    answers = predicted(fitted(data, strength=0.01), data)
    assert answers[0] == pytest.approx([0.75, 0.25], abs=0.05)
    assert answers[-1] == pytest.approx([0, 1], abs=0.05)


def test_the_order_of_examples_and_the_seed_change_nothing():
    data = examples(50)
    stage, other = fitted(data), LinearClassifier()
    other.fit(data[::-1], vectors([e.predicted for e in data[::-1]]), seed=5)
    assert stage._features.hashes.tolist() == other._features.hashes.tolist()
    again = fitted(data)
    assert np.array_equal(predicted(stage, data), predicted(again, data))


def test_with_few_documents_rare_labels_are_found():
    data = [example(["win", "a", "prize"], {"spam": 1.0, "ham": 0.0}) for _ in range(2)]
    data += [example([word, "me", "home"], {"spam": 0.0, "ham": 1.0}) for word in "abcdefgh"]
    doc = Doc(NLP.vocab, words=["your", "prize"])
    stage = fitted(data)
    assert stage.labels[stage.predict([doc], vectors([doc]))[0].argmax()] == "spam"


def test_fitting_forgets_what_was_learned_before():
    data = examples(40)
    stage = stepped(examples(20, seed=7), 5)
    stage.fit(data, vectors([e.predicted for e in data]), seed=0)
    assert np.array_equal(predicted(stage, data), predicted(fitted(data), data))


def test_updates_continue_from_what_was_fitted_and_learn_new_words():
    data = examples(60)
    stage = fitted(data)
    stage.finish()
    before = predicted(stage, data)
    news = [example(["quokka"], {"boats": 1.0, "food": 0.0, "rain": 0.0})]
    doc = Doc(NLP.vocab, words=["quokka"])
    losses = go_on(stage, news, 30)
    assert losses[-1] < losses[0]
    assert stage.labels[stage.predict([doc], vectors([doc]))[0].argmax()] == "boats"
    assert (predicted(stage, data).argmax(axis=1) == before.argmax(axis=1)).mean() > 0.95


@pytest.mark.parametrize("width", [0, 2])
def test_a_run_that_was_cut_off_ends_where_an_undisturbed_one_does(tmp_path, width):
    data = examples(20)
    whole, half = stepped(data, 8, width), stepped(data, 4, width)
    half.to_disk(tmp_path)
    state = {name: array.copy() for name, array in half.training_state().items()}
    go_on(half, data, 3, width)
    resumed = LinearClassifier()
    resumed.from_disk(tmp_path)
    resumed.restore(state)
    go_on(resumed, data, 4, width)
    assert np.array_equal(predicted(resumed, data, width), predicted(whole, data, width))


@pytest.mark.parametrize("exclusive", [True, False])
def test_saved_and_loaded_it_answers_the_same(tmp_path, exclusive):
    data = examples(40)
    stage = fitted(data, exclusive=exclusive, width=2)
    stage.calibrate(data, vectors([e.predicted for e in data], 2))
    stage.finish()
    stage.to_disk(tmp_path)
    loaded = LinearClassifier()
    loaded.from_disk(tmp_path)
    assert (loaded.labels, loaded.exclusive) == (stage.labels, exclusive)
    assert np.array_equal(predicted(loaded, data, 2), predicted(stage, data, 2))


def test_finishing_leaves_out_what_tells_nothing_and_changes_no_answer_by_much():
    data = [example(["x", "soup"], {"food": 1.0, "boats": 0.0}) for _ in range(20)]
    data += [example(["x", "sail"], {"food": 0.0, "boats": 1.0}) for _ in range(20)]
    stage = fitted(data)
    before, names = predicted(stage, data), set(stage._features.names)
    stage.finish()
    assert names - set(stage._features.names) == {"x", "| x", "_x", "x_", "_x_", "_s"}
    assert predicted(stage, data) == pytest.approx(before, abs=0.01)


def test_a_finished_model_takes_a_limited_number_of_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(linear_model, "_MOST_BYTES", 3_000)
    data = examples(200)
    stage = fitted(data)
    best = [contribution.feature for contribution in stage.strongest("boats", 5)]
    stage.finish()
    stage.to_disk(tmp_path)
    assert len(stage._features.hashes) == 3_000 // (28 + 3)
    assert (tmp_path / "weights.npz").stat().st_size < 3_000 + 4_000  # npz adds a header to each array
    assert [contribution.feature for contribution in stage.strongest("boats", 5)] == best
    answers = predicted(stage, data)
    assert (answers.argmax(axis=1) == gold_of(stage, data).argmax(axis=1)).mean() > 0.95


def test_answers_do_not_depend_on_the_batch_or_white_space():
    stage, test = fitted(examples(40), width=2), examples(10, seed=1)
    together = predicted(stage, test, 2)
    for each, row in zip(test, together, strict=True):
        words = [t.text for t in each.predicted]
        [alone] = stage.predict([each.predicted], vectors([each.predicted], 2))
        assert alone == pytest.approx(row, abs=1e-5)
        spaced = Doc(NLP.vocab, words=["\n", *words[:2], "  ", *words[2:], "\n"])
        plain_stage = SHARED
        [with_space] = plain_stage.predict([spaced], vectors([spaced]))
        [without] = plain_stage.predict([each.predicted], vectors([each.predicted]))
        assert with_space == pytest.approx(without, abs=1e-5)


def test_a_full_cache_changes_no_answer(monkeypatch):
    data = examples(30)
    expected = predicted(SHARED, data)
    monkeypatch.setattr(linear_model, "MOST_CACHED", 4)
    stage = fitted(examples(40))
    for start in (0, 10, 20, 5):
        part = data[start : start + 10]
        assert predicted(stage, part) == pytest.approx(expected[start : start + 10], abs=1e-5)


@pytest.mark.parametrize("exclusive", [True, False])
def test_calibration_changes_scores_and_no_label(exclusive):
    stage = fitted(examples(60), exclusive=exclusive)
    noisy = examples(100, seed=2)
    generator = np.random.default_rng(0)
    for each in noisy:  # one document in three is on something else than it says
        if generator.random() < 1 / 3:
            topic = str(generator.choice(list(TOPICS)))
            each.reference.cats = {label: float(label == topic) for label in TOPICS}
    before, gold = predicted(stage, noisy), gold_of(stage, noisy)
    stage.calibrate(noisy, vectors([e.predicted for e in noisy]))
    after = predicted(stage, noisy)
    ranked = np.take_along_axis(after, before.argsort(axis=1), axis=1)
    assert (np.diff(ranked, axis=1) > -1e-6).all()

    def unlikeliness(answers):
        return -(gold * np.log(answers + 1e-9) + (1 - gold) * np.log(1 - answers + 1e-9)).mean()

    assert unlikeliness(after) < unlikeliness(before)


@pytest.mark.parametrize("width", [0, 2])
@pytest.mark.parametrize("exclusive", [True, False])
def test_documents_without_words(width, exclusive):
    stage = fitted(examples(30), width=width, exclusive=exclusive)
    assert stage.predict([], vectors([], width)).shape == (0, 3)
    docs = [Doc(NLP.vocab), Doc(NLP.vocab, words=["\n"]), Doc(NLP.vocab, words=["sail"])]
    answers = stage.predict(docs, vectors(docs, width))
    assert np.isfinite(answers).all()
    stage.calibrate([], vectors([], width))
    empty = example([], dict.fromkeys(TOPICS, 0.0))
    assert np.isfinite(go_on(stage, [empty], 2, width)).all()
    assert np.isfinite(predicted(fitted([empty, *examples(5)], width=width), [empty], width)).all()


def test_misuse_is_named(tmp_path):
    with pytest.raises(ConfigError, match="strength must be more than 0, not -1"):
        LinearClassifier(strength=-1)
    stage = LinearClassifier()
    for use in (
        lambda: stage.predict([NLP("x")], vectors([NLP("x")])),
        lambda: stage.to_disk(tmp_path),
        stage.finish,
        lambda: go_on(stage, examples(2), 1),
    ):
        with pytest.raises(StageError, match="not trained yet"):
            use()
    with pytest.raises(ConfigError, match="remove tune = true"):
        stage.initialize(examples(3), VectorSpace(tables=(np.zeros((2, 2)),)), seed=0)
    one = [example(["x"], {"only": 1.0})]
    with pytest.raises(StageError, match=r"the categories \['only'\]: too few to learn from"):
        fitted(one)
    assert fitted(one, exclusive=False).labels == ("only",)


def test_arrays_that_do_not_fit_are_refused(tmp_path):
    stage = fitted(examples(20))
    stage.to_disk(tmp_path)
    text = (tmp_path / "linear.json").read_text()
    for broken in (text.replace('"boats",', ""), "[]", text.replace('"temperature"', '"heat"'), text[:20]):
        (tmp_path / "linear.json").write_text(broken)
        with pytest.raises(PipelineError, match="damaged"):
            LinearClassifier().from_disk(tmp_path)


@pytest.mark.parametrize("width", [0, 2])
@pytest.mark.parametrize("exclusive", [True, False])
def test_an_explanation_adds_up_to_the_logit(width, exclusive):
    stage = fitted(examples(60), width=width, exclusive=exclusive)
    doc = Doc(NLP.vocab, words=["The", "sailing", "soup", "of", "soup"])
    for column, label in enumerate(stage.labels):
        whole = stage.explain(doc, vectors([doc], width), label, 0, len(doc), 10_000)
        logit = stage._logits([doc], vectors([doc], width))[0, column]
        assert sum(value for _, value in whole) == pytest.approx(float(logit), abs=1e-3)
        values = [abs(value) for _, value in whole]
        assert values == sorted(values, reverse=True)
        assert stage.explain(doc, vectors([doc], width), label, 0, len(doc), 3) == whole[:3]
    for_food = {
        feature for feature, value in stage.explain(doc, vectors([doc], width), "food", 0, 5, 9) if value > 0
    }
    assert "soup" in for_food


def test_the_strongest_features_of_a_label_are_its_words():
    names = [feature for feature, value in SHARED.strongest("boats", 12) if value > 0]
    assert {"sail", "mast", "keel"} & set(names)
    assert not {"soup", "bread", "plum", "wet", "cloud", "drip"} & set(names)
    assert len(SHARED.strongest("boats", 5)) == 5


def test_a_document_without_words_is_explained_by_no_word():
    doc = Doc(NLP.vocab)
    assert {feature for feature, _ in SHARED.explain(doc, vectors([doc]), "food", 0, 0, 9)} <= {
        "(any document)"
    }
