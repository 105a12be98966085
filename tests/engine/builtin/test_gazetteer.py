from __future__ import annotations

import json

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from glossator import load
from glossator.builtin.gazetteer import Gazetteer
from glossator.errors import ConfigError, DataError, PipelineError, StageError
from glossator.pipeline.pipeline import Pipeline
from glossator.stages import Vectors, VectorSpace

NLP = spacy.blank("en")
NONE = Vectors(space=VectorSpace(), values=[])
PHRASES = [
    ("GPE", "York"),
    ("GPE", "New York"),
    ("ORG", "New York Times"),
    ("ORG", "New York"),
    ("PER", "O'Hara"),
]


def write_list(folder, phrases, name="phrases.jsonl"):
    lines = [json.dumps({"label": label, "phrase": phrase}) for label, phrase in phrases]
    (folder / name).write_text("\n".join(lines), encoding="utf-8")


def gazetteer(folder, phrases=PHRASES, **settings) -> Gazetteer:
    write_list(folder, phrases)
    stage = Gazetteer(phrases="phrases.jsonl", **settings)
    stage.prepare(folder)
    return stage


def found(stage, *docs: Doc) -> list[list[tuple]]:
    return [
        [(doc[s.start : s.end].text, s.label) for s in spans]
        for doc, spans in zip(docs, stage.predict(docs, NONE), strict=True)
    ]


def test_phrases_that_overlap_and_two_labels_of_one_are_all_found(tmp_path):
    stage = gazetteer(tmp_path)
    assert stage.labels == ("GPE", "ORG", "PER")
    first, second, third = found(stage, NLP("The New York Times of York"), NLP("new york"), NLP(""))
    assert sorted(first) == [
        ("New York", "GPE"),
        ("New York", "ORG"),
        ("New York Times", "ORG"),
        ("York", "GPE"),
        ("York", "GPE"),
    ]
    assert second == third == []
    assert {span.score for span in stage.predict([NLP("York")], NONE)[0]} == {1.0}


def test_case_may_be_ignored(tmp_path):
    stage = gazetteer(tmp_path, ignore_case=True)
    [names] = found(stage, NLP("in NEW york"))
    assert sorted(names) == [("NEW york", "GPE"), ("NEW york", "ORG"), ("york", "GPE")]


def test_phrases_are_found_however_the_text_was_tokenized(tmp_path):
    stage = gazetteer(tmp_path, [("X", "can't stop"), ("X", "A&B Co.")])
    assert len(NLP("can't stop")) == 3
    assert found(stage, NLP("you can't stop")) == [[("can't stop", "X")]]
    assert found(stage, Doc(NLP.vocab, words=["you", "can't", "stop"])) == [[("can't stop", "X")]]
    assert (
        found(stage, Doc(NLP.vocab, words=["A&B", "Co."]), NLP("A&B Co. sells")) == [[("A&B Co.", "X")]] * 2
    )


REUSED = Gazetteer(phrases="phrases.jsonl")
LETTERS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from("XY"), LETTERS), min_size=1, max_size=5),
    st.lists(st.sampled_from("abc"), max_size=12),
)
def test_all_matches_by_brute_force(tmp_path_factory, phrases, words):
    folder = tmp_path_factory.mktemp("list")
    write_list(folder, [(label, " ".join(phrase)) for label, phrase in phrases])
    REUSED.prepare(folder)
    wanted = {
        (start, start + len(phrase), label, 1.0)
        for label, phrase in phrases
        for start in range(len(words))
        if words[start : start + len(phrase)] == phrase
    }
    [spans] = REUSED.predict([Doc(NLP.vocab, words=words)], NONE)
    assert set(spans) == wanted
    assert len(spans) == len(wanted)
    assert [span.start for span in spans] == sorted(span.start for span in spans)


def test_docs_of_any_vocab_and_across_memory_zones(tmp_path):
    write_list(tmp_path, [*PHRASES, ("GPE", "Zyxland")])
    pipeline = (
        Pipeline("en").add_tagger("names", "gazetteer", phrases=str(tmp_path / "phrases.jsonl")).prepare()
    )
    for _ in range(3):
        with pipeline.memory_zone():
            doc = pipeline("Zyxland is not in New York.")
            assert [(e.text, e.label_) for e in doc.ents] == [("Zyxland", "GPE"), ("New York", "GPE")]
    foreign = spacy.blank("de")("Von Zyxland nach York")
    assert [e.text for e in pipeline(foreign).ents] == ["Zyxland", "York"]


def test_it_writes_ents_or_overlapping_spans(tmp_path):
    write_list(tmp_path, PHRASES)
    settings = {"phrases": str(tmp_path / "phrases.jsonl")}
    pipeline = Pipeline("en").add_tagger("one", "gazetteer", **settings)
    pipeline.add_tagger("all", "gazetteer", write="spans:names", **settings).prepare()
    doc = pipeline("The New York Times")
    assert [(e.text, e.label_) for e in doc.ents] == [("New York Times", "ORG")]
    assert len(doc.spans["names"]) == 4
    assert doc.spans["names"].attrs["scores"] == [1.0] * 4
    for layer in ("tag", "pos"):
        with pytest.raises(ConfigError, match="gazetteer writes 'ents' or 'spans:KEY', not"):
            Gazetteer(write=layer)


def test_it_is_saved_with_its_list(tmp_path):
    write_list(tmp_path, [*PHRASES, ("PER", "Søren Å.")], "names.jsonl")
    pipeline = (
        Pipeline("en").add_tagger("names", "gazetteer", phrases=str(tmp_path / "names.jsonl")).prepare()
    )
    pipeline.save(tmp_path / "saved")
    (tmp_path / "names.jsonl").unlink()
    doc = load(tmp_path / "saved")("Søren Å. left New York")
    assert [e.text for e in doc.ents] == ["Søren Å.", "New York"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'{"label": "A", "phrase": "x"}\n\n{"label": "A"}\n', 3),
        (b'{"label": "A", "phrase": "x"}\nnot json\n', 2),
        (b'{"label": "", "phrase": "x"}\n', 1),
        (b'{"label": "A", "phrase": "  "}\n', 1),
        (b'{"label": 1, "phrase": "x"}\n', 1),
        (b"[1]\n", 1),
        ('{"label": "A", "phrase": "a\u2028b"}\r\n{"label": "A", "phrase": 3}'.encode(), 2),
    ],
)
def test_bad_lines_are_named(tmp_path, content, line):
    (tmp_path / "list.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=r'not of the form \{"label": "LOC"') as caught:
        Gazetteer(phrases="list.jsonl").prepare(tmp_path)
    assert caught.value.line == line
    assert str(caught.value).startswith(f"{tmp_path / 'list.jsonl'}:{line}: ")


def test_bad_files_are_named(tmp_path):
    with pytest.raises(ConfigError, match="gazetteer needs phrases ="):
        Gazetteer().prepare(tmp_path)
    with pytest.raises(DataError, match=r"none\.jsonl: cannot read the list of phrases"):
        Gazetteer(phrases="none.jsonl").prepare(tmp_path)
    (tmp_path / "latin.jsonl").write_bytes(b'{"label": "A", "phrase": "\xe9"}')
    with pytest.raises(DataError, match=r"latin\.jsonl: cannot read the list of phrases"):
        Gazetteer(phrases="latin.jsonl").prepare(tmp_path)
    (tmp_path / "empty.jsonl").write_text("\n\n")
    with pytest.raises(DataError, match=r"empty\.jsonl: the list of phrases is empty"):
        Gazetteer(phrases="empty.jsonl").prepare(tmp_path)


def test_without_its_list_it_says_so(tmp_path):
    stage = Gazetteer(phrases="x")
    with pytest.raises(StageError, match=r"Pipeline\.prepare\(\)"):
        stage.predict([NLP("x")], NONE)
    with pytest.raises(StageError, match="nothing to save"):
        stage.to_disk(tmp_path)


def test_a_damaged_saved_list_is_named(tmp_path):
    write_list(tmp_path, PHRASES)
    pipeline = (
        Pipeline("en").add_tagger("names", "gazetteer", phrases=str(tmp_path / "phrases.jsonl")).prepare()
    )
    pipeline.save(tmp_path / "saved")
    [file] = (tmp_path / "saved" / "taggers" / "names").iterdir()
    file.write_text("x" * file.stat().st_size)
    with pytest.raises(PipelineError, match=r"tagger 'names' .*cannot be loaded: .*phrases.* damaged"):
        load(tmp_path / "saved")
