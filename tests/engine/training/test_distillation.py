"""A student learns from its teacher's answers, and as often as the teacher is sure of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import glossator
from glossator.annotations.layer import CATS, ENTS, TAG
from glossator.config.schema import DataConfig
from glossator.config.sections import head_config
from glossator.config.text import read_config
from glossator.data.corpora import recipe
from glossator.errors import ConfigError, DataError, PipelineError, UsageError
from glossator.formats import Record
from glossator.stages import ScoredSpan, TokenTags
from glossator.training.distillation import distil, silver_records, teacher_head
from glossator.training.progress import Silent

pytestmark = pytest.mark.slow

TEXT = "Ada met Bob. They sailed\n\nhome."
SURE = {"Ada": 1.0, "Bob": 0.25}


class Teacher:
    """Sure of Ada and not of Bob, and of one word in two."""

    labels = ("NOUN", "VERB")
    exclusive = True

    def __init__(self, write="cats"):
        self.write = write

    def predict(self, docs, vectors):
        if self.write == "cats":
            return np.tile([0.8, 0.2], (len(docs), 1))
        if self.write == "ents":
            return [
                [ScoredSpan(t.i, t.i + 1, "PER", SURE[t.text]) for t in d if t.text in SURE] for d in docs
            ]
        return [TokenTags(np.zeros(len(doc), dtype=int), np.full(len(doc), 0.5)) for doc in docs]


@pytest.fixture
def teacher():
    stage = glossator.Stage(name="teacher", factory=Teacher)
    pipeline = glossator.Pipeline("en", sentences="rules")
    pipeline.add_tagger("ner", stage, write="ents")
    pipeline.add_tagger("pos", stage, write="pos")
    return pipeline.add_classifier("topic", stage, prefix="topic:")


def silver(teacher, head: str, texts, seed: int = 0):
    return silver_records(teacher, texts, {head: teacher.heads[head]}, seed=seed)[head]


def test_probabilities_of_categories_are_gold_values(teacher):
    (record,) = silver(teacher, "topic", [TEXT])
    assert (record.text, record.cats) == (TEXT, {"NOUN": 0.8, "VERB": 0.2})


def test_spans_are_taken_over_as_often_as_the_teacher_is_sure(teacher):
    records = silver(teacher, "ner", [TEXT] * 400)
    first = [record for record in records if record.text.startswith("Ada")]
    assert len(first) == 400
    said = [{record.text[s.start : s.end] for s in record.spans} for record in first]
    assert all("Ada" in spans for spans in said)
    assert np.mean(["Bob" in spans for spans in said]) == pytest.approx(0.25, abs=0.1)
    again = silver(teacher, "ner", [TEXT] * 400)
    assert [record.spans for record in again] == [record.spans for record in records]


class EverySpan(Teacher):
    """Finds every span of up to three tokens."""

    def predict(self, docs, vectors):
        return [
            [ScoredSpan(i, j, "PER", 1.0) for i in range(len(doc)) for j in range(i + 1, len(doc) + 1)][::-1]
            for doc in docs
        ]


def test_a_sentence_has_the_spans_that_lie_in_it(teacher):
    teacher.add_tagger("all", glossator.Stage(name="every", factory=EverySpan), write="spans:all")
    records = silver(teacher, "all", [TEXT])
    sentences = [sentence for sentence in teacher(TEXT).sents if not sentence.text.isspace()]
    assert len(records) == len(sentences) > 1
    for record, sentence in zip(records, sentences, strict=True):
        ends = range(len(sentence) + 1)
        wanted = {sentence[i:j].text.strip() for i in ends for j in ends if i < j} - {""}
        assert {record.text[span.start : span.end] for span in record.spans} == wanted


def never():
    raise AssertionError("it was labelled")
    yield


@pytest.mark.parametrize(
    ("seeds", "data", "error"), [(1, True, PipelineError), (0, True, UsageError), (1, False, ConfigError)]
)
def test_what_cannot_be_trained_is_said_before_the_teacher_works(teacher, tmp_path, seeds, data, error):
    config = with_sentiment_alone(1)
    if seeds and data:
        (tmp_path / "notes.txt").write_text("Mine.")
    with pytest.raises(error):
        distil(teacher, config if data else replace(config, data={}), never(), tmp_path, seeds=seeds)


def test_heads_that_do_not_learn_need_no_teacher(tmp_path):
    config = with_sentiment_alone(1)
    phrases = tmp_path / "names.jsonl"
    phrases.write_text('{"label": "PER", "phrase": "Ada"}\n')
    names = head_config(
        "names", "tagger", {"stage": "gazetteer", "write": "spans:names", "phrases": str(phrases)}
    )
    config = replace(config, heads=(*config.heads, names))
    stage = glossator.Stage(name="certain", factory=Certain)
    critic = glossator.Pipeline("en").add_classifier("sentiment", stage)
    student = distil(critic, config, [Record("So.")], tmp_path / "student").pipeline
    doc = student("Ada left.")
    assert [span.text for span in doc.spans["names"]] == ["Ada"]


def test_tags_that_are_not_taken_over_are_missing(teacher):
    records = silver(teacher, "pos", [TEXT] * 200)
    tags = [
        tag for r in records for word, tag in zip(r.tokens.words, r.tokens.pos, strict=True) if word.strip()
    ]
    assert set(tags) == {"NOUN", ""}
    assert np.mean([tag == "NOUN" for tag in tags]) == pytest.approx(0.5, abs=0.05)
    blanks = [
        tag
        for r in records
        for word, tag in zip(r.tokens.words, r.tokens.pos, strict=True)
        if not word.strip()
    ]
    assert blanks
    assert set(blanks) == {""}


def test_a_teachers_head_is_found_by_name_or_layer(teacher):
    assert teacher_head(teacher, "people", ENTS).name == "ner"
    stage = glossator.Stage(name="teacher", factory=Teacher)
    teacher.add_classifier("mood", stage, prefix="mood:")
    assert teacher_head(teacher, "mood", CATS).name == "mood"
    with pytest.raises(ConfigError, match="name it like the teacher's head"):
        teacher_head(teacher, "tone", CATS)
    with pytest.raises(ConfigError, match=r"the teacher has ner \(ents\)"):
        teacher_head(teacher, "tone", TAG)


def test_a_teacher_of_another_kind_of_answers_is_refused(tmp_path):
    stage = glossator.Stage(name="certain", factory=Certain)
    teacher = glossator.Pipeline("en").add_classifier("sentiment", stage)
    config = with_sentiment_alone(1)
    several = replace(config.heads[0], settings={**config.heads[0].settings, "exclusive": False})
    with pytest.raises(
        ConfigError, match=r"exactly one category.*set classifiers\.sentiment\.exclusive = true"
    ):
        distil(teacher, replace(config, heads=(several,)), [Record("So.")], tmp_path / "student")


def test_what_a_teacher_labelled_is_told(tmp_path):
    class Hears(Silent):
        def message(self, text):
            heard.append(text)

    heard: list[str] = []
    stage = glossator.Stage(name="certain", factory=Certain)
    teacher = glossator.Pipeline("en").add_classifier("sentiment", stage)
    distil(teacher, with_sentiment_alone(1), [Record("So.")] * 3, tmp_path / "student", progress=Hears())
    assert "sentiment: the teacher labelled 3 texts: negative 3" in heard


def test_a_teacher_whose_tokenizer_knows_no_sentences_labels_whole_texts(teacher):
    bare = glossator.Pipeline("en", tokenizer="whitespace")
    bare.add_tagger("ner", glossator.Stage(name="teacher", factory=Teacher), write="ents")
    (record,) = silver_records(bare, ["Ada left . Bob stayed ."], {"ner": bare.heads["ner"]}, seed=0)["ner"]
    assert record.text == "Ada left . Bob stayed ."


def test_without_text_there_is_nothing_to_label(teacher, tmp_path):
    config = with_sentiment_alone(1)
    with pytest.raises(DataError, match="no unlabelled text"):
        distil(teacher, config, [DataError("no text", file="x", line=1)], tmp_path / "student")


def test_a_teacher_does_not_score_its_student(tmp_path):
    rows = [
        f'{{"text": "text {i}", "cats": {{"negative": {i % 2}, "positive": {1 - i % 2}}}}}\n'
        for i in range(9)
    ]
    (tmp_path / "few.jsonl").write_text("".join(rows))
    few = replace(with_sentiment_alone(1), data={"sentiment": DataConfig(train=str(tmp_path / "few.jsonl"))})
    stage = glossator.Stage(name="certain", factory=Certain)
    teacher = glossator.Pipeline("en").add_classifier("sentiment", stage)
    with pytest.raises(DataError, match="'sentiment' needs a dev set to learn from a teacher"):
        distil(teacher, few, [Record("So.")] * 50, tmp_path / "student")


def with_sentiment_alone(epochs: int):
    config = read_config(recipe("samples"), {"training.max_epochs": epochs, "training.patience": epochs})
    heads = tuple(head for head in config.heads if head.name == "sentiment")
    return replace(config, heads=heads, data={"sentiment": config.data["sentiment"]})


def in_steps(config):
    """The same config with a stage that learns in epochs."""
    return replace(config, heads=tuple(replace(head, stage="stepwise") for head in config.heads))


class Certain(Teacher):
    """Finds every text bad."""

    labels = ("negative", "positive")

    def predict(self, docs, vectors):
        return np.tile([0.98, 0.02], (len(docs), 1))


class Doubtful(Certain):
    """Is less sure."""

    def predict(self, docs, vectors):
        return np.tile([0.6, 0.4], (len(docs), 1))


def test_a_student_learns_what_only_its_teacher_knows(tmp_path):
    """Gold says nothing of a made-up word; the teacher finds all texts with it bad."""
    stage = glossator.Stage(name="certain", factory=Certain)
    teacher = glossator.Pipeline("en").add_classifier("sentiment", stage)
    config = with_sentiment_alone(6)
    answers = []
    for name, text in (("alone", "So."), ("taught", "Glumberous, glumberous!")):
        student = distil(teacher, config, [Record(text)] * 150, tmp_path / name).pipeline
        answers.append(student("glumberous").cats["negative"])
    assert answers[1] > answers[0] + 0.1


def test_a_run_that_was_cut_off_is_gone_on_with(tmp_path):
    class Stops(Silent):
        def epoch_done(self, epoch, *, best):
            raise KeyboardInterrupt

    stage = glossator.Stage(name="certain", factory=Certain)
    teacher = glossator.Pipeline("en").add_classifier("sentiment", stage)
    config = in_steps(with_sentiment_alone(2))
    texts = [Record("So.")]
    cut = distil(teacher, config, texts, tmp_path / "cut", progress=Stops())
    assert cut.interrupted
    resumed = distil(teacher, config, texts, tmp_path / "cut", resume=True)
    whole = distil(teacher, config, texts, tmp_path / "whole")
    (one,), (other,) = resumed.heads["sentiment"], whole.heads["sentiment"]
    assert [(e.loss, e.score) for e in one.epochs] == [(e.loss, e.score) for e in other.epochs]
    distil(teacher, config, texts, tmp_path / "cut", progress=Stops())
    with pytest.raises(PipelineError, match="other data"):
        distil(teacher, config, [Record("Else.")], tmp_path / "cut", resume=True)
    doubtful = glossator.Pipeline("en").add_classifier(
        "sentiment", glossator.Stage(name="doubtful", factory=Doubtful)
    )
    with pytest.raises(PipelineError, match="other data"):
        distil(doubtful, config, texts, tmp_path / "cut", resume=True)


def test_the_command_reports_what_it_cannot_read(trained_samples, samples_folder, tmp_path, cli):
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"caf\xe9\n")
    texts = ("--unlabelled", samples_folder / "letters.txt", "--unlabelled", bad)
    options = ("-o", tmp_path / "student", "--set", "training.max_epochs=1")
    done = cli("distil", trained_samples, "samples", *texts, *options)
    assert done.code == 3, done.err
    assert "bad.txt" in done.err
    assert glossator.load(tmp_path / "student")("Ada left Oslo.").has_annotation("POS")
