"""The `bert` embedder: what it says is what BERT says by its definition, however long a sentence is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import spacy
from numpy_bert import NumpyBert
from spacy.tokens import Doc
from tiny_bert import VOCABULARY, write_bert

pytest.importorskip("keras_hub", reason="needs glossator[train]")
pytest.importorskip("tensorflow", reason="needs glossator[train]")

from glossator.errors import ConfigError, PipelineError, StageError
from glossator.pipeline.pipeline import Pipeline
from glossator.testing import CHECKS, check_name, check_stage
from glossator_keras.bert.backbone import load_weights
from glossator_keras.bert.checkpoint import open_checkpoint
from glossator_keras.bert.embedder import BertEmbedder
from glossator_keras.bert.heads import build_embedder

pytestmark = pytest.mark.slow

NLP = spacy.blank("en")
CLS, SEP = VOCABULARY.index("[CLS]"), VOCABULARY.index("[SEP]")
SENTENCES = ["Ana saw the old boat.", "Lee Berg, in Oslo!", "the boater's 14 boats", "!", "\u200d old"]


def embedder_of(folder: Path) -> BertEmbedder:
    embedder = BertEmbedder(str(folder))
    embedder.prepare(Path())
    return embedder


def ids_of(folder: Path, doc: Doc) -> list[np.ndarray]:
    pieces = open_checkpoint(str(folder), Path()).tokenizer
    return pieces.cut([token.text for token in doc if not token.is_space])


def by_hand(folder: Path, doc: Doc) -> np.ndarray:
    """The mean states of the pieces of each token of one sentence, by the definition."""
    return NumpyBert(folder).of_words(ids_of(folder, doc), CLS, SEP)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def embedder(folder) -> BertEmbedder:
    return embedder_of(folder)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"hidden_act": "gelu_new", "layer_norm_eps": 1e-3},
        {"prefix": "bert."},
    ],
    ids=str,
)
def test_its_rows_are_those_of_the_definition(tmp_path, config):
    folder = write_bert(tmp_path, **config)
    embedder = embedder_of(folder)
    docs = [NLP(text) for text in SENTENCES]
    for doc, rows in zip(docs, embedder.embed(docs), strict=True):
        assert np.abs(rows - by_hand(folder, doc)).max() < 1e-5


def test_the_mean_of_all_layers_is_that_of_the_definition(folder, tmp_path):
    embedder = BertEmbedder(str(folder), layers="mean")
    embedder.prepare(Path())
    embedder.to_disk(tmp_path)
    saved = BertEmbedder("gone", layers="mean")
    saved.from_disk(tmp_path)
    doc = Doc(NLP.vocab, words=["ana", "saw", "the", "boat"])
    ids = np.concatenate(ids_of(folder, doc))
    assert len(ids) == len(doc)
    wanted = NumpyBert(folder).layers([CLS, *ids, SEP]).mean(axis=0)[1:-1]
    for each in (embedder, saved):
        assert np.abs(each.embed([doc])[0] - wanted).max() < 1e-5
    with pytest.raises(ConfigError, match="layers"):
        BertEmbedder(str(folder), layers="first")


def test_the_kind_of_gelu_is_the_checkpoints(tmp_path):
    """The two kinds differ by more than the tests' tolerance: taking the wrong one would be seen."""
    exact, tanh = (write_bert(tmp_path / act, hidden_act=act) for act in ("gelu", "gelu_new"))
    doc = NLP(SENTENCES[0])
    assert np.abs(by_hand(exact, doc) - by_hand(tanh, doc)).max() > 1e-4


def test_white_space_is_zeros_and_empty_docs_are_empty(embedder):
    docs = [NLP("\n  Ana saw\n\nLee "), NLP(""), NLP(" \n ")]
    first, empty, blank = embedder.embed(docs)
    space = np.array([token.is_space for token in docs[0]])
    assert not first[space].any()
    assert first[~space].any(axis=1).all()
    assert empty.shape == (0, 32)
    assert not blank.any()
    assert list(embedder.embed([])) == []


def test_a_sentence_is_read_by_itself(embedder):
    doc = Doc(NLP.vocab, words=["ana", "saw", "lee", "the", "boat"], sent_starts=[1, 0, 1, 0, 0])
    [rows] = embedder.embed([doc])
    parts = embedder.embed(
        [Doc(NLP.vocab, words=["ana", "saw"]), Doc(NLP.vocab, words=["lee", "the", "boat"])]
    )
    # Another batch rounds differently, in the sixth digit; a sentence that saw another differs in the second.
    assert np.allclose(rows, np.concatenate(parts), atol=1e-5)
    [read_as_one] = embedder.embed([Doc(NLP.vocab, words=["ana", "saw", "lee", "the", "boat"])])
    assert np.abs(rows - read_as_one).max() > 1e-2


@pytest.mark.parametrize("length", [30, 31, 53, 54, 100])
def test_what_is_longer_than_the_model_is_read_in_windows(tmp_path, length):
    folder = write_bert(tmp_path, positions=32)
    words = np.random.default_rng(length).choice(["the", "old", "boat", "saw", "lee"], size=length).tolist()
    doc = Doc(NLP.vocab, words=words)
    [rows] = embedder_of(folder).embed([doc])
    ids = np.concatenate(ids_of(folder, doc))
    # By hand: windows of 30 with a quarter or more in common, each word from the window whose middle is
    # nearest, which is that in which it has most on either side.
    count = 1 if length <= 30 else -(-(length - 7) // 23)
    starts = [number * (length - 30) // (count - 1) for number in range(count)] if count > 1 else [0]
    reference = NumpyBert(folder)
    states = [reference([CLS, *ids[start : start + 30], SEP])[1:-1] for start in starts]
    for place in range(length):
        distances = [abs(place - (start + 14.5)) for start in starts]
        nearest = np.flatnonzero(np.isclose(distances, min(distances)))
        assert any(np.abs(rows[place] - states[n][place - starts[n]]).max() < 1e-5 for n in nearest)


def test_a_word_longer_than_the_model_has_a_row(tmp_path):
    folder = write_bert(tmp_path, positions=16)
    doc = Doc(NLP.vocab, words=["old", "-".join("ab" * 40), "boat"])
    [rows] = embedder_of(folder).embed([doc])
    assert np.isfinite(rows).all()
    assert rows.any(axis=1).all()


def test_it_conforms(folder):
    results = check_stage("embedder", "bert", settings={"checkpoint": str(folder)})
    assert {result.check for result in results} == {check_name(check) for check in CHECKS["embedder"]}
    assert [result for result in results if result.outcome == "failed"] == []


# Loads and embeds where neither TensorFlow nor Keras nor what reads checkpoints can be imported.
WITHOUT_KERAS = """
import json, sys
for name in ("tensorflow", "keras", "keras_hub", "safetensors", "huggingface_hub"):
    sys.modules[name] = None
from pathlib import Path
import spacy
from glossator_keras.bert.embedder import BertEmbedder

embedder = BertEmbedder("nowhere")
embedder.from_disk(Path(sys.argv[1]))
nlp = spacy.blank("en")
print(json.dumps([rows.tolist() for rows in embedder.embed([nlp(text) for text in sys.argv[2:]])]))
"""


def test_a_saved_one_embeds_without_its_checkpoint_and_without_keras(embedder, tmp_path):
    embedder.to_disk(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"network.onnx", "tokenizer.json", "config.json"}
    command = [sys.executable, "-c", WITHOUT_KERAS, str(tmp_path), *SENTENCES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    wanted = embedder.embed([NLP(text) for text in SENTENCES])
    for rows, want in zip(json.loads(done.stdout.splitlines()[-1]), wanted, strict=True):
        assert np.allclose(rows, want, atol=1e-6)


@pytest.mark.parametrize("name", ["network.onnx", "tokenizer.json", "config.json"])
def test_a_damaged_file_is_named(embedder, tmp_path, name):
    embedder.to_disk(tmp_path)
    (tmp_path / name).write_bytes(b"{")
    with pytest.raises(PipelineError, match=r"ONNX" if name == "network.onnx" else name):
        BertEmbedder("nowhere").from_disk(tmp_path)


def test_heads_that_name_one_run_it_once_a_batch(folder, monkeypatch):
    pipeline = Pipeline("en").add_embedder("words", "bert", checkpoint=str(folder))
    for name in ("one", "other"):
        pipeline.add_tagger(name, "bilstm-crf", write=f"spans:{name}", vectors=["words"], width=8)
    pipeline.prepare()
    docs = [pipeline.tokenizer(text) for text in SENTENCES]
    for head in pipeline.heads.values():
        examples = _labelled(docs, head.config.layer.key)
        head.stage.initialize(examples, pipeline.vector_space(head.config), seed=0)
    runs = []
    embed = BertEmbedder.embed
    monkeypatch.setattr(
        BertEmbedder, "embed", lambda self, batch: runs.append(len(batch)) or embed(self, batch)
    )
    pipeline.annotate(docs)
    assert runs == [len(docs)]


def _labelled(docs, key):
    from spacy.tokens import Span
    from spacy.training import Example

    examples = []
    for doc in docs:
        gold = doc.copy()
        gold.spans[key] = [Span(gold, 0, 1, "FIRST")]
        examples.append(Example(doc.copy(), gold))
    return examples


def test_it_says_what_is_wrong_with_a_checkpoint(tmp_path):
    folder = write_bert(tmp_path / "bert")
    for spoil, message in [
        (lambda copy: (copy / "model.safetensors").unlink(), r"has no model\.safetensors"),
        (lambda copy: (copy / "config.json").write_text("{"), r"config\.json cannot be read"),
        (lambda copy: (copy / "config.json").write_text("[]"), "holds no object"),
        (lambda copy: (copy / "config.json").write_text('{"model_type": "gpt2"}'), "type 'gpt2'"),
        (lambda copy: (copy / "config.json").write_text('{"model_type": "bert"}'), "incomplete"),
        (lambda copy: (copy / "vocab.txt").unlink(), r"neither tokenizer\.json nor vocab\.txt"),
        (lambda copy: write_bert(copy, hidden_act="mish"), "activation 'mish'"),
        (lambda copy: write_bert(copy, position_embedding_type="relative_key"), "absolute"),
    ]:
        copy = shutil.copytree(folder, tmp_path / "copy")
        spoil(copy)
        with pytest.raises(ConfigError, match=message):
            embedder_of(copy)
        shutil.rmtree(copy)


def test_weights_that_are_not_those_of_the_config_are_refused(tmp_path):
    folder = write_bert(tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text())
    for change, message in [
        ({"num_hidden_layers": 3}, "have no 'encoder.layer.2"),
        ({"intermediate_size": 8}, "shape"),
    ]:
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        checkpoint = open_checkpoint(str(folder), Path())
        network = build_embedder(checkpoint.config, mean=False)
        with pytest.raises(ConfigError, match=message):
            load_weights(network, checkpoint)
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match="cannot be read"):
        checkpoint.weights()


def test_a_folder_that_is_not_there_is_an_error_that_names_the_way_out(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="there is no folder"):
        BertEmbedder("./no/such/folder").prepare(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # as where it is not installed
    with pytest.raises(ConfigError, match=r"hub .*give its folder"):
        BertEmbedder("owner/name").prepare(tmp_path)


def test_without_its_checkpoint_read_it_says_what_to_do():
    with pytest.raises(StageError, match=r"Pipeline\.prepare"):
        BertEmbedder("anything").embed([NLP("text")])
    with pytest.raises(ConfigError, match="name a folder"):
        BertEmbedder("")


OWN = [
    "The ferry to Skye left at nine, and nobody from Oslo was on board.",
    "Miriam Okafor-Lindqvist bought 14 unpronounceable dictionaries!",
    "“Naïve façades,” said the bookkeeper’s niece; “€3.50 for a 林 print?”",
    "ok",
]


@pytest.mark.skipif("GLOSSATOR_MINILM" not in os.environ, reason="set GLOSSATOR_MINILM to a MiniLM's folder")
def test_minilm_says_what_the_definition_says():
    folder = Path(os.environ["GLOSSATOR_MINILM"])
    vocabulary = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    embedder = embedder_of(folder)
    reference = NumpyBert(folder)
    docs = [NLP(text) for text in OWN]
    for doc, rows in zip(docs, embedder.embed(docs), strict=True):
        states = reference.of_words(ids_of(folder, doc), vocabulary["[CLS]"], vocabulary["[SEP]"])
        assert np.abs(rows - states).max() < 1e-4


def test_a_layer_is_exported_as_few_operators_with_each_weight_once(folder, tmp_path):
    import onnx

    embedder_of(folder).to_disk(tmp_path)
    graph = onnx.load(tmp_path / "network.onnx").graph
    operators = [node.op_type for node in graph.node]
    assert operators.count("Softmax") == 2
    assert operators.count("LayerNormalization") == 4  # of two layers; that of the embeddings is Keras's
    weights = sum(array.size for array in NumpyBert(folder).weights.values())
    exported = sum(int(np.prod(tensor.dims)) for tensor in graph.initializer)
    assert exported < 1.1 * weights
