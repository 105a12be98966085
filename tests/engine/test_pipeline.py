from __future__ import annotations

import json
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.training import Example

from glossator import Stage
from glossator.config import TrainingConfig, parse_config
from glossator.errors import ConfigError, PluginError, StageError, UsageError
from glossator.pipeline import Pipeline
from glossator.stages import ScoredSpan, TokenTags, VectorSpace

TEXTS = [
    ("Ana Lee sailed to Skye .", "PER PER O O LOC O", {"travel": 1.0, "food": 0.0}),
    ("The soup in Oslo was cold .", "O O O LOC O O O", {"travel": 0.0, "food": 1.0}),
    ("Lee ate bread .", "PER O O O", {"travel": 0.0, "food": 1.0}),
    ("From Oslo Ana sailed home .", "O LOC PER O O O", {"travel": 1.0, "food": 0.0}),
]


class Fixed:
    """A tagger or classifier that answers what it was told to."""

    exclusive = False

    def __init__(self, answer, labels=("A",), write="ents"):
        self.answer = answer
        self.labels = tuple(labels)

    def predict(self, docs, vectors):
        return self.answer(docs)


def fixed(answer, labels=("A",), name="fixed") -> Stage:
    def make(write: str = "ents") -> Fixed:
        return Fixed(answer, labels)

    return Stage(name=name, factory=make)


def first_words(label: str, score: float, words: int = 1):
    return fixed(lambda docs: [[ScoredSpan(0, words, label, score)] if len(d) >= words else [] for d in docs])


def examples(pipeline: Pipeline) -> list[Example]:
    made = []
    for text, tags, cats in TEXTS:
        words = text.split()
        ents = [tag if tag == "O" else f"B-{tag}" for tag in tags.split()]
        gold = Doc(pipeline.vocab, words=words, ents=ents, tags=tags.split())
        gold.cats = cats
        made.append(Example(Doc(pipeline.vocab, words=words), gold))
    return made


def train(pipeline: Pipeline) -> Pipeline:
    """Teach each head a little."""
    data = examples(pipeline)
    for head in pipeline.heads.values():
        head.stage.initialize(data, pipeline.vector_space(head.config), seed=pipeline.config.seed)
        for _ in range(8):
            head.stage.update(data, pipeline.vectors(head.config, [e.predicted for e in data]))
    return pipeline


def small(pipeline: Pipeline) -> Pipeline:
    pipeline.add_tagger("ner", "window", width=16, depth=1, learn_rate=0.02)
    pipeline.add_tagger("tags", "window", write="tag", width=16, depth=1)
    return pipeline.add_classifier("topic", "bow", rows=500, width=8)


@pytest.fixture(scope="module")
def trained() -> Pipeline:
    return train(small(Pipeline("en", name="toy", version="1.2", seed=3)))


def everything(doc: Doc) -> bytes:
    return doc.to_bytes()


CONFIG = """
[glossator]
lang = "en"
name = "toy"
version = "1.2"
seed = 3
stages = ["ner", "tags", "topic"]

[taggers.tags]
stage = "builtin/window"
write = "tag"
width = 16
depth = 1

[taggers.ner]
stage = "window"
width = 16
depth = 1
learn_rate = 0.02

[classifiers.topic]
stage = "bow"
rows = 500
width = 8

[training]
patience = 2
"""


def test_composing_in_python_and_from_a_config_is_the_same(trained, tmp_path):
    config = parse_config(CONFIG, folder=tmp_path)
    built = Pipeline.from_config(config)
    assert built.config == config
    assert built.config.training == TrainingConfig(patience=2)
    assert str(built.heads["ner"]) == ("tagger 'ner' (stage 'window', plugin 'builtin')")
    train(built)
    for text in ("Ana sailed to Oslo.", "The soup\n\nof Lee  ", ""):
        assert everything(built(text)) == everything(trained(text))


def test_config_is_kept_while_composing():
    pipeline = Pipeline("en", tokenizer="whitespace", sentences="none").add_classifier(
        "a", "bow", prefix="a:"
    )
    assert pipeline.config.tokenizer.settings == {"sentences": "none"}
    pipeline.add_classifier("b", "bow", exclusive=False)
    assert [head.name for head in pipeline.config.heads] == ["a", "b"]
    assert pipeline.heads["b"].stage.exclusive is False
    assert pipeline.config.heads[0].prefix == "a:"
    pipeline.remove("a")
    assert [head.name for head in pipeline.config.heads] == list(pipeline.heads) == ["b"]


def test_only_and_without_choose_heads_and_the_embedders_they_need():
    text = CONFIG.replace("depth = 1\nlearn", 'depth = 1\nvectors = ["v"]\nlearn') + (
        '[embedders.v]\nstage = "no-such-stage"\n[data.topic]\ncorpus = "x"\n[data.ner]\ncorpus = "y"\n'
    )
    config = parse_config(text, folder=Path())
    chosen = Pipeline.from_config(config, without=["ner"])
    assert list(chosen.heads) == ["tags", "topic"]
    assert (dict(chosen.config.embedders), set(chosen.config.data)) == ({}, {"topic"})
    assert list(Pipeline.from_config(config, only=["topic", "tags"]).heads) == ["tags", "topic"]
    assert list(Pipeline.from_config(config, only=["topic", "tags"], without=["tags"]).heads) == ["topic"]
    with pytest.raises(PluginError, match="no embedder 'no-such-stage'"):
        Pipeline.from_config(config)
    for wrong in ({"only": ["nre"]}, {"without": ["nre"]}):
        with pytest.raises(ConfigError, match="no head 'nre'; it has ner, tags, topic"):
            Pipeline.from_config(config, **wrong)


def test_unknown_names_list_what_there_is():
    pipeline = Pipeline("en")
    with pytest.raises(PluginError, match=r"(?s)no tagger 'windw'.*window.*available: .*gazetteer.*window"):
        pipeline.add_tagger("ner", "windw")
    with pytest.raises(PluginError, match="whitespace"):
        Pipeline("en", tokenizer="whitspace")
    with pytest.raises(ConfigError, match="no setting 'widht'"):
        pipeline.add_tagger("ner", "window", widht=3)
    with pytest.raises(ConfigError, match=r"no embedder 'words' \(embedders: none\)"):
        pipeline.add_tagger("ner", "window", vectors=["words"])
    with pytest.raises(ConfigError, match="the pipeline has no head 'ner'; it has none"):
        pipeline.remove("ner")
    assert not pipeline.heads
    assert not pipeline.config.heads


def test_names_that_clash_or_leave_the_folder_are_refused():
    pipeline = Pipeline("en").add_tagger("ner", first_words("A", 1.0))
    with pytest.raises(ConfigError, match="there is a head 'ner' already"):
        pipeline.add_classifier("ner", "bow")
    for name in ("../x", "a/b", ".."):
        with pytest.raises(ConfigError, match="a name is made of letters"):
            pipeline.add_tagger(name, "window")
        with pytest.raises(ConfigError, match="a name is made of letters"):
            pipeline.add_embedder(name, "window")


@pytest.mark.parametrize(
    ("first", "second", "place"),
    [
        (("a", "spans:k"), ("b", "spans:k"), r"doc\.spans\['k'\]"),
        (("a", "ents"), ("b", "spans:a"), r"doc\.spans\['a'\]"),
        (("a", "spans:b"), ("b", "tag"), r"doc\.spans\['b'\]"),
        (("a", "tag"), ("b", "tag"), r"token\.tag_"),
        (("a", "pos"), ("b", "pos"), r"token\.pos_"),
    ],
)
def test_heads_that_would_overwrite_each_other_are_refused(first, second, place):
    pipeline = Pipeline("en").add_tagger(first[0], first_words("A", 1.0), write=first[1])
    with pytest.raises(ConfigError, match=f"heads 'a' and 'b' both write {place}"):
        pipeline.add_tagger(second[0], first_words("A", 1.0), write=second[1])
    assert list(pipeline.heads) == ["a"]


def test_entities_of_an_earlier_head_stay_and_of_an_earlier_pass_go():
    pipeline = Pipeline("en").add_tagger("first", first_words("A", 0.1, words=2))
    pipeline.add_tagger("second", first_words("B", 0.9))
    doc = pipeline("Skye and Oslo")
    assert [(e.text, e.label_) for e in doc.ents] == [("Skye and", "A")]
    assert doc.spans["second"].attrs["scores"] == []
    pipeline.remove("first")
    assert [(e.text, e.label_) for e in pipeline(doc).ents] == [("Skye", "B")]


@pytest.mark.parametrize("texts", [[], ["Skye"], ["Skye", ""]])
def test_a_classifier_without_labels_says_nothing(texts):
    silent = fixed(lambda docs: [[] for _ in docs], labels=())
    docs = [spacy.blank("en")(text) for text in texts]
    Pipeline("en").add_classifier("a", silent).annotate(docs)
    assert [(doc.cats, doc.user_data["glossator"]["labels"]) for doc in docs] == [({}, {"a": []})] * len(docs)


def test_two_classifiers_share_a_doc_by_prefix_and_clashes_say_how():
    half = fixed(lambda docs: np.full((len(docs), 2), 0.5), labels=("yes", "no"))
    pipeline = Pipeline("en").add_classifier("a", half, prefix="a:").add_classifier("b", half)
    pipeline.check_labels()
    assert pipeline("x").cats == {"a:yes": 0.5, "a:no": 0.5, "yes": 0.5, "no": 0.5}
    pipeline.add_classifier("c", half)
    with pytest.raises(
        ConfigError, match=r"'b' and 'c' both write doc\.cats\['yes'\]: .*\[classifiers\.c\] prefix"
    ):
        pipeline.check_labels()


def test_labels_no_pos_layer_can_hold_are_refused():
    zeros = fixed(
        lambda docs: [TokenTags(np.zeros(len(d), int), np.ones(len(d))) for d in docs], labels=("NN",)
    )
    pipeline = Pipeline("en").add_tagger("p", zeros, write="pos")
    for act in (pipeline.check_labels, lambda: pipeline("word")):
        with pytest.raises(ConfigError, match="universal parts of speech only, not 'NN'"):
            act()


def test_each_doc_says_which_pipeline_wrote_it(trained):
    doc = trained("Ana")
    said = {"pipeline": "toy", "version": "1.2", "labels": {"topic": ["travel"]}}
    assert doc.user_data["glossator"] == said
    assert json.loads(json.dumps(doc.user_data["glossator"])) == doc.user_data["glossator"]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.sampled_from(["", " ", "Ana", "Lee sailed to Oslo. Home!", "the soup " * 9]), max_size=8),
    st.integers(1, 60),
)
def test_a_stream_keeps_order_and_count_whatever_the_batches(trained, texts, batch_words):
    docs = list(trained.pipe(iter(texts), batch_words=batch_words))
    assert [doc.text for doc in docs] == texts
    for doc in docs:
        alone = trained(doc.text)
        assert [(e.start, e.end, e.label_) for e in doc.ents] == [
            (e.start, e.end, e.label_) for e in alone.ents
        ]
        assert [t.tag_ for t in doc] == [t.tag_ for t in alone]
        assert doc.cats == pytest.approx(alone.cats, abs=1e-5)
        assert doc.spans["ner"].attrs["scores"] == pytest.approx(alone.spans["ner"].attrs["scores"], abs=1e-5)


def test_what_is_neither_text_nor_doc_is_misuse(trained):
    for wrong in (None, ["one", "two"], 3):
        with pytest.raises(UsageError, match="takes a text or a Doc"):
            trained(wrong)
        with pytest.raises(UsageError, match="takes a text or a Doc"):
            list(trained.pipe([wrong]))
    with pytest.raises(UsageError, match="pipe takes many texts"):
        list(trained.pipe("one text"))


def test_a_stream_is_bounded_even_where_its_docs_are_empty(trained):
    taken = 0

    def texts():
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield ""

    with closing(trained.pipe(texts(), batch_words=10)) as docs:
        next(docs)
        assert taken <= 21
        for _ in range(30):
            next(docs)
        assert taken <= 51


def test_a_stream_that_breaks_off_loses_no_batch_that_was_whole(trained):
    def texts():
        yield from ("Ana", "Lee", "Skye")
        raise ConnectionError

    came = []

    def collect():
        for doc in trained.pipe(texts(), batch_words=1):
            came.append(doc.text)

    with pytest.raises(ConnectionError):
        collect()
    assert came == ["Ana", "Lee"]


def test_batches_are_annotated_in_another_thread_and_a_single_one_in_this():
    threads = []

    def note(docs):
        threads.append(threading.current_thread())
        return [[] for _ in docs]

    pipeline = Pipeline("en").add_tagger("ner", fixed(note))
    pipeline("One text.")
    list(pipeline.pipe(["One text.", "Two texts."]))
    assert threads == [threading.current_thread()] * 2
    before = threading.active_count()
    list(pipeline.pipe(["One text."] * 5, batch_words=3))
    assert len(threads) == 2 + 5
    assert threading.current_thread() not in threads[2:]
    assert threading.active_count() == before


def test_no_stage_is_run_by_two_threads_at_once():
    running = threading.Lock()

    def answer(docs):
        if not running.acquire(blocking=False):
            raise RuntimeError("already running")
        time.sleep(0.002)
        running.release()
        return [[] for _ in docs]

    pipeline = Pipeline("en").add_tagger("ner", fixed(answer))
    texts = [f"Text {number}." for number in range(20)]
    streams = pipeline.pipe(texts, batch_words=1), pipeline.pipe(texts, batch_words=1)
    for number, docs in enumerate(zip(*streams, strict=True)):
        assert pipeline("Another.").text == "Another."
        assert {doc.text for doc in docs} == {f"Text {number}."}


def test_a_stream_fails_at_the_batch_that_is_wrong():
    def answer(docs):
        if any("bad" in doc.text for doc in docs):
            raise ZeroDivisionError("by nothing")
        return [[] for _ in docs]

    pipeline = Pipeline("en").add_tagger("ner", fixed(answer))
    docs = pipeline.pipe(["good", "fine", "bad", "late"], batch_words=1)
    assert [next(docs).text, next(docs).text] == ["good", "fine"]
    with pytest.raises(StageError, match="by nothing"):
        next(docs)


def test_docs_are_annotated_in_place_whatever_their_vocab(trained):
    text = "Ana Lee sailed to Skye."
    foreign = spacy.blank("de")(text)
    for token in foreign:
        token.is_sent_start = token.i == 0
    assert trained(foreign) is foreign
    own = trained(text)
    assert [(e.text, e.label_) for e in foreign.ents] == [(e.text, e.label_) for e in own.ents] != []
    assert [t.tag_ for t in foreign] == [t.tag_ for t in own]
    assert foreign.cats == pytest.approx(own.cats)
    [piped] = trained.pipe([spacy.blank("de")(text)])
    assert [e.label_ for e in piped.ents] == [e.label_ for e in own.ents]


def test_memory_zones_change_no_answer(trained):
    text = "Ana Lee sailed to Skye with Quennell and Oxenholme."
    before = trained(text).to_json()
    for _ in range(3):
        with trained.memory_zone():
            assert trained(text).to_json() == before
        trained.tokenizer("other words come between")
    assert trained(text).to_json() == before


def fails(docs):
    raise ZeroDivisionError("by nothing")


@pytest.mark.parametrize(
    ("kind", "write", "answer", "message"),
    [
        ("tagger", "ents", fails, "failed: ZeroDivisionError: by nothing"),
        ("tagger", "ents", lambda docs: [[]] * (len(docs) - 1), "answered for 1 of 2 documents"),
        ("tagger", "tag", lambda docs: [], "answered for 0 of 2 documents"),
        ("classifier", "cats", lambda docs: np.zeros((1, 1)), "answered for 1 of 2 documents"),
        ("classifier", "cats", lambda docs: np.zeros((2, 3)), "answered what cannot be written"),
        ("classifier", "cats", lambda docs: None, "answered what cannot be written"),
        (
            "tagger",
            "ents",
            lambda docs: [[ScoredSpan(0, 99, "A", 1.0)]] * 2,
            "answered what cannot be written",
        ),
        ("tagger", "ents", lambda docs: [["A"]] * 2, "answered what cannot be written"),
        ("tagger", "tag", lambda docs: [TokenTags(np.ones(1, int), np.ones(1))] * 2, "cannot be written"),
        ("tagger", "tag", lambda docs: [TokenTags(np.zeros(7, int), np.ones(7))] * 2, "cannot be written"),
    ],
)
def test_a_stage_that_fails_is_named_with_its_plugin(kind, write, answer, message):
    pipeline = Pipeline("en")
    stage = fixed(answer, name="shaky")
    if kind == "tagger":
        pipeline.add_tagger("head", stage, write=write)
    else:
        pipeline.add_classifier("head", stage)
    who = rf"{kind} 'head' \(stage 'shaky', plugin '\(none\)'\) .*({message})"
    with pytest.raises(StageError, match=who):
        list(pipeline.pipe(["One two.", "Three."]))


def test_an_untrained_stage_says_so():
    pipeline = Pipeline("en").add_tagger("ner", "window")
    with pytest.raises(StageError, match="not trained yet"):
        pipeline("Ana")


def test_only_tables_can_be_tuned():
    class Plain:
        width = 3

    pipeline = Pipeline("en").add_embedder("v", Stage(name="plain", factory=Plain))
    pipeline.add_tagger("ner", "window", vectors=["v"], tune=True)
    with pytest.raises(ConfigError, match=r"\[taggers\.ner\] tune = true: embedder 'v' has no table to tune"):
        pipeline.vector_space(pipeline.heads["ner"].config)
    pipeline.remove("ner")
    pipeline.add_tagger("ner", "window", vectors=["v"])
    assert pipeline.vector_space(pipeline.heads["ner"].config) == VectorSpace(width=3)
    with pytest.raises(ConfigError, match="there is an embedder 'v' already"):
        pipeline.add_embedder("v", Stage(name="plain", factory=Plain))


def test_a_document_of_200_000_tokens(trained):
    sentence = "Ana Lee sailed to Skye . The soup in Oslo was cold . "
    doc = trained(sentence * 15_400)
    assert len(doc) > 200_000
    alone = trained(sentence)
    assert [e.label_ for e in doc.ents] == [e.label_ for e in alone.ents] * 15_400
    assert len(doc.spans["ner"].attrs["scores"]) == len(doc.ents) > 0
    assert len(doc.spans["tags"].attrs["scores"]) == len(doc)
    assert sum(doc.cats.values()) == pytest.approx(1)
