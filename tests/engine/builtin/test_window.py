from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Ragged

from glossator.builtin.window import WindowTagger
from glossator.builtin.window_network import build_network
from glossator.errors import ConfigError, PipelineError, StageError
from glossator.stages import TokenTags, Vectors, VectorSpace

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
    """Words and BIO tags: a person may have a surname, "of" and a place make one entity with it."""
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


def learn(data: list[Example], steps: int = 25, seed: int = 0, width: int = 0, **settings) -> WindowTagger:
    stage = WindowTagger(**{"width": 24, "depth": 1, "learn_rate": 0.01, **settings})
    stage.initialize(data, VectorSpace(width=width), seed=seed)
    go_on(stage, data, steps, width)
    return stage


def go_on(stage: WindowTagger, data: list[Example], steps: int, width: int = 0) -> list[float]:
    return [stage.update(data, vectors([e.predicted for e in data], width)) for _ in range(steps)]


def predicted(stage: WindowTagger, data: list[Example], width: int = 0):
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


@pytest.mark.parametrize("write", ["ents", "spans:k", "tag"])
@pytest.mark.parametrize("width", [0, 4])
def test_it_learns_what_can_be_learned(write, width):
    stage = learn(examples(80), write=write, width=width)
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


def test_given_vectors_are_used():
    words = [["x" * length] for length in (1, 2, 8, 9)] * 3
    data = []
    for i, [word] in enumerate(words):
        # The word itself, new every time, says nothing: only its vector does.
        doc = [f"{'ab'[i % 2]}{i}"]
        gold = Doc(NLP.vocab, words=doc, tags=["LONG" if len(word) > 4 else "SHORT"])
        data.append(
            (Example(Doc(NLP.vocab, words=doc), gold), np.full((1, 2), len(word) / 9, dtype=np.float32))
        )
    given = Vectors(space=VectorSpace(width=2), values=[rows for _, rows in data])
    stage = WindowTagger(write="tag", width=16, depth=1, learn_rate=0.01, dropout=0.0)
    stage.initialize([e for e, _ in data], given.space, seed=0)
    for _ in range(40):
        stage.update([e for e, _ in data], given)
    new = [Doc(NLP.vocab, words=["zz9"])]
    for size, tag in ((1, "SHORT"), (9, "LONG")):
        rows = np.full((1, 2), size / 9, dtype=np.float32)
        [answer] = stage.predict(new, Vectors(space=given.space, values=[rows]))
        assert stage.labels[answer.ids[0]] == tag


def test_the_loss_falls():
    stage = learn(examples(40), steps=0)
    losses = go_on(stage, examples(40), 20)
    assert losses[-1] < 0.3 * losses[0]
    assert all(np.isfinite(losses))


def test_a_seed_gives_one_result_and_another_another():
    data = examples(20)
    first, again, other = learn(data, 4), learn(data, 4), learn(data, 4, seed=1)
    assert predicted(first, data) == predicted(again, data)
    assert predicted(first, data) != predicted(other, data)
    # Training again starts from fresh, whatever was learned and calibrated before.
    first.calibrate(data, vectors([e.predicted for e in data]))
    first.initialize(data, NO_SPACE, seed=0)
    go_on(first, data, 4)
    assert predicted(first, data) == predicted(again, data)


def test_a_run_that_was_cut_off_ends_where_an_undisturbed_one_does(tmp_path):
    data = examples(20)
    whole = learn(data, 8)
    half = learn(data, 4)
    half.to_disk(tmp_path)
    state = {name: array.copy() for name, array in half.training_state().items()}
    go_on(half, data, 3)  # whatever happens meanwhile
    resumed = WindowTagger(width=24, depth=1, learn_rate=0.01)
    resumed.initialize(data, NO_SPACE, seed=99)
    resumed.from_disk(tmp_path)
    resumed.restore(state)
    go_on(resumed, data, 4)
    assert predicted(resumed, data) == predicted(whole, data)


@pytest.mark.parametrize("write", ["ents", "tag"])
def test_saved_and_loaded_it_answers_the_same(tmp_path, write):
    data = examples(30)
    stage = learn(data, 6, write=write, width=3)
    stage.calibrate(data, vectors([e.predicted for e in data], 3))
    stage.to_disk(tmp_path)
    loaded = WindowTagger(write=write)
    loaded.from_disk(tmp_path)
    assert loaded.labels == stage.labels
    assert same(predicted(loaded, data, 3), predicted(stage, data, 3))


def test_weights_of_another_network_are_refused(tmp_path):
    learn(examples(10), 1).to_disk(tmp_path)
    facts = (tmp_path / "network.json").read_text()
    (tmp_path / "network.json").write_text(facts.replace('"width": 24', '"width": 25'))
    with pytest.raises(PipelineError, match=r"weights\.npz is damaged: .*has shape"):
        WindowTagger().from_disk(tmp_path)


def test_answers_do_not_depend_on_the_batch_white_space_or_order():
    stage = learn(examples(40))
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


@pytest.mark.parametrize("most", [1, 7, 40])
def test_answers_do_not_depend_on_how_many_words_go_at_a_time(monkeypatch, most):
    stage, test = learn(examples(40), width=2), examples(15, seed=2)
    wanted = predicted(stage, test, 2)
    monkeypatch.setattr("glossator.builtin.window.NETWORK_WORDS", most)
    monkeypatch.setattr("glossator.builtin.window.DECODE_WORDS", most)
    for answer, want in zip(predicted(stage, test, 2), wanted, strict=True):
        assert spans_of(answer) == spans_of(want)
        assert [s.score for s in answer] == pytest.approx([s.score for s in want], abs=1e-5)


def test_spans_have_the_posterior_of_the_softmax_they_are_decoded_from():
    stage = learn(examples(40), steps=6)
    # Of one word, the model knows O, B-LOC and B-PER alone: what is well-formed.
    for word in ("Ana", "Oslo", "boat", "new"):
        doc = Doc(NLP.vocab, words=[word])
        [spans] = stage.predict([doc], vectors([doc]))
        logits = stage._network.predict(stage._inputs(_words([doc]), vectors([doc]))).dataXd[0]
        scheme = stage._scheme
        possible = {
            label: np.exp(logits[i]) for i, label in enumerate(scheme.labels) if not label.startswith("I-")
        }
        total = sum(possible.values())
        best = max(possible, key=possible.get)
        if best == "O":
            assert spans == []
        else:
            [span] = spans
            assert span.label == best[2:]
            assert span.score == pytest.approx(possible[best] / total, abs=1e-5)


def _words(docs):
    from glossator.builtin.window import ATTRIBUTES
    from glossator.ml.words import words_of

    return words_of(docs, ATTRIBUTES)


def test_scores_are_probabilities_and_spans_do_not_overlap():
    stage = learn(examples(40), steps=6)
    for answer in predicted(stage, examples(40, seed=3)):
        assert all(0 < span.score <= 1 + 1e-6 for span in answer)
        assert all(a.end <= b.start for a, b in pairwise(answer))


def test_calibration_changes_scores_and_no_tag():
    data = examples(60)
    noisy = examples(60)
    stage = learn(data, 40, write="tag")
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
    assert abs(confidence[1] - right) < 0.05 < abs(confidence[0] - right)


def test_words_without_gold_teach_nothing():
    silent = [Example(Doc(NLP.vocab, words=["a", "b"]), Doc(NLP.vocab, words=["a", "b"]))]
    empty = [Example(Doc(NLP.vocab), Doc(NLP.vocab))]
    stage = learn(examples(10), 1, write="tag")
    before = predicted(stage, examples(5))
    for data in (silent, empty, []):
        assert go_on(stage, data, 2) == [0.0, 0.0]
    assert same(predicted(stage, examples(5)), before)


def test_tokens_of_which_is_not_said_whether_they_are_entities_teach_nothing():
    stage = learn(examples(10), 1, write="ents")
    reference = Doc(NLP.vocab, words=["a", "b"])
    reference.set_ents([], missing=[reference[:]])
    assert go_on(stage, [Example(Doc(NLP.vocab, words=["a", "b"]), reference)], 2) == [0.0, 0.0]


def test_no_documents_no_answers():
    for write in ("ents", "tag"):
        stage = learn(examples(10), 1, write=write)
        assert list(stage.predict([], vectors([]))) == []
        blank = Doc(NLP.vocab, words=["\n", " "])
        answers = stage.predict([Doc(NLP.vocab), blank], vectors([Doc(NLP.vocab), blank]))
        if write == "ents":
            assert answers == [[], []]
        else:
            assert [len(answer.ids) for answer in answers] == [0, 2]
        stage.calibrate([], vectors([]))


def test_misuse_is_named(tmp_path):
    for name in ("width", "depth", "window"):
        with pytest.raises(ConfigError, match=f"window: {name} must be at least 1, not 0"):
            WindowTagger(**{name: 0})
    with pytest.raises(ConfigError, match="'lemma': a tagger writes"):
        WindowTagger(write="lemma")
    stage = WindowTagger(write="pos")
    with pytest.raises(StageError, match="no gold 'pos' to learn from"):
        stage.initialize(examples(3), NO_SPACE, seed=0)
    with pytest.raises(ConfigError, match="remove tune = true"):
        stage.initialize(examples(3), VectorSpace(tables=(np.zeros((2, 2)),)), seed=0)
    with pytest.raises(StageError, match="nothing to save"):
        stage.to_disk(tmp_path)


@pytest.mark.parametrize("given", [0, 3])
def test_gradients_are_those_of_the_network(given):
    """The gradient that backpropagation gives each weight, against small steps in that weight."""
    network = build_network(rows=(7, 5), width=4, depth=1, window=1, labels=3, vectors=given, dropout=0.0)
    np.random.seed(0)
    network.initialize()
    generator = np.random.default_rng(0)
    for node in network.walk():
        for name in node.param_names:
            shape = node.get_param(name).shape
            node.set_param(name, generator.normal(size=shape).astype(np.float32))
    features = generator.integers(0, 2**60, size=(6, 2)).astype(np.uint64)
    inputs = (
        features,
        generator.normal(size=(6, given)).astype(np.float32),
        np.asarray([4, 2], dtype=np.int32),
    )
    weights = generator.normal(size=(6, 3)).astype(np.float32)

    def value() -> float:
        return float((network.predict(inputs).dataXd.astype(np.float64) * weights).sum())

    output, backprop = network.begin_update(inputs)
    backprop(Ragged(weights.copy(), output.lengths))
    checked = 0
    for node in network.walk():
        for name in node.param_names:
            if not node.has_grad(name):
                continue
            array, gradient = node.get_param(name), node.get_grad(name)
            for place in list(np.ndindex(array.shape))[:: max(1, array.size // 12)]:
                kept, step = array[place], np.float32(1e-2)
                array[place] = kept + step
                above = value()
                array[place] = kept - step
                below = value()
                array[place] = kept
                assert (above - below) / (2 * float(step)) == pytest.approx(
                    gradient[place], rel=0.08, abs=0.08
                )
                checked += 1
    assert checked > 40
