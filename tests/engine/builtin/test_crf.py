from __future__ import annotations

import json
from itertools import pairwise, product

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.training import Example

from glossator.builtin.crf import CRFTagger
from glossator.errors import ConfigError, DataError, PipelineError, StageError
from glossator.ml import crf_training
from glossator.ml.token_features import TokenFeatures
from glossator.stages import (
    Calibratable,
    Explainable,
    Finishable,
    Fittable,
    TokenTags,
    Updatable,
    Vectors,
    VectorSpace,
)

NLP = spacy.blank("en")
NO_SPACE = VectorSpace()
PEOPLE, PLACES = ["Ana", "Lee", "Noor"], ["Oslo", "Skye", "Lima"]
OTHERS = ["the", "old", "boat", "of", "saw", "14", "."]


def vectors(docs, width: int = 0) -> Vectors:
    """Vectors that tell nothing of a word but its length."""
    values = [
        np.asarray([[len(t) / 9] * width for t in doc], dtype=np.float32).reshape(len(doc), width)
        for doc in docs
    ]
    return Vectors(space=VectorSpace(width=width), values=values)


def sentences(number: int, seed: int = 0) -> list[tuple[list[str], list[str]]]:
    """Words and BIO tags: a person may have a surname."""
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        words, tags = [], []
        for _ in range(generator.integers(1, 6)):
            kind = generator.integers(4)
            if kind == 0:
                words += [str(generator.choice(PEOPLE)), "Berg"][: generator.integers(1, 3)]
                tags += ["B-PER", "I-PER"][: len(words) - len(tags)]
            elif kind == 1:
                words.append(str(generator.choice(PLACES)))
                tags.append("B-LOC")
            else:
                words.append(str(generator.choice(OTHERS)))
                tags.append("O")
        made.append((words, tags))
    return made


def examples(number: int, seed: int = 0) -> list[Example]:
    made = []
    for words, tags in sentences(number, seed):
        gold = Doc(NLP.vocab, words=words, ents=tags, tags=[tag[-3:] for tag in tags])
        gold.spans["k"] = list(gold.ents)
        made.append(Example(Doc(NLP.vocab, words=words), gold))
    return made


def fitted(data: list[Example], width: int = 0, **settings_) -> CRFTagger:
    stage = CRFTagger(**settings_)
    stage.fit(data, vectors([e.predicted for e in data], width), seed=0)
    return stage


def stepped(data: list[Example], steps: int = 25, width: int = 0, **settings_) -> CRFTagger:
    stage = CRFTagger(**settings_)
    stage.initialize(data, VectorSpace(width=width), seed=0)
    go_on(stage, data, steps, width)
    return stage


def go_on(stage: CRFTagger, data: list[Example], steps: int, width: int = 0) -> list[float]:
    return [stage.update(data, vectors([e.predicted for e in data], width)) for _ in range(steps)]


def predicted(stage: CRFTagger, data: list[Example], width: int = 0):
    docs = [e.predicted for e in data]
    return stage.predict(docs, vectors(docs, width))


def spans_of(answer) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, span.label) for span in answer]


def gold_of(example: Example) -> list[tuple[int, int, str]]:
    return [(e.start, e.end, e.label_) for e in example.reference.ents]


def same(first, second) -> bool:
    if isinstance(first[0], TokenTags):
        return all(
            np.array_equal(a.ids, b.ids) and np.array_equal(a.probabilities, b.probabilities)
            for a, b in zip(first, second, strict=True)
        )
    return first == second


def test_it_keeps_the_protocols():
    stage = CRFTagger()
    for protocol in (Fittable, Updatable, Calibratable, Finishable):
        assert isinstance(stage, protocol)


@pytest.mark.parametrize("write", ["ents", "spans:k", "tag"])
@pytest.mark.parametrize("width", [0, 4])
@pytest.mark.parametrize("make", [fitted, stepped])
def test_it_learns_what_can_be_learned(write, width, make):
    stage = make(examples(80), write=write, width=width)
    test = examples(40, seed=1)
    answers = predicted(stage, test, width)
    if write == "tag":
        got = [[stage.labels[i] for i in answer.ids] for answer in answers]
        wanted = [[t.tag_ for t in e.reference] for e in test]
        right = np.mean([a == b for x, y in zip(got, wanted, strict=True) for a, b in zip(x, y, strict=True)])
        assert stage.labels == ("LOC", "O", "PER")
    else:
        right = np.mean([spans_of(a) == gold_of(e) for a, e in zip(answers, test, strict=True)])
        assert stage.labels == ("LOC", "PER")
    assert right > 0.9


def test_large_data_is_learned_in_steps_and_as_well(monkeypatch):
    monkeypatch.setattr(crf_training, "SMALL", 0)
    stage, test = fitted(examples(300)), examples(40, seed=1)
    right = [spans_of(a) == gold_of(e) for a, e in zip(predicted(stage, test), test, strict=True)]
    assert np.mean(right) > 0.9


@pytest.mark.parametrize("small", [0, 10**9])
def test_fitting_depends_on_the_data_alone(monkeypatch, small):
    monkeypatch.setattr(crf_training, "SMALL", small)
    data = examples(30)
    first, again = fitted(data), CRFTagger()
    again.fit(examples(5, seed=9), vectors([e.predicted for e in examples(5, seed=9)]), seed=3)
    again.fit(data, vectors([e.predicted for e in data]), seed=5)
    assert predicted(first, data) == predicted(again, data)


def test_given_vectors_are_used():
    data = []
    for i, length in enumerate((1, 2, 8, 9) * 3):
        # The word itself, new every time, says nothing: only its vector does.
        words = [f"{'ab'[i % 2]}{i}"]
        gold = Doc(NLP.vocab, words=words, tags=["LONG" if length > 4 else "SHORT"])
        rows = np.full((1, 2), length - 5, dtype=np.float32)
        data.append((Example(Doc(NLP.vocab, words=words), gold), rows))
    given_vectors = Vectors(space=VectorSpace(width=2), values=[rows for _, rows in data])
    stage = CRFTagger(write="tag")
    stage.fit([e for e, _ in data], given_vectors, seed=0)
    for value, tag in ((-4, "SHORT"), (4, "LONG")):
        rows = np.full((1, 2), value, dtype=np.float32)
        space = given_vectors.space
        [answer] = stage.predict([Doc(NLP.vocab, words=["zz9"])], Vectors(space=space, values=[rows]))
        assert stage.labels[answer.ids[0]] == tag
        doc, rows_of_doc = Doc(NLP.vocab, words=["zz9"]), Vectors(space=space, values=[rows])
        [strongest] = stage.explain(doc, rows_of_doc, tag, 0, 1, count=1)
        assert strongest.feature == "(vectors)"
        assert strongest.value > 0


def test_the_loss_falls():
    stage = stepped(examples(40), steps=0)
    losses = go_on(stage, examples(40), 20)
    assert losses[-1] < 0.3 * losses[0]
    assert all(np.isfinite(losses))


def test_updates_continue_from_what_was_fitted_and_learn_new_words():
    stage = fitted(examples(60))
    words = ["Zanzibar", "saw", "Ana"]
    gold = Doc(NLP.vocab, words=words, ents=["B-LOC", "O", "B-PER"])
    new = [Example(Doc(NLP.vocab, words=words), gold)]
    go_on(stage, new, 15)
    assert spans_of(predicted(stage, new)[0]) == [(0, 1, "LOC"), (2, 3, "PER")]
    assert "word=Zanzibar" in stage._table.names
    test = examples(40, seed=1)
    right = [spans_of(a) == gold_of(e) for a, e in zip(predicted(stage, test), test, strict=True)]
    assert np.mean(right) > 0.9


def test_a_run_that_was_cut_off_ends_where_an_undisturbed_one_does(tmp_path):
    data = examples(20)
    whole = stepped(data, 8)
    half = stepped(data, 4)
    half.to_disk(tmp_path)
    state = {name: array.copy() for name, array in half.training_state().items()}
    go_on(half, data, 3)  # whatever happens meanwhile
    resumed = CRFTagger()
    resumed.initialize(data, NO_SPACE, seed=99)
    resumed.from_disk(tmp_path)
    resumed.restore(state)
    go_on(resumed, data, 4)
    assert predicted(resumed, data) == predicted(whole, data)


@pytest.mark.parametrize("write", ["ents", "tag"])
def test_saved_and_loaded_it_answers_the_same(tmp_path, write):
    data = examples(30)
    stage = fitted(data, write=write, width=3)
    stage.calibrate(data, vectors([e.predicted for e in data], 3))
    stage.to_disk(tmp_path)
    loaded = CRFTagger(write=write)
    loaded.from_disk(tmp_path)
    assert loaded.labels == stage.labels
    assert same(predicted(loaded, data, 3), predicted(stage, data, 3))


def test_finishing_leaves_out_features_and_changes_no_answer_by_much():
    data = examples(60)
    stage = stepped(data, 15)
    before, size = predicted(stage, data), len(stage._table)
    stage.finish()
    assert len(stage._table) < size
    after = predicted(stage, data)
    assert np.mean([spans_of(a) == spans_of(b) for a, b in zip(before, after, strict=True)]) > 0.95


def log_probabilities_by_hand(stage: CRFTagger, words: list[str]) -> dict[tuple[int, ...], float]:
    """Of each sequence of labels: the sum of the weights of all features, looked up by their names."""
    doc = Doc(NLP.vocab, words=words)
    weights = dict(zip(stage._table.names, stage._weights.sparse, strict=False))
    count = len(words)

    def names(i: int) -> list[str]:
        word = words[i]
        shape = doc[i].shape_
        outline = "".join(b for a, b in pairwise(" " + shape) if a != b)
        found = [f"word={word}", f"lower={word.lower()}", f"shape={shape}", f"outline={outline}"]
        found += [f"prefix={word[:n]}" for n in range(1, 5)] + [f"suffix={word[-n:]}" for n in range(1, 5)]
        for offset in (-2, -1, 1, 2):
            place = f"[{offset:+d}]"
            if not 0 <= i + offset < count:
                found.append(f"edge{place}")
                continue
            other = words[i + offset]
            found += [f"lower{place}={other.lower()}", f"shape{place}={doc[i + offset].shape_}"]
            found += [f"suffix{place}={other[-3:]}"] if abs(offset) == 1 else []
        found += [f"pair={words[i - 1].lower()} {word.lower()}"] if i else []
        found += [f"pair[+1]={word.lower()} {words[i + 1].lower()}"] if i + 1 < count else []
        return found

    zero = np.zeros(len(stage._chain_labels))
    # Affixes of short words are the same text, but features of their own: none of these words is short.
    emissions = np.stack(
        [np.sum([weights.get(name, zero) for name in names(i)], axis=0) for i in range(count)]
    )
    transitions, start, end = stage._weights.chain(stage._constraints)
    scores = {}
    for labels in product(range(len(zero)), repeat=count):
        score = start[labels[0]] + end[labels[-1]] + sum(emissions[i, y] for i, y in enumerate(labels))
        scores[labels] = score + sum(transitions[a, b] for a, b in pairwise(labels))
    total = np.logaddexp.reduce(list(scores.values()))
    return {labels: score - total for labels, score in scores.items()}


LONG_WORDS = ["Noora", "Berge", "Osloo", "boats", "under", "Limaa", "quays"]


@given(st.lists(st.sampled_from(LONG_WORDS), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_spans_have_the_posterior_of_all_sequences(words):
    stage = long_word_stage()
    doc = Doc(NLP.vocab, words=words)
    [spans] = stage.predict([doc], vectors([doc]))
    sequences = log_probabilities_by_hand(stage, words)
    scheme = stage._scheme
    best = max(sequences, key=sequences.get)
    decoded = [tuple(span) for span in scheme.decode(np.asarray(best))]
    assert spans_of(spans) == decoded
    for span, (start, stop, label) in zip(spans, decoded, strict=True):
        holds = [
            probability
            for labels, probability in sequences.items()
            if (start, stop, label) in scheme.decode(np.asarray(labels))
        ]
        assert span.score == pytest.approx(np.exp(np.logaddexp.reduce(holds)), abs=1e-4)


_STAGES: list[CRFTagger] = []


def long_word_stage() -> CRFTagger:
    if not _STAGES:
        data = []
        generator = np.random.default_rng(4)
        tags = {"Noora": "B-PER", "Osloo": "B-LOC", "Limaa": "B-LOC"}
        for _ in range(40):
            words = generator.choice(LONG_WORDS, size=generator.integers(1, 6)).tolist()
            ents = [tags.get(word, "O") for word in words]
            for i in range(1, len(words)):
                if words[i] == "Berge" and ents[i - 1] == "B-PER":
                    ents[i] = "I-PER"
            data.append(Example(Doc(NLP.vocab, words=words), Doc(NLP.vocab, words=words, ents=ents)))
        _STAGES.append(fitted(data))
    return _STAGES[0]


def test_learning_and_predicting_compute_the_same_emissions():
    stage, data = fitted(examples(40), width=2), examples(15, seed=2)
    docs = [e.predicted for e in data]
    words, emissions = stage._emissions(docs, vectors(docs, 2))
    learned = stage._data(data, TokenFeatures.of(docs), vectors(docs, 2))
    expected = stage._weights.emissions(learned.rows, learned.dense)
    np.testing.assert_allclose(emissions, expected, atol=1e-4)
    assert len(words.positions) == len(emissions)


def test_answers_do_not_depend_on_the_batch_white_space_or_order():
    stage = fitted(examples(40))
    test = examples(15, seed=2)
    together = predicted(stage, test)
    for answer, example in zip(together, test, strict=True):
        [alone] = predicted(stage, [example])
        assert spans_of(alone) == spans_of(answer)
        assert [s.score for s in alone] == pytest.approx([s.score for s in answer], abs=1e-5)
    words = [w for e in test for w in [*[t.text for t in e.predicted], "\n"]]
    starts = [i == 0 for e in test for i in range(len(e.predicted) + 1)]
    doc = Doc(NLP.vocab, words=["\n", *words], sent_starts=[True, *starts])
    [joined] = stage.predict([doc], vectors([doc]))
    offsets = np.cumsum([1, *[len(e.predicted) + 1 for e in test]]).tolist()
    assert spans_of(joined) == [
        (start + offset, end + offset, label)
        for answer, offset in zip(together, offsets, strict=False)
        for start, end, label in spans_of(answer)
    ]


def test_a_full_cache_changes_no_answer(monkeypatch):
    stage, test = fitted(examples(40)), examples(15, seed=2)
    wanted = predicted(stage, test)
    monkeypatch.setattr("glossator.ml.crf_emissions.MOST_CACHED", 3)
    stage._model = None
    for answer, want in zip([predicted(stage, [e])[0] for e in test], wanted, strict=True):
        assert spans_of(answer) == spans_of(want)
        assert [s.score for s in answer] == pytest.approx([s.score for s in want], abs=1e-5)


def test_scores_are_probabilities_and_spans_do_not_overlap():
    stage = stepped(examples(40), steps=3)
    for answer in predicted(stage, examples(40, seed=3)):
        assert all(0 < span.score <= 1 for span in answer)
        assert all(a.end <= b.start for a, b in pairwise(answer))


def test_calibration_changes_scores_and_no_tag():
    data, noisy = examples(60), examples(60)
    stage = fitted(data, write="tag")
    generator = np.random.default_rng(0)
    for example in noisy:  # a dev set that disagrees in one tag of three
        for token in example.reference:
            if generator.random() < 1 / 3:
                token.tag_ = str(generator.choice(["LOC", "O", "PER"]))
    before = predicted(stage, noisy)
    stage.calibrate(noisy, vectors([e.predicted for e in noisy]))
    after = predicted(stage, noisy)
    assert all(np.array_equal(a.ids, b.ids) for a, b in zip(before, after, strict=True))
    confidence = [np.concatenate([a.probabilities for a in answers]).mean() for answers in (before, after)]
    right = np.mean(
        [
            stage.labels[i] == t.tag_
            for a, e in zip(after, noisy, strict=True)
            for i, t in zip(a.ids, e.reference, strict=True)
        ]
    )
    assert abs(confidence[1] - right) < 0.07 < abs(confidence[0] - right)


SHIPS = [[f"{'wxyz'[i % 4]}{i}", f"{'klmn'[i % 4]}{i}"] for i in range(24)]


@pytest.fixture
def phrases(tmp_path):
    lines = [{"label": "SHIP", "phrase": " ".join(name)} for name in [*SHIPS, ["quick", "tern"]]]
    lines.append({"label": "COLOUR", "phrase": "grey"})
    (tmp_path / "ships.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def ships(names: list[list[str]]) -> list[Example]:
    data = []
    for i, name in enumerate(names):
        words = [f"on{i}", *name, f"at{i}"]
        ents = ["O", "B-SHIP", *["I-SHIP"] * (len(name) - 1), "O"]
        data.append(Example(Doc(NLP.vocab, words=words), Doc(NLP.vocab, words=words, ents=ents)))
        others = [f"on{i}", f"{name[0]}0", f"{name[1]}0", f"at{i}"]
        data.append(Example(Doc(NLP.vocab, words=others), Doc(NLP.vocab, words=others, ents=["O"] * 4)))
    return data


def test_phrases_of_a_gazetteer_are_features(phrases, tmp_path):
    """All words are new but for those of the list: what holds of it in training finds a name never seen."""
    stage = CRFTagger(gazetteer="ships.jsonl")
    stage.prepare(phrases)
    data = ships(SHIPS)
    stage.fit(data, vectors([e.predicted for e in data]), seed=0)
    assert {"phrase=SHIP (first word)", "phrase=SHIP (later word)"} <= set(stage._table.names)
    doc = Doc(NLP.vocab, words=["zig", "quick", "tern", "zag"])
    [spans] = stage.predict([doc], vectors([doc]))
    assert spans_of(spans) == [(1, 3, "SHIP")]
    folder = tmp_path / "saved"
    folder.mkdir()
    stage.to_disk(folder)
    loaded = CRFTagger()
    loaded.from_disk(folder)
    assert loaded.predict([doc], vectors([doc])) == [spans]
    with pytest.raises(DataError, match="cannot read the list"):
        CRFTagger(gazetteer="none.jsonl").prepare(phrases)


def test_it_names_the_features_that_speak_for_a_label():
    stage = fitted(examples(60))
    assert isinstance(stage, Explainable)
    names = [name for name, value in stage.strongest("PER", 10) if value > 0]
    assert any(name.endswith("→ B-PER") for name in names)
    assert any(name.endswith("=Berg → I-PER") for name in names)
    values = [abs(value) for _, value in stage.strongest("PER", 10)]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("write", ["ents", "tag"])
def test_what_the_features_of_words_add_is_their_emission(write):
    stage = fitted(examples(60), write=write, width=2)
    doc = Doc(NLP.vocab, words=["the", "Ana", "\n", "Berg", "saw"])
    given_vectors = vectors([doc], 2)
    _, emissions = stage._emissions([doc], given_vectors)
    if write == "tag":
        expected = emissions[1, stage.labels.index("PER")]
        found = stage.explain(doc, given_vectors, "PER", 1, 2, 10**6)
    else:
        labels = stage._scheme.labels
        expected = emissions[1, labels.index("B-PER")] + emissions[2, labels.index("I-PER")]
        found = stage.explain(doc, given_vectors, "PER", 1, 4, 10**6)
    assert sum(value for _, value in found) == pytest.approx(expected, abs=1e-3)
    assert stage.explain(doc, given_vectors, "PER", 2, 3, 5) == []


def test_words_without_gold_teach_nothing():
    silent = [Example(Doc(NLP.vocab, words=["a", "b"]), Doc(NLP.vocab, words=["a", "b"]))]
    empty = [Example(Doc(NLP.vocab), Doc(NLP.vocab))]
    stage = fitted(examples(10), write="tag")
    before = predicted(stage, examples(5))
    for data in (silent, empty, []):
        assert go_on(stage, data, 2) == [0.0, 0.0]
    assert same(predicted(stage, examples(5)), before)


def test_words_of_which_nothing_is_said_do_not_count_as_outside():
    """Half annotated: "Lee" is a person or unmarked, never outside. It must still be found."""
    data = examples(60)
    for example in data:
        unknown = [t.i for t in example.reference if t.text in ("Lee", "Berg") and t.i % 2]
        if unknown:
            kept = [
                ent for ent in example.reference.ents if not set(range(ent.start, ent.end)) & set(unknown)
            ]
            missing = [example.reference[i : i + 1] for i in unknown]
            example.reference.set_ents(kept, missing=missing, default="outside")
    stage = fitted(data)
    doc = Doc(NLP.vocab, words=["the", "Lee", "saw"])
    assert spans_of(stage.predict([doc], vectors([doc]))[0]) == [(1, 2, "PER")]


def test_a_span_over_two_sentences_is_left_out_and_an_error_for_nobody():
    words, ents = ["Ana", "Berg", "saw"], ["B-PER", "I-PER", "O"]
    doc = Doc(NLP.vocab, words=words, sent_starts=[True, True, False])
    split = Example(doc, Doc(NLP.vocab, words=words, ents=ents))
    stage = fitted([*examples(20), split])
    assert go_on(stage, [split], 1)[0] >= 0


def test_no_documents_no_answers():
    for write in ("ents", "tag"):
        stage = fitted(examples(10), write=write)
        assert list(stage.predict([], vectors([]))) == []
        blank = Doc(NLP.vocab, words=["\n", " "])
        answers = stage.predict([Doc(NLP.vocab), blank], vectors([Doc(NLP.vocab), blank]))
        if write == "ents":
            assert answers == [[], []]
        else:
            assert [len(answer.ids) for answer in answers] == [0, 2]
        stage.calibrate([], vectors([]))


def test_misuse_is_named(tmp_path):
    with pytest.raises(ConfigError, match="'lemma': a tagger writes"):
        CRFTagger(write="lemma")
    for name in ("strength", "learn_rate"):
        with pytest.raises(ConfigError, match=f"crf: {name} must be more than 0, not 0"):
            CRFTagger(**{name: 0})
    stage = CRFTagger(write="pos")
    with pytest.raises(StageError, match="no gold 'pos' to learn from"):
        stage.fit(examples(3), vectors([]), seed=0)
    with pytest.raises(ConfigError, match="remove tune = true"):
        stage.initialize(examples(3), VectorSpace(tables=(np.zeros((2, 2)),)), seed=0)
    with pytest.raises(StageError, match="not trained yet"):
        stage.to_disk(tmp_path)
    with pytest.raises(PipelineError, match="missing or damaged"):
        stage.from_disk(tmp_path)


def test_arrays_that_do_not_fit_are_refused(tmp_path):
    fitted(examples(10)).to_disk(tmp_path)
    metadata = json.loads((tmp_path / "crf.json").read_text())
    (tmp_path / "crf.json").write_text(json.dumps({**metadata, "labels": ["LOC"]}))
    with pytest.raises(PipelineError, match="do not fit the labels"):
        CRFTagger().from_disk(tmp_path)
