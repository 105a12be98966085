from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example

from glossator import Stage
from glossator.annotations.layer import ENTS
from glossator.annotations.read import categories_of
from glossator.config.schema import HeadConfig
from glossator.errors import StageError
from glossator.pipeline.batch import Batch
from glossator.pipeline.pipeline import Pipeline
from glossator.stages import ScoredSpan, TokenTags, Vectors, VectorSpace

NLP = spacy.blank("en")
NAMES = {"Ana": "PER", "Lee": "PER", "Oslo": "LOC", "Skye": "LOC"}
TAGS = {**dict.fromkeys(NAMES, "NAME"), "met": "VERB", "saw": "VERB", ".": "END"}


class Lengths:
    """Embeds a token as its length, its first letter's code, and so on; counts what it is asked for."""

    def __init__(self, width: int = 2) -> None:
        self.width = width
        self.table = np.arange(20 * width, dtype=np.float32).reshape(20, width)
        self.asked: Counter[str] = Counter()
        self.longest = 0

    def embed(self, docs):
        self.asked["embed"] += 1
        self.longest = max([self.longest, *map(len, docs)])
        return [
            np.asarray([[len(t) + k for k in range(self.width)] for t in doc], dtype=np.float32).reshape(
                -1, self.width
            )
            for doc in docs
        ]

    def rows(self, docs):
        self.asked["rows"] += 1
        return [np.asarray([len(t) for t in doc], dtype=np.int64) for doc in docs]

    def to_disk(self, path):
        pass

    def from_disk(self, path):
        pass


class Echo:
    """A tagger that keeps the Docs and vectors it is given."""

    labels = ("A",)

    def __init__(self, write: str = "tag") -> None:
        self.spans = write == "ents"
        self.batches: list[tuple[list[Doc], Vectors]] = []

    def predict(self, docs, vectors):
        self.batches.append((list(docs), vectors))
        if self.spans:
            return [[ScoredSpan(t.i, t.i + 1, "A", 0.5) for t in doc if t.is_title] for doc in docs]
        return [
            TokenTags(np.zeros(len(doc), dtype=int), np.asarray([len(t) / 100 for t in doc])) for doc in docs
        ]

    def to_disk(self, path):
        pass

    def from_disk(self, path):
        pass


def record(name: str, factory) -> Stage:
    return Stage(name=name, factory=factory)


def sentence(generator: np.random.Generator) -> list[str]:
    words = ["the", "met", "saw", "old", "14", "\n", *NAMES]
    return [*generator.choice(words, size=generator.integers(1, 9)).tolist(), "."]


def long_doc(sentences: list[list[str]]) -> Doc:
    words = [word for s in sentences for word in s]
    starts = [i == 0 for s in sentences for i in range(len(s))]
    return Doc(NLP.vocab, words=words, sent_starts=starts)


def example(words: list[str], write: str) -> Example:
    doc = Doc(NLP.vocab, words=words)
    if write == "ents":
        gold = Doc(NLP.vocab, words=words, ents=[f"B-{NAMES[w]}" if w in NAMES else "O" for w in words])
    else:
        gold = Doc(NLP.vocab, words=words, tags=[TAGS.get(w, "OTHER") for w in words])
    return Example(doc, gold)


def trained(write: str) -> Pipeline:
    pipeline = Pipeline("en").add_embedder("lengths", record("lengths", Lengths))
    pipeline.add_tagger("head", "crf", write=write, vectors=["lengths"])
    head = pipeline.heads["head"]
    generator = np.random.default_rng(0)
    examples = [example([w for w in sentence(generator) if w != "\n"], write) for _ in range(60)]
    head.stage.initialize(examples, pipeline.vector_space(head.config), seed=0)
    for _ in range(20):
        head.stage.update(examples, pipeline.vectors(head.config, [e.predicted for e in examples]))
    return pipeline


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_text_without_words_gets_no_category_and_the_classifier_never_sees_it(exclusive):
    class Classifier:
        labels = ("a", "b")

        def __init__(self):
            self.exclusive = exclusive

        def predict(self, docs, vectors):
            assert all(doc.text.strip() for doc in docs)
            assert [len(values) for values in vectors.values] == [len(doc) for doc in docs]
            return np.asarray([[0.9, 0.1] if doc[-1].text == "a" else [0.2, 0.8] for doc in docs])

    pipeline = Pipeline("en").add_embedder("lengths", record("lengths", Lengths))
    pipeline.add_classifier("topic", record("topic", Classifier), vectors=["lengths"])
    docs = list(pipeline.pipe(["", "one a", " \n\t ", "one b", "a"]))
    nothing = {"a": 0.0, "b": 0.0}
    assert [doc.cats for doc in docs] == [
        nothing,
        {"a": 0.9, "b": 0.1},
        nothing,
        {"a": 0.2, "b": 0.8},
        {"a": 0.9, "b": 0.1},
    ]
    assert [categories_of(doc)["topic"] for doc in docs] == [[], ["a"], [], ["b"], ["a"]]
    assert [doc.cats for doc in pipeline.pipe(["", "  "])] == [nothing] * 2


@pytest.mark.parametrize("write", ["ents", "tag"])
def test_a_long_doc_in_chunks_answers_as_its_sentences_do(write, monkeypatch):
    pipeline = trained(write)
    generator = np.random.default_rng(1)
    sentences = [sentence(generator) for _ in range(150)]
    by_sentence = [pipeline(Doc(NLP.vocab, words=s)) for s in sentences]
    monkeypatch.setattr("glossator.pipeline.batch.CHUNK_WORDS", 40)
    short = long_doc(sentences[:2])
    doc = long_doc(sentences)
    pipeline.annotate([short, doc, Doc(NLP.vocab), long_doc(sentences[:9])])
    assert pipeline.embedders["lengths"].longest <= 40
    if write == "tag":
        assert [t.tag_ for t in doc] == [t.tag_ for s in by_sentence for t in s]
        wanted = [score for s in by_sentence for score in s.spans["head"].attrs["scores"]]
    else:
        assert len(doc.ents) > 50
        offsets = np.cumsum([0, *map(len, sentences)])
        assert [(e.start, e.end, e.label_) for e in doc.ents] == [
            (e.start + offset, e.end + offset, e.label_)
            for s, offset in zip(by_sentence, offsets, strict=False)
            for e in s.ents
        ]
        wanted = [score for s in by_sentence for score in s.spans["head"].attrs["scores"]]
    assert doc.spans["head"].attrs["scores"] == pytest.approx(wanted, abs=1e-5)


def test_chunks_are_the_doc_s_own_words_spaces_and_sentences(monkeypatch):
    monkeypatch.setattr("glossator.pipeline.batch.CHUNK_WORDS", 4)
    pipeline = Pipeline("en").add_tagger("head", record("echo", Echo), write="tag")
    text = "One two.  Three\nfour five six seven! Eight"
    doc = pipeline(text)
    [*batches] = pipeline.heads["head"].stage.batches
    chunks = [chunk for docs, _ in batches for chunk in docs]
    assert len(batches) > 1
    assert "".join(chunk.text_with_ws for chunk in chunks) == text
    assert [t.is_sent_start for chunk in chunks for t in chunk if t.i] == [
        doc[i].is_sent_start for i in _inner_places(chunks)
    ]
    assert all(len(chunk) <= 4 and chunk.vocab is doc.vocab for chunk in chunks)
    assert doc.spans["head"].attrs["scores"] == [len(t) / 100 for t in doc]


def _inner_places(chunks: list[Doc]) -> list[int]:
    places, start = [], 0
    for chunk in chunks:
        places += range(start + 1, start + len(chunk))
        start += len(chunk)
    return places


def test_classifiers_get_long_docs_whole(monkeypatch):
    class Counts:
        labels, exclusive = ("x",), False

        def predict(self, docs, vectors):
            assert [len(rows) for rows in vectors.values] == [len(doc) for doc in docs]
            return np.asarray(
                [[len(doc) / 1000 + rows.sum() / 1e6] for doc, rows in zip(docs, vectors.values, strict=True)]
            )

    monkeypatch.setattr("glossator.pipeline.batch.CHUNK_WORDS", 5)
    pipeline = Pipeline("en").add_embedder("lengths", record("lengths", Lengths))
    pipeline.add_classifier("c", record("counts", Counts), vectors=["lengths"])
    doc = pipeline("one two three. " * 10)
    expected = len(doc) / 1000 + sum(2 * len(t) + 1 for t in doc) / 1e6
    assert doc.cats == {"x": pytest.approx(expected)}


def test_an_embedder_runs_once_a_batch_and_only_where_it_is_named():
    pipeline = Pipeline("en")
    for name in ("used", "idle"):
        pipeline.add_embedder(name, record("lengths", Lengths))
    for name in ("one", "two"):
        pipeline.add_tagger(name, record("echo", Echo), write="ents", vectors=["used"])
    list(pipeline.pipe(["a b", "c", "", "d e f"], batch_words=4))
    batches = len(pipeline.heads["one"].stage.batches)
    assert batches == 2
    assert pipeline.embedders["used"].asked == {"embed": batches}
    assert not pipeline.embedders["idle"].asked


def test_vectors_are_concatenated_in_the_order_they_are_named():
    pipeline = Pipeline("en").add_embedder("a", record("lengths", Lengths), width=1)
    pipeline.add_embedder("b", record("lengths", Lengths), width=3)
    pipeline.add_tagger("head", record("echo", Echo), write="ents", vectors=["b", "a"])
    pipeline.add_tagger("bare", record("echo", Echo), write="tag")
    doc = pipeline("Lee saw")
    [(_, vectors)] = pipeline.heads["head"].stage.batches
    assert vectors.space == pipeline.vector_space(pipeline.heads["head"].config) == VectorSpace(width=4)
    assert vectors.values[0].tolist() == [[3, 4, 5, 3], [3, 4, 5, 3]]
    assert vectors.rows == ()
    [(_, none)] = pipeline.heads["bare"].stage.batches
    assert (none.space.width, none.values[0].shape) == (0, (len(doc), 0))


def test_a_head_that_tunes_gets_tables_and_rows(monkeypatch):
    monkeypatch.setattr("glossator.pipeline.batch.CHUNK_WORDS", 3)
    pipeline = Pipeline("en").add_embedder("a", record("lengths", Lengths))
    pipeline.add_tagger("head", record("echo", Echo), write="ents", vectors=["a"], tune=True)
    pipeline("Lee saw it. Ana met me.")
    batches = pipeline.heads["head"].stage.batches
    rows = [array.tolist() for _, vectors in batches for array in vectors.rows[0]]
    assert [row for array in rows for row in array] == [3, 3, 2, 1, 3, 3, 2, 1]
    for docs, vectors in batches:
        assert vectors.space.tables[0] is pipeline.embedders["a"].table
        assert [values.shape for values in vectors.values] == [(len(doc), 0) for doc in docs]
    assert set(pipeline.embedders["a"].asked) == {"rows"}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            lambda docs: [np.zeros((len(doc), 2)) for doc in docs][:-1],
            "'bad' returned 1 arrays for 2 documents",
        ),
        (
            lambda docs: [np.zeros((len(doc), 2)) for doc in [*docs, *docs]],
            "returned 4 arrays for 2 documents",
        ),
        (lambda docs: [np.zeros((len(doc), 3)) for doc in docs], r"shape \(2, 3\), not \(2, 2\)"),
        (lambda docs: [np.zeros((len(doc) - 1, 2)) for doc in docs], r"shape \(1, 2\), not \(2, 2\)"),
        (lambda docs: 1 / 0, "embedder 'bad' failed: ZeroDivisionError: division by zero"),
        (lambda docs: None, "embedder 'bad' failed: TypeError"),
    ],
)
def test_an_embedder_that_answers_nonsense_is_named(answer, message):
    class Bad(Lengths):
        def embed(self, docs):
            return answer(docs)

    pipeline = Pipeline("en").add_embedder("bad", record("bad", Bad))
    pipeline.add_tagger("head", record("echo", Echo), write="ents", vectors=["bad"])
    with pytest.raises(StageError, match=message):
        pipeline.annotate([NLP("a b"), NLP("c d")])


def test_a_batch_makes_the_same_vectors_for_training():
    embedder = Lengths()
    head = HeadConfig(name="h", kind="tagger", stage="x", layer=ENTS, vectors=("a",))
    docs = [NLP("a bcd"), NLP("")]
    batch = Batch(docs, {"a": embedder})
    first, second = batch.vectors(head), batch.vectors(head)
    assert embedder.asked == {"embed": 1}
    assert [v.tolist() for v in first.values] == [v.tolist() for v in second.values] == [[[1, 2], [3, 4]], []]
