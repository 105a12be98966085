"""A pipeline of Keras stages, trained on our own samples as a user trains it, and used where no Keras is."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from training_runs import Heard, config_of, weights_of

pytest.importorskip("keras", reason="needs glossator[train]")
pytest.importorskip("tensorflow", reason="needs glossator[train]")

import glossator
from glossator.config.text import read_config
from glossator.errors import PipelineError
from glossator.pipeline.pipeline import Pipeline
from glossator.training.trainer import train

pytestmark = pytest.mark.slow

CONFIG = """
[glossator]
lang = "en"
name = "keras"

[taggers.ner]
stage = "bilstm-crf"
write = "ents"
width = 12
learn_rate = 0.02

[data.ner]
corpus = "samples"

[training]
max_epochs = 5
patience = 5
batch_words = 100
"""
TEXTS = ["Mara Voss left Lisbon on Friday.", "", "  \n", "The council of Larkfield met. Nobody came!"]


class Interrupting(Heard):
    """Interrupts while the third epoch is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs = 0

    def epoch_done(self, epoch, *, best: bool) -> None:
        self.epochs += 1

    def batch_done(self, words: int) -> None:
        if self.epochs == 2:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module", autouse=True)
def _without_pictures():
    """As without the extra `plots`: drawing takes longer than this training does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib.figure", None)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """The folder of a pipeline that was trained without a stop."""
    folder = tmp_path_factory.mktemp("trained") / "keras"
    result = train(config_of(CONFIG), folder)
    assert result.heads["ner"][0].score > 0
    return folder


def metadata_of(folder: Path) -> list:
    stage = folder / "taggers" / "ner"
    return [json.loads((folder / "meta.json").read_text())["scores"], (stage / "tagger.json").read_text()]


def plain(docs) -> list:
    """Spans and their scores, comparable."""
    return [
        [
            [[ent.start, ent.end, ent.label_] for ent in doc.ents],
            list(doc.spans["ner"].attrs["scores"]) if "ner" in doc.spans else [],
        ]
        for doc in docs
    ]


def assert_same(got, wanted, tolerance: float) -> None:
    assert [spans for spans, _ in got] == [spans for spans, _ in wanted]
    for (_, scores), (_, others) in zip(got, wanted, strict=True):
        assert scores == pytest.approx(others, abs=tolerance)


def test_what_was_interrupted_and_resumed_ends_where_an_undisturbed_run_does(trained, tmp_path):
    output = tmp_path / "keras"
    heard = Interrupting()
    assert train(config_of(CONFIG), output, progress=heard).interrupted
    assert (output / "taggers" / "ner" / "network.onnx").is_file()  # what there was is ready to annotate
    resumed = Heard()
    assert not train(config_of(CONFIG), output, resume=True, progress=resumed).interrupted
    assert any("resuming after epoch 2" in message for message in resumed.messages)
    whole, again = weights_of(trained), weights_of(output)
    assert whole.keys() == again.keys()
    assert all(np.array_equal(whole[name], again[name]) for name in whole)
    assert metadata_of(output) == metadata_of(trained)


# Annotates, saves and trains where TensorFlow and Keras cannot be imported.
WITHOUT_KERAS = """
import json, sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
from pathlib import Path
import glossator
from glossator.errors import GlossatorError
from glossator.config.text import read_config
from glossator.training.trainer import train

source, target, *texts = sys.argv[1:]
said = []
for folder in (source, target):
    pipeline = glossator.load(folder)
    docs = [pipeline(text) for text in texts]
    said.append([[[[e.start, e.end, e.label_] for e in doc.ents],
                  list(doc.spans["ner"].attrs["scores"]) if "ner" in doc.spans else []] for doc in docs])
    pipeline.save(Path(target))
loaded = sorted({name.partition(".")[0] for name, module in sys.modules.items() if module})
try:
    train(read_config(Path(source) / "config.cfg"), Path(target).with_name("trained"))
except GlossatorError as error:
    said.append(str(error))
print(json.dumps([said, loaded]))
"""


def test_it_annotates_and_is_saved_where_there_is_no_keras(trained, tmp_path):
    pipeline = glossator.load(trained)
    wanted = plain([pipeline(text) for text in TEXTS])
    assert any(spans for spans, _ in wanted)
    target = tmp_path / "saved"
    command = [sys.executable, "-c", WITHOUT_KERAS, str(trained), str(target), *TEXTS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (first, again, refused), loaded = json.loads(done.stdout.splitlines()[-1])
    assert_same(first, wanted, 1e-6)
    assert_same(again, wanted, 1e-6)
    assert "onnxruntime" in loaded
    assert not {"tensorflow", "keras", "tf2onnx", "onnx"} & set(loaded)
    assert "pip install 'glossator[train]'" in refused


def test_keras_itself_annotates_where_it_is_asked_to(trained):
    pipeline = glossator.load(trained)
    wanted = plain([pipeline(text) for text in TEXTS])
    config = read_config(trained / "config.cfg", overrides={"taggers.ner.runtime": "keras"})
    with_keras = Pipeline.from_config(config)
    with_keras.heads["ner"].stage.from_disk(trained / "taggers" / "ner")
    assert_same(plain([with_keras(text) for text in TEXTS]), wanted, 1e-5)


def test_a_network_that_is_damaged_is_named(trained, tmp_path):
    folder = shutil.copytree(trained, tmp_path / "damaged")
    network = folder / "taggers" / "ner" / "network.onnx"
    content = bytearray(network.read_bytes())
    content[:64] = bytes(64)
    network.write_bytes(content)  # of the size that it should have
    with pytest.raises(PipelineError, match=r"tagger 'ner' .* cannot be loaded: .*ONNX Runtime"):
        glossator.load(folder)
