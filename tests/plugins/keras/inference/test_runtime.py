"""Annotating with what is on disk, where neither Keras nor TensorFlow need be: a network stored beside this.

It has nothing learned in it: it gives each word the label that the row of its first table leaves, divided
by three, with a logit of 2 against 0.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

from glossator.errors import PipelineError
from glossator.stages import Vectors, VectorSpace
from glossator_keras.encoding.hashed_words import TABLE_ROWS, encode
from glossator_keras.inference.runtime import onnx_network
from glossator_keras.tagger import KerasTagger

NETWORK = Path(__file__).parent / "stored" / "row_modulo_three.onnx"
LABELS = ("A", "B", "C")
LOGIT = 2.0
VOCAB = spacy.blank("en").vocab
NO_CHAIN: dict[str, np.ndarray] = {}


def no_network(config):
    raise AssertionError("annotating builds no network")


def stage(folder: Path, *, chain=NO_CHAIN, temperature: float = 1.0) -> KerasTagger:
    """Return a tagger of the stored network."""
    metadata = {
        "labels": LABELS,
        "vectors": 0,
        "scheme": "bioes",
        "settings": {},
        "tables": TABLE_ROWS,
        "temperature": temperature,
    }
    folder.mkdir()
    (folder / "tagger.json").write_text(json.dumps(metadata))
    (folder / "network.onnx").write_bytes(NETWORK.read_bytes())
    np.savez(folder / "weights.npz")
    np.savez(folder / "chain.npz", **chain)
    loaded = KerasTagger(no_network, write="tag")
    loaded.from_disk(folder)
    return loaded


def docs() -> list[Doc]:
    words = [f"ox{number}" if number % 9 else "\n" for number in range(40)]
    starts = [number % 7 == 0 for number in range(40)]
    return [Doc(VOCAB, words=words, sent_starts=starts), Doc(VOCAB), Doc(VOCAB, words=["elk", "ox"])]


def answers(tagger: KerasTagger, given: list[Doc]):
    return tagger.predict(given, Vectors(space=VectorSpace(), values=[np.zeros((len(d), 0)) for d in given]))


def wanted_ids(doc: Doc) -> list[int]:
    """The label of each word; None at white space."""
    encoded = encode([doc])
    ids = iter((encoded.lexemes[encoded.index, 0] % 3).tolist())
    return [None if token.is_space else next(ids) for token in doc]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_each_word_gets_the_label_its_logits_say(tmp_path, temperature):
    tagger = stage(tmp_path / "stage", temperature=temperature)
    assert tagger.labels == LABELS
    sure = np.exp(LOGIT / temperature) / (np.exp(LOGIT / temperature) + 2)
    found = answers(tagger, docs())
    assert len({id for doc in docs() for id in wanted_ids(doc)} - {None}) == 3
    for doc, answer in zip(docs(), found, strict=True):
        wanted = wanted_ids(doc)
        is_word = [id is not None for id in wanted]
        assert len(answer.ids) == len(answer.probabilities) == len(doc)
        assert answer.ids[is_word].tolist() == [id for id in wanted if id is not None]
        assert answer.probabilities[is_word] == pytest.approx(sure, abs=1e-6)


def test_the_chain_beside_it_has_a_say(tmp_path):
    # The second label may follow nothing and nothing may follow it, and the first is dear at the end.
    transitions = np.zeros((3, 3))
    transitions[:, 1] = transitions[1] = -np.inf
    chain = {"transitions": transitions, "start": np.zeros(3), "end": np.array([-9.0, 0.0, 0.0])}
    [answer] = answers(stage(tmp_path / "stage", chain=chain), docs()[2:])
    logits = LOGIT * np.eye(3)[wanted_ids(docs()[2])]
    scores = {
        (first, last): logits[0, first] + logits[1, last] + transitions[first, last] + chain["end"][last]
        for first, last in product(range(3), repeat=2)
    }
    best = max(scores, key=scores.get)
    assert answer.ids.tolist() == list(best)
    shares = {path: np.exp(score) for path, score in scores.items()}
    for place in range(2):
        with_it = sum(share for path, share in shares.items() if path[place] == best[place])
        assert answer.probabilities[place] == pytest.approx(with_it / sum(shares.values()), abs=1e-6)


def test_it_is_saved_again_as_it_was(tmp_path):
    tagger = stage(tmp_path / "stage")
    tagger.finish()
    (tmp_path / "again").mkdir()
    tagger.to_disk(tmp_path / "again")
    assert (tmp_path / "again" / "network.onnx").read_bytes() == NETWORK.read_bytes()
    again = KerasTagger(no_network, write="tag")
    again.from_disk(tmp_path / "again")
    for one, other in zip(answers(again, docs()), answers(tagger, docs()), strict=True):
        assert np.array_equal(one.ids, other.ids)
        assert np.array_equal(one.probabilities, other.probabilities)


def test_threads_share_a_network(tmp_path):
    tagger = stage(tmp_path / "stage")
    wanted = [answer.ids.tolist() for answer in answers(tagger, docs())]
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: answers(tagger, docs()), range(20)):
            assert [answer.ids.tolist() for answer in found] == wanted


@pytest.mark.parametrize("content", [b"", b"no network", NETWORK.read_bytes()[:100]])
def test_what_is_no_network_is_refused(content):
    with pytest.raises(PipelineError, match="cannot be read by ONNX Runtime"):
        onnx_network(content)


def recipe() -> bytes:
    """Make the stored network."""
    from onnx import TensorProto, helper, numpy_helper

    constants = {
        "first": np.array(0, dtype=np.int64),
        "three": np.array(3, dtype=np.int32),
        "values": np.array([0, LOGIT], dtype=np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["lexemes", "first"], ["rows"], axis=1),
        helper.make_node("Mod", ["rows", "three"], ["left"]),
        helper.make_node("Gather", ["left", "words"], ["labels"]),
        helper.make_node("OneHot", ["labels", "three", "values"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "row_modulo_three",
        [
            helper.make_tensor_value_info("lexemes", TensorProto.INT32, ["different", "tables"]),
            helper.make_tensor_value_info("words", TensorProto.INT32, ["batch", "time"]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "time", 3])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def test_the_stored_network_is_what_its_recipe_makes():
    onnx = pytest.importorskip("onnx", reason="needs glossator[train]")
    assert onnx.load(NETWORK) == onnx.load_from_string(recipe())
