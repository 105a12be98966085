"""Taggers made of a network: what they learn, what they refuse, and how sure they are."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs glossator[train]")
pytest.importorskip("tensorflow", reason="needs glossator[train]")

from spacy.tokens import Doc, Span  # noqa: E402
from spacy.training import Example  # noqa: E402

from glossator.errors import ConfigError, PipelineError, StageError  # noqa: E402
from glossator.ml.chain_decoding import Chain, decode_spans  # noqa: E402
from glossator.ml.span_scheme import SpanScheme  # noqa: E402
from glossator.ml.word_sequences import WordSequences  # noqa: E402
from glossator.ml.words import words_of  # noqa: E402
from glossator.stages import Vectors, VectorSpace  # noqa: E402
from glossator.util.arrays import read_arrays  # noqa: E402
from glossator_keras.crf import CRF  # noqa: E402
from glossator_keras.encoding.hashed_words import HashedWords  # noqa: E402
from glossator_keras.models.bilstm_crf import make_tagger  # noqa: E402
from glossator_keras.network import NetworkConfig, embed_words  # noqa: E402
from glossator_keras.tagger import KerasTagger  # noqa: E402
from glossator_keras.wide.crf import WIDE, WideCRF  # noqa: E402

pytestmark = pytest.mark.slow


def two_convolutions(config: NetworkConfig) -> keras.Model:
    """Return a stranger's network: its words see two words to either side."""
    words = embed_words(config, width=config.settings["width"], dropout=config.settings["dropout"])
    mask = keras.ops.cast(words.mask, "float32")[:, :, None]
    hidden = words.output
    for _ in range(2):
        convolved = keras.layers.Conv1D(config.settings["width"], 3, padding="same", activation="gelu")
        hidden = convolved(hidden) * mask
    logits = keras.layers.Dense(config.outputs)(hidden)
    if config.settings["top"] == "crf":
        logits = CRF.over(config.scheme)(logits)
    return keras.Model(words.inputs, logits)


def stranger(
    write: str = "ents",
    *,
    top: str = "softmax",
    scheme: str = "bioes",
    dropout: float = 0.3,
    word_dropout: float = 0.1,
    learn_rate: float = 0.02,
) -> KerasTagger:
    """Return a tagger of a network of one's own, which learns in a moment."""
    of_network = {"width": 24, "top": top, "dropout": dropout}
    encoder = HashedWords(word_dropout)
    return KerasTagger(
        two_convolutions, encoder, write=write, scheme=scheme, settings=of_network, learn_rate=learn_rate
    )


def spans_of(answer) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, span.label) for span in answer]


def gold_of(example: Example) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, span.label_) for span in example.reference.ents]


def names_of(stage, answer) -> list[str]:
    return [stage.labels[i] for i in answer.ids]


def share_right(stage, answers, data, write: str) -> float:
    """How many sentences are right as a whole."""
    if write == "tag":
        right = [
            names_of(stage, answer) == [token.tag_ for token in example.reference]
            for answer, example in zip(answers, data, strict=True)
        ]
    else:
        right = [spans_of(a) == gold_of(e) for a, e in zip(answers, data, strict=True)]
    return float(np.mean(right))


@pytest.mark.parametrize(
    ("write", "settings", "given"),
    [
        ("ents", {}, 0),
        ("spans:k", {"cell": "gru", "depth": 2, "scheme": "bio"}, 4),
        ("tag", {"cell": "gru"}, 0),
        ("ents", {"wide": False}, 0),
    ],
    ids=str,
)
def test_it_learns_what_can_be_learned(school, write, settings, given):
    stage = school.trained(write, given=given, **settings)
    assert stage.labels == (("CLUB", "LOC", "O", "PER") if write == "tag" else ("CLUB", "LOC", "PER"))
    unseen = school.examples(60, seed=1)
    assert share_right(stage, school.answers(stage, unseen, given), unseen, write) > 0.9


def test_given_vectors_are_used(school):
    # Each word comes once with either tag: only its vector tells which.
    data, rows = [], []
    for word in ["ox", "elk", "boar", "hen", "tern", "owl"]:
        for tag, value in (("LONG", 1), ("SHORT", -1)):
            gold = Doc(school.vocab, words=[word], tags=[tag])
            data.append(Example(Doc(school.vocab, words=[word]), gold))
            rows.append(np.full((1, 2), value, dtype=np.float32))
    given = Vectors(space=VectorSpace(width=2), values=rows)
    stage = stranger("tag")
    stage.initialize(data, given.space, seed=0)
    for _ in range(30):
        stage.update(data, given)
    stage.finish()
    for value, tag in ((1, "LONG"), (-1, "SHORT")):
        new = Vectors(space=given.space, values=[np.full((1, 2), value, dtype=np.float64)])
        [answer] = stage.predict([Doc(school.vocab, words=["yak"])], new)
        assert names_of(stage, answer) == [tag]


def test_scores_are_probabilities_and_spans_do_not_overlap(school):
    stage = school.trained()
    answers = school.answers(stage, school.examples(60, seed=3))
    assert any(answers)
    for answer in answers:
        assert all(0 < span.score <= 1 for span in answer)
        assert all(one.end <= other.start for one, other in pairwise(answer))


@pytest.mark.parametrize("most", [1, 7, 40])
def test_answers_do_not_depend_on_how_many_words_go_at_a_time(school, monkeypatch, most):
    stage, data = school.trained(), school.examples(20, seed=2)
    wanted = school.answers(stage, data)
    monkeypatch.setattr("glossator_keras.encoding.hashed_words.PREDICT_POSITIONS", most)
    for answer, want in zip(school.answers(stage, data), wanted, strict=True):
        assert spans_of(answer) == spans_of(want)
        assert [span.score for span in answer] == pytest.approx([span.score for span in want], abs=1e-5)


def test_white_space_and_the_sentences_of_one_doc_change_nothing(school):
    stage, data = school.trained(), school.examples(20, seed=2)
    wanted = school.answers(stage, data)
    words, starts, offsets = ["\n"], [True], []
    for example in data:
        offsets.append(len(words))
        words += [*[token.text for token in example.predicted], "\n"]
        starts += [True] + [False] * len(example.predicted)
    doc = Doc(school.vocab, words=words, sent_starts=starts)
    [joined] = school.answers(stage, [doc])
    assert spans_of(joined) == [
        (start + offset, end + offset, label)
        for answer, offset in zip(wanted, offsets, strict=True)
        for start, end, label in spans_of(answer)
    ]


def test_the_chain_has_a_say_in_what_is_a_span(school, tmp_path):
    stage, data = school.trained(), school.examples(40, seed=6)
    stage.to_disk(tmp_path)
    scheme = SpanScheme.bioes(stage.labels)
    with np.load(tmp_path / "chain.npz") as arrays:
        chain = dict(arrays)
    for label in ("B-PER", "S-PER"):  # now no name may begin
        chain["transitions"][:, scheme.labels.index(label)] = -np.inf
        chain["start"][scheme.labels.index(label)] = -np.inf
    np.savez(tmp_path / "chain.npz", **chain)
    nameless = make_tagger()
    nameless.from_disk(tmp_path)
    answers = [school.answers(each, data) for each in (stage, nameless)]
    found = [{span.label for answer in of_stage for span in answer} for of_stage in answers]
    assert found == [{"CLUB", "LOC", "PER"}, {"CLUB", "LOC"}]


@pytest.mark.parametrize("write", ["ents", "tag"])
def test_a_sentence_of_three_thousand_words_is_annotated(school, write):
    settings = {"cell": "gru"} if write == "tag" else {}
    stage = school.trained(write, **settings)
    words = ["Ana", "Berg", "saw", "the", "boat", "."] * 500
    [answer] = school.answers(stage, [Doc(school.vocab, words=words)])
    if write == "tag":
        assert names_of(stage, answer) == ["PER", "PER", "O", "O", "O", "O"] * 500
        assert ((answer.probabilities > 0.5) & (answer.probabilities <= 1)).all()
    else:
        assert spans_of(answer) == [(start, start + 2, "PER") for start in range(0, 3000, 6)]
        assert all(0.5 < span.score <= 1 for span in answer)


@pytest.mark.parametrize("write", ["ents", "tag"])
def test_no_documents_no_answers(school, write):
    stage = school.trained(write, **({"cell": "gru"} if write == "tag" else {}))
    assert list(school.answers(stage, [])) == []
    answers = school.answers(stage, [Doc(school.vocab), Doc(school.vocab, words=["\n", " "])])
    if write == "tag":
        assert [len(answer.ids) for answer in answers] == [0, 2]
    else:
        assert answers == [[], []]


def silenced(example: Example) -> Example:
    """The example without a tag."""
    words, vocab = [token.text for token in example.reference], example.predicted.vocab
    return Example(Doc(vocab, words=words), Doc(vocab, words=words))


@pytest.mark.parametrize("top", ["crf", "softmax"])
def test_words_of_which_is_not_said_whether_they_are_entities_teach_nothing(school, top):
    stage = stranger("ents", top=top)
    stage.initialize(school.examples(12), VectorSpace(), seed=0)
    reference = Doc(school.vocab, words=["Ada", "left"])
    reference.set_ents([], missing=[reference[:]])
    silent = Example(Doc(school.vocab, words=["Ada", "left"]), reference)
    assert school.teach(stage, [silent], 2) == [0.0, 0.0]


@pytest.mark.parametrize("top", ["crf", "softmax"])
def test_words_without_a_gold_tag_teach_nothing(school, top):
    data = school.examples(12)
    silent = [silenced(example) for example in data]
    stage = stranger("tag", top=top)
    stage.initialize(data, VectorSpace(), seed=0)
    before = {name: array.copy() for name, array in stage.training_state().items()}
    for nothing in (silent, [Example(Doc(school.vocab), Doc(school.vocab))], []):
        assert school.teach(stage, nothing, 2) == [0.0, 0.0]
    after = stage.training_state()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    # The loss is the mean over the words that have one: beside others, of the same words, nothing changes.
    clean = school.teach(stage, data, 3)
    stage.restore(before)
    assert school.teach(stage, [*silent, *data], 3) == pytest.approx(clean, abs=1e-5)


@pytest.mark.parametrize("top", ["crf", "softmax"])
def test_the_loss_is_a_words_mean_however_many_steps_a_batch_needs(school, monkeypatch, top):
    # At a rate of nothing no step changes what the next one finds.
    stage = stranger(top=top, dropout=0.0, word_dropout=0.0, learn_rate=0.0)
    data = school.examples(20)
    stage.initialize(data, VectorSpace(), seed=0)
    whole = school.teach(stage, data, 2)
    assert whole[0] == pytest.approx(whole[1])
    monkeypatch.setattr("glossator_keras.encoding.hashed_words.TRAIN_POSITIONS", 6)
    assert school.teach(stage, data, 1) == pytest.approx(whole[:1], abs=1e-5)


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_gold_spans_that_no_labels_spell_do_no_harm(school, scheme):
    """A span over the end of a sentence, or that ends in white space, is impossible to a chain."""
    words = ["old", "Ana", "Berg", "\n", "saw", "\n"]
    odd = []
    for spans, starts in (([(1, 3)], [True, False, True, False, False, False]), ([(1, 4), (5, 6)], None)):
        gold = Doc(school.vocab, words=words, sent_starts=starts)
        gold.spans["k"] = [Span(gold, start, end, "PER") for start, end in spans]
        odd.append(Example(Doc(school.vocab, words=words, sent_starts=starts), gold))
    data = [*school.examples(60), *odd]
    stage = stranger("spans:k", top="crf", scheme=scheme)
    stage.initialize(data, VectorSpace(), seed=0)
    losses = school.teach(stage, data, 20)
    assert losses[-1] < losses[0] < 10
    stage.calibrate(data, school.vectors(data))
    split, trimmed = school.answers(stage, odd)
    assert spans_of(trimmed) == [(1, 3, "PER")]
    assert all(0 < span.score <= 1 for span in [*split, *trimmed])


def log_loss(answers, data) -> float:
    """Of the scores of all spans: how sure they are, against whether they are right."""
    scores, right = zip(
        *(
            (span.score, (span.start, span.end, span.label) in gold_of(example))
            for answer, example in zip(answers, data, strict=True)
            for span in answer
        ),
        strict=True,
    )
    given = np.clip(np.where(right, scores, 1 - np.asarray(scores)), 1e-9, 1)
    return float(-np.log(given).mean())


@pytest.mark.parametrize("top", ["crf", "softmax"])
def test_calibration_makes_scores_likelier_and_changes_no_span(school, tmp_path, monkeypatch, top):
    stage = stranger(top=top, scheme="bio", learn_rate=0.005)
    stage.initialize(school.examples(60), VectorSpace(), seed=0)
    school.teach(stage, school.examples(60), 30)
    noisy = school.examples(120, seed=5)
    generator = np.random.default_rng(0)
    for example in noisy:  # a dev set that disagrees about one entity of three
        kept = [ent for ent in example.reference.ents if generator.random() > 1 / 3]
        example.reference.set_ents(kept)
    before = school.answers(stage, noisy)
    stage.calibrate(noisy, school.vectors(noisy))
    after = school.answers(stage, noisy)
    assert [spans_of(answer) for answer in after] == [spans_of(answer) for answer in before]
    assert log_loss(after, noisy) < 0.8 * log_loss(before, noisy)
    stage.to_disk(tmp_path)
    again = stranger(top=top)
    again.from_disk(tmp_path)
    assert school.answers(again, noisy) == after
    monkeypatch.setattr("glossator_keras.encoding.hashed_words.PREDICT_POSITIONS", 1)  # nothing is padded
    again.calibrate(noisy, school.vectors(noisy))
    for answer, want in zip(school.answers(again, noisy), after, strict=True):
        assert [span.score for span in answer] == pytest.approx([span.score for span in want], abs=2e-4)


def test_what_was_saved_is_what_is_loaded_whatever_the_settings_say(school, tmp_path):
    stage = school.trained("tag", cell="gru")
    stage.to_disk(tmp_path)
    loaded = make_tagger("tag", width=3, depth=4)
    loaded.from_disk(tmp_path)
    data = school.examples(10, seed=4)
    assert loaded.labels == stage.labels
    for one, other in zip(school.answers(loaded, data), school.answers(stage, data), strict=True):
        assert np.array_equal(one.ids, other.ids)
        assert np.array_equal(one.probabilities, other.probabilities)


def test_a_network_starts_as_the_linear_model_that_it_contains(school, tmp_path):
    data = school.examples(60)
    stage = make_tagger(width=16)
    stage.initialize(data, VectorSpace(), seed=0)
    stage.to_disk(tmp_path)
    scheme = SpanScheme.bioes(stage.labels)
    wide, saved = WideCRF(), read_arrays(tmp_path / WIDE)
    wide.from_disk(tmp_path, len(scheme.labels))
    potentials = (saved[name] for name in ("transitions", "start", "end"))
    chain = Chain(*(a + b for a, b in zip(potentials, scheme.constraints(), strict=True)))

    docs = [example.predicted for example in school.examples(20, seed=1)]
    words, emissions = words_of(docs, ()), wide.emissions(docs)
    starts = words.sentence_starts
    sentences = [WordSequences.between(starts[i : i + 1], starts[i + 1 : i + 2]) for i in range(len(docs))]
    answers = [(sentence, emissions[sentence.positions]) for sentence in sentences]
    wanted = decode_spans(answers, words, scheme, chain, temperature=1.0)
    assert any(wanted)
    for got, want in zip(school.answers(stage, docs), wanted, strict=True):
        assert spans_of(got) == spans_of(want)
        assert [span.score for span in got] == pytest.approx([span.score for span in want], abs=1e-4)


def test_folders_of_the_first_versions_have_no_linear_model(school, tmp_path):
    stage = school.trained(wide=False)
    stage.to_disk(tmp_path)
    file = tmp_path / "tagger.json"
    metadata = json.loads(file.read_text())
    del metadata["wide"]
    file.write_text(json.dumps(metadata))
    loaded = make_tagger()
    loaded.from_disk(tmp_path)
    data = school.examples(20, seed=4)
    assert school.answers(loaded, data) == school.answers(stage, data)


def test_a_linear_model_that_is_missing_is_named(school, tmp_path):
    school.trained().to_disk(tmp_path)
    (tmp_path / WIDE).unlink()
    with pytest.raises(PipelineError, match=r"wide\.npz is missing"):
        make_tagger().from_disk(tmp_path)


def test_one_that_knows_words_by_other_features_is_refused(school, tmp_path):
    school.trained().to_disk(tmp_path)
    metadata = json.loads((tmp_path / "tagger.json").read_text())
    (tmp_path / "tagger.json").write_text(json.dumps({**metadata, "tables": [10, *metadata["tables"][1:]]}))
    with pytest.raises(PipelineError, match="trained by another version of glossator_keras"):
        make_tagger("ents").from_disk(tmp_path)


@pytest.mark.parametrize("damage", ["removed", "cut", "other"])
def test_damaged_metadata_is_named(school, tmp_path, damage):
    school.trained().to_disk(tmp_path)
    metadata = tmp_path / "tagger.json"
    if damage == "removed":
        metadata.unlink()
    else:
        metadata.write_text(metadata.read_text()[:40] if damage == "cut" else "[]")
    with pytest.raises(PipelineError, match=r"tagger\.json is missing or damaged"):
        make_tagger().from_disk(tmp_path)


def test_a_stage_that_has_not_learned_says_so(school, tmp_path):
    data = school.examples(2)
    given = school.vectors(data)
    uses = [
        lambda stage: stage.predict([data[0].predicted], given),
        lambda stage: stage.update(data, given),
        lambda stage: stage.calibrate(data, given),
        lambda stage: stage.to_disk(tmp_path),
        KerasTagger.finish,
        KerasTagger.training_state,
    ]
    for use in uses:
        with pytest.raises(StageError, match="not trained yet"):
            use(make_tagger())
    assert make_tagger().labels == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, "bilstm-crf: width must be a whole number, at least 1, not 0"),
        ({"depth": 0}, "bilstm-crf: depth must be a whole number, at least 1, not 0"),
        ({"dropout": 1}, "bilstm-crf: dropout must be from 0 to below 1, not 1"),
        ({"word_dropout": 5}, "bilstm-crf: word_dropout must be from 0 to below 1, not 5"),
        ({"learn_rate": 0}, "bilstm-crf: learn_rate must be above 0, not 0"),
        ({"cell": "rnn"}, "bilstm-crf: cell = 'rnn': use one of lstm, gru"),
        ({"decoder": "greedy"}, "bilstm-crf: decoder = 'greedy': use one of crf, softmax"),
        ({"scheme": "bilou"}, "scheme = 'bilou': use one of bio, bioes"),
        ({"runtime": "torch"}, "runtime = 'torch': use one of onnx, keras"),
        ({"write": "lemma"}, "'lemma': a tagger writes"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_tagger(**settings)


def test_what_cannot_be_learned_from_is_named(school):
    data = school.examples(3)
    with pytest.raises(StageError, match="no gold 'spans:nobody' to learn from"):
        make_tagger("spans:nobody").initialize(data, VectorSpace(), seed=0)


def test_a_network_of_ones_own_is_one_function(school, tmp_path, monkeypatch):
    stage, data = stranger(), school.examples(60)
    stage.initialize(data, VectorSpace(), seed=0)
    school.teach(stage, data, 40)
    stage.finish()
    unseen = school.examples(60, seed=1)
    wanted = school.answers(stage, unseen)
    assert share_right(stage, wanted, unseen, "ents") > 0.9
    stage.to_disk(tmp_path)
    loaded = stranger()
    loaded.from_disk(tmp_path)
    assert school.answers(loaded, unseen) == wanted
    with monkeypatch.context() as patch:
        patch.setattr("glossator_keras.encoding.hashed_words.PREDICT_POSITIONS", 13)
        for answer, want in zip(school.answers(loaded, unseen), wanted, strict=True):
            assert spans_of(answer) == spans_of(want)
            assert [span.score for span in answer] == pytest.approx([span.score for span in want], abs=1e-5)
    # It goes on learning where it was, and what it answers next is what it has learned since.
    losses = school.teach(loaded, unseen, 10)
    assert max(losses) < 0.5
    loaded.finish()
    again = school.answers(loaded, unseen)
    assert again != wanted
    assert share_right(loaded, again, unseen, "ents") > 0.9
