"""Vectors of an embedder on Docs: `doc.tensor`, and spaCy's vectors and similarity on top of it."""

from __future__ import annotations

import numpy as np
import pytest
from spacy.tokens import Doc

import glossator
from glossator import Stage
from glossator.config.text import config_to_text, parse_config
from glossator.errors import ConfigError, UsageError
from glossator.pipeline.pipeline import Pipeline
from glossator.stages import ScoredSpan

CALLS = []


class Lengths:
    """Gives each word its length and 1, white space zeros."""

    width = 2

    def embed(self, docs):
        CALLS.append(len(docs))
        rows = [[[0, 0] if token.is_space else [len(token), 1] for token in doc] for doc in docs]
        return [np.asarray(row, dtype=np.float32).reshape(-1, 2) for row in rows]

    def to_disk(self, path):
        pass

    def from_disk(self, path):
        pass


class LongWords:
    """Finds words by the vectors it is given."""

    labels = ("LONG",)

    def __init__(self, write="ents"):
        pass

    def predict(self, docs, vectors):
        return [
            [ScoredSpan(i, i + 1, "LONG", 1.0) for i in np.flatnonzero(values[:, 0] > 5).tolist()]
            for values in vectors.values
        ]


LENGTHS = Stage(name="lengths", factory=Lengths)


@pytest.fixture
def pipeline():
    built = Pipeline("en").add_embedder("words", LENGTHS)
    built.tensor = "words"
    CALLS.clear()
    return built


def test_the_tensor_is_the_embedders_vectors(pipeline):
    doc = pipeline("Gulls  cried")
    assert [token.text for token in doc] == ["Gulls", " ", "cried"]
    assert doc.tensor.tolist() == [[5, 1], [0, 0], [5, 1]]
    assert doc[0].vector.tolist() == [5, 1]
    assert pipeline("").tensor.shape == (0, 2)


def test_docs_and_spans_have_the_mean_of_their_words(pipeline):
    doc = pipeline("Gulls  are loud")
    assert doc.vector.tolist() == pytest.approx([4, 1])
    assert doc[1:4].vector.tolist() == pytest.approx([3.5, 1])
    assert doc[1:2].vector.tolist() == [0, 0]
    assert doc.vector_norm == pytest.approx(17**0.5)
    assert doc[0].vector_norm == pytest.approx(26**0.5)
    assert doc[0:1].vector_norm == pytest.approx(26**0.5)
    assert pipeline("").vector.tolist() == [0, 0]
    assert [doc.has_vector, doc[0].has_vector, doc[1].has_vector, doc[1:2].has_vector] == [
        True,
        True,
        False,
        False,
    ]


def test_similarity_is_the_cosine(pipeline):
    doc, other = pipeline("Gulls cried"), pipeline("a  sea")
    wanted = float(doc.vector @ other.vector) / (doc.vector_norm * other.vector_norm)
    assert doc.similarity(other) == pytest.approx(wanted)
    assert doc[0].similarity(doc[1]) == pytest.approx(1)
    assert doc[0:2].similarity(other[0]) == pytest.approx(doc.similarity(other[0:1]))
    assert other[1].similarity(doc) == 0
    assert doc.similarity(pipeline("")) == 0


def test_the_vocab_keeps_its_own_vectors(pipeline):
    vocab = pipeline.vocab
    vocab.set_vector("Gulls", np.asarray([7, 7, 7], dtype=np.float32))
    doc = pipeline("Gulls cried")
    assert doc[0].vector.tolist() == [5, 1]
    assert vocab["Gulls"].vector.tolist() == [7, 7, 7]
    assert vocab.vectors.n_keys == 1
    with pytest.raises(UsageError, match="same pipeline"):
        doc.similarity(vocab["Gulls"])


def test_heads_and_tensor_share_one_run_of_the_embedder(pipeline):
    pipeline.add_tagger("long", Stage(name="long", factory=LongWords), vectors=["words"])
    docs = list(pipeline.pipe(["Gulls cried", "Herring gulls circled"]))
    assert CALLS == [2]
    assert [entity.text for entity in docs[1].ents] == ["Herring", "circled"]
    assert docs[1].tensor.shape == (3, 2)


def test_nothing_is_written_unless_asked_for():
    pipeline = Pipeline("en").add_embedder("words", LENGTHS)
    doc = pipeline("Gulls cried")
    assert doc.tensor.size == 0
    assert not doc.user_hooks


def test_the_tensor_survives_bytes_and_copies(pipeline):
    doc = pipeline("Gulls cried")
    with pytest.warns(UserWarning, match="user hooks"):
        content = doc.to_bytes()
    assert Doc(doc.vocab).from_bytes(content).tensor.tolist() == doc.tensor.tolist()
    assert doc.copy()[0].vector.tolist() == [5, 1]


def test_only_an_embedder_that_is_there_can_be_named(pipeline):
    with pytest.raises(ConfigError, match=r"no embedder 'word' \(embedders: words\)"):
        pipeline.tensor = "word"
    pipeline.tensor = ""
    assert pipeline("Gulls").tensor.size == 0


CONFIG = """
[glossator]
lang = "en"
heads = []
tensor = "words"

[embedders.words]
stage = "hash"
width = 6

[embedders.unused]
stage = "hash"
"""


def test_a_config_names_it_and_keeps_it(tmp_path):
    config = parse_config(CONFIG, folder=tmp_path)
    assert parse_config(config_to_text(config), folder=tmp_path) == config
    pipeline = Pipeline.from_config(config)
    assert list(pipeline.embedders) == ["words"]
    wanted = pipeline("Gulls cried").tensor
    assert wanted.shape == (2, 6)
    pipeline.save(tmp_path / "saved")
    assert glossator.load(tmp_path / "saved")("Gulls cried").tensor.tolist() == wanted.tolist()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('"word"', r"\[glossator\] tensor: no embedder 'word'"),
        ("true", r"\[glossator\] tensor: name an embedder"),
    ],
)
def test_a_config_that_names_none_is_refused(tmp_path, value, message):
    with pytest.raises(ConfigError, match=message):
        parse_config(CONFIG.replace('tensor = "words"', f"tensor = {value}"), folder=tmp_path)
