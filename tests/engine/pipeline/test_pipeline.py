"""A pipeline composed and configured: its heads, what they may write, and who is named when one fails."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from toy_pipelines import first_words, fixed, toy, train

from glossator import Stage
from glossator.config.schema import TrainingConfig
from glossator.config.text import parse_config
from glossator.errors import ConfigError, PluginError, StageError, UsageError
from glossator.pipeline.pipeline import Pipeline
from glossator.stages import ScoredSpan, TokenTags, VectorSpace


@pytest.fixture(scope="module")
def trained() -> Pipeline:
    return toy()


def everything(doc: Doc) -> bytes:
    return doc.to_bytes()


CONFIG = """
[glossator]
lang = "en"
name = "toy"
version = "1.2"
seed = 3
heads = ["ner", "tags", "topic"]

[taggers.tags]
stage = "builtin/crf"
write = "tag"

[taggers.ner]
stage = "crf"

[classifiers.topic]
stage = "linear"

[training]
patience = 2
"""


def test_composing_in_python_and_from_a_config_is_the_same(trained, tmp_path):
    config = parse_config(CONFIG, folder=tmp_path)
    built = Pipeline.from_config(config)
    assert built.config == config
    assert built.config.training == TrainingConfig(patience=2)
    assert str(built.heads["ner"]) == ("tagger 'ner' (stage 'crf', plugin 'builtin')")
    train(built)
    for text in ("Ana sailed to Oslo.", "The soup\n\nof Lee  ", ""):
        assert everything(built(text)) == everything(trained(text))


def test_config_is_kept_while_composing():
    pipeline = Pipeline("en", tokenizer="whitespace", sentences="none").add_classifier(
        "a", "linear", prefix="a:"
    )
    assert pipeline.config.tokenizer.settings == {"sentences": "none"}
    pipeline.add_classifier("b", "linear", exclusive=False)
    assert [head.name for head in pipeline.config.heads] == ["a", "b"]
    assert pipeline.heads["b"].stage.exclusive is False
    assert pipeline.config.heads[0].prefix == "a:"
    pipeline.remove("a")
    assert [head.name for head in pipeline.config.heads] == list(pipeline.heads) == ["b"]


def test_only_and_without_choose_heads_and_the_embedders_they_need():
    text = CONFIG.replace('stage = "crf"', 'stage = "crf"\nvectors = ["v"]') + (
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
    with pytest.raises(PluginError, match=r"(?s)no tagger 'cfr'.*crf.*available: .*crf, gazetteer"):
        pipeline.add_tagger("ner", "cfr")
    with pytest.raises(PluginError, match="whitespace"):
        Pipeline("en", tokenizer="whitspace")
    with pytest.raises(ConfigError, match="no setting 'widht'"):
        pipeline.add_tagger("ner", "crf", widht=3)
    with pytest.raises(ConfigError, match=r"no embedder 'words' \(embedders: none\)"):
        pipeline.add_tagger("ner", "crf", vectors=["words"])
    with pytest.raises(ConfigError, match="the pipeline has no head 'ner'; it has none"):
        pipeline.remove("ner")
    assert not pipeline.heads
    assert not pipeline.config.heads


def test_names_that_clash_or_leave_the_folder_are_refused():
    pipeline = Pipeline("en").add_tagger("ner", first_words("A", 1.0))
    with pytest.raises(ConfigError, match="a head 'ner' already exists"):
        pipeline.add_classifier("ner", "linear")
    for name in ("../x", "a/b", ".."):
        with pytest.raises(ConfigError, match="a name consists of letters"):
            pipeline.add_tagger(name, "crf")
        with pytest.raises(ConfigError, match="a name consists of letters"):
            pipeline.add_embedder(name, "crf")


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


def test_what_is_neither_text_nor_doc_is_misuse(trained):
    for wrong in (None, ["one", "two"], 3):
        with pytest.raises(UsageError, match="takes a text or a Doc"):
            trained(wrong)
        with pytest.raises(UsageError, match="takes a text or a Doc"):
            list(trained.pipe([wrong]))
    with pytest.raises(UsageError, match="pipe takes many texts"):
        list(trained.pipe("one text"))


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
        ("tagger", "ents", lambda docs: [[]] * (len(docs) - 1), "returned 1 predictions for 2 documents"),
        ("tagger", "tag", lambda docs: [], "returned 0 predictions for 2 documents"),
        ("classifier", "cats", lambda docs: np.zeros((1, 1)), "returned 1 predictions for 2 documents"),
        ("classifier", "cats", lambda docs: np.zeros((2, 3)), "returned an invalid prediction"),
        ("classifier", "cats", lambda docs: None, "returned an invalid prediction"),
        (
            "tagger",
            "ents",
            lambda docs: [[ScoredSpan(0, 99, "A", 1.0)]] * 2,
            "returned an invalid prediction",
        ),
        ("tagger", "ents", lambda docs: [["A"]] * 2, "returned an invalid prediction"),
        (
            "tagger",
            "tag",
            lambda docs: [TokenTags(np.ones(1, int), np.ones(1))] * 2,
            "returned an invalid prediction",
        ),
        (
            "tagger",
            "tag",
            lambda docs: [TokenTags(np.zeros(7, int), np.ones(7))] * 2,
            "returned an invalid prediction",
        ),
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
    pipeline = Pipeline("en").add_tagger("ner", "crf")
    with pytest.raises(StageError, match="not trained yet"):
        pipeline("Ana")


def test_only_tables_can_be_tuned():
    class Plain:
        width = 3

    pipeline = Pipeline("en").add_embedder("v", Stage(name="plain", factory=Plain))
    pipeline.add_tagger("ner", "crf", vectors=["v"], tune=True)
    with pytest.raises(ConfigError, match=r"\[taggers\.ner\] tune = true: embedder 'v' has no table to tune"):
        pipeline.vector_space(pipeline.heads["ner"].config)
    pipeline.remove("ner")
    pipeline.add_tagger("ner", "crf", vectors=["v"])
    assert pipeline.vector_space(pipeline.heads["ner"].config) == VectorSpace(width=3)
    with pytest.raises(ConfigError, match="an embedder 'v' already exists"):
        pipeline.add_embedder("v", Stage(name="plain", factory=Plain))


@pytest.mark.slow
def test_a_document_of_200_000_tokens(trained):
    sentence = "Ana Lee sailed to Skye . The soup in Oslo was cold . "
    doc = trained(sentence * 15_400)
    assert len(doc) > 200_000
    alone = trained(sentence)
    assert [e.label_ for e in doc.ents] == [e.label_ for e in alone.ents] * 15_400
    assert len(doc.spans["ner"].attrs["scores"]) == len(doc.ents) > 0
    assert len(doc.spans["tags"].attrs["scores"]) == len(doc)
    assert sum(doc.cats.values()) == pytest.approx(1)
