"""A network through its life: what runs it, what is on disk, and what a damaged folder says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

keras = pytest.importorskip("keras", reason="needs glossator[train]")
tf = pytest.importorskip("tensorflow", reason="needs glossator[train]")

from glossator.errors import PipelineError, StageError  # noqa: E402
from glossator.ml.span_scheme import SpanScheme  # noqa: E402
from glossator_keras.crf import CRF  # noqa: E402
from glossator_keras.encoding.hashed_words import HashedWords, encode, padded_sentences  # noqa: E402
from glossator_keras.network import NetworkConfig, embed_words  # noqa: E402
from glossator_keras.stage_network import StageNetwork  # noqa: E402
from glossator_keras.training.losses import sequence_loss  # noqa: E402

pytestmark = pytest.mark.slow

VOCAB = spacy.blank("en").vocab
SCHEME = SpanScheme.bio(("X", "Y"))
LABELS = len(SCHEME.labels)
TEXT = "Ana saw the old boat off Skye . in Lima Lee Berg sold 14 of them again"


def convolution(config: NetworkConfig) -> keras.Model:
    """Return a network that looks one word to either side, with what the settings say on top."""
    words = embed_words(config, width=8, feature_width=4, dropout=0.2)
    hidden = keras.layers.Conv1D(8, 3, padding="same", activation="gelu")(words.output)
    logits = keras.layers.Dense(config.outputs)(hidden)
    if config.settings.get("top") == "crf":
        logits = CRF.over(config.scheme)(logits)
    if config.settings.get("top") == "python":  # what cannot be exported
        logits = InPython()(logits)
    return keras.Model(words.inputs, logits)


class InPython(keras.layers.Layer):
    """Adds nothing, by a call back to Python."""

    def call(self, inputs):
        nothing = tf.numpy_function(lambda: np.float32(0), [], "float32")
        return inputs + tf.ensure_shape(nothing, ())


def new(*, runtime="onnx", vectors: int = 0, **settings) -> StageNetwork:
    config = NetworkConfig(outputs=LABELS, vector_width=vectors, scheme=SCHEME, settings=settings)
    return StageNetwork(
        convolution,
        config,
        loss=sequence_loss,
        label_shape=(None, None),
        learn_rate=0.02,
        runtime=runtime,
        trial_inputs=HashedWords().trial_inputs,
    )


def batches(max_positions: int = 1000, vectors: int = 0):
    """Sentences of all lengths to twelve words, as inputs; their mask; and what they are."""
    words = TEXT.split()
    docs = [Doc(VOCAB, words=words[start : start + start % 12 + 1]) for start in range(len(words))]
    for batch in padded_sentences(encode(docs), max_positions):
        inputs = {"lexemes": batch.lexemes, "words": batch.words}
        if vectors:
            rows = np.random.default_rng(0).normal(size=(1000, vectors)).astype(np.float32)
            inputs["vectors"] = np.where(batch.mask[:, :, None], rows[batch.positions], np.float32(0))
        yield inputs, batch


def teach(model: StageNetwork, steps: int, vectors: int = 0) -> list[float]:
    """Teach it to tell words by their lengths."""
    losses = []
    for _ in range(steps):
        for inputs, batch in batches(vectors=vectors):
            labels = np.where(batch.mask, 2 * (batch.positions % 2), -1).astype(np.int32)
            losses.append(model.learn(inputs, labels))
    return losses


def logits_of(model: StageNetwork, max_positions: int = 1000, vectors: int = 0) -> np.ndarray:
    """Return the logits of all words in order."""
    inputs, laid_out = zip(*batches(max_positions, vectors), strict=True)
    found = {}
    for batch, logits in zip(laid_out, model.predict(inputs), strict=True):
        found |= dict(zip(batch.positions[batch.mask], logits[batch.mask], strict=True))
    return np.array([found[place] for place in sorted(found)])


def taught(steps: int = 3, vectors: int = 0, **settings) -> StageNetwork:
    model = new(vectors=vectors, **settings)
    model.initialize(0)
    teach(model, steps, vectors)
    return model


def saved(model: StageNetwork, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    model.to_disk(folder)
    return folder


def loaded(folder: Path, **settings) -> StageNetwork:
    model = new(**settings)
    model.from_disk(folder)
    return model


@pytest.fixture(scope="module")
def finished() -> StageNetwork:
    """A model with a chain that was exported; only look."""
    model = taught(top="crf", vectors=3)
    model.finish()
    return model


@pytest.fixture
def folder(finished, tmp_path) -> Path:
    """A folder it was saved to."""
    return saved(finished, tmp_path / "finished")


def test_both_runtimes_give_the_same_logits(tmp_path):
    model = taught(vectors=3)
    with_keras = logits_of(model, vectors=3)  # what is not exported yet, Keras runs
    model.finish()
    assert logits_of(model, vectors=3) == pytest.approx(with_keras, abs=1e-5)
    folder = saved(model, tmp_path / "saved")
    for runtime in ("onnx", "keras"):
        again = loaded(folder, runtime=runtime, vectors=3)
        assert logits_of(again, vectors=3) == pytest.approx(with_keras, abs=1e-5)


@pytest.mark.parametrize("runtime", ["onnx", "keras"])
@pytest.mark.parametrize("max_positions", [1, 7, 30])
def test_logits_do_not_depend_on_the_batch(folder, runtime, max_positions):
    model = loaded(folder, runtime=runtime, top="crf", vectors=3)
    assert logits_of(model, max_positions, 3) == pytest.approx(logits_of(model, vectors=3), abs=1e-5)


def test_what_annotates_has_the_average_of_the_weights(tmp_path):
    model = taught()
    state = model.training_state()
    with np.load(saved(model, tmp_path / "saved") / "weights.npz") as arrays:
        kept = [arrays[name] for name in arrays.files]
    for group, is_kept in (("average", True), ("network", False)):
        trained = [state[f"{group}.{place}"] for place in range(len(kept))]
        assert all(np.array_equal(*pair) for pair in zip(trained, kept, strict=True)) == is_kept


def test_the_chain_on_top_is_kept(finished, folder, tmp_path):
    again = loaded(folder, top="crf", vectors=3).chain
    assert again is not None
    for one, other, shape in zip(again, finished.chain, ((LABELS, LABELS), LABELS, LABELS), strict=True):
        assert np.array_equal(one, other)
        assert one.shape == (shape if isinstance(shape, tuple) else (shape,))
    assert np.array_equal(np.isfinite(again.transitions), SCHEME.transition_allowed)
    assert np.abs(again.transitions[SCHEME.transition_allowed]).max() > 0  # it has learned
    softmax = taught(1)
    assert softmax.chain is None
    assert loaded(saved(softmax, tmp_path / "softmax")).chain is None


def test_to_finish_is_done_once(finished, folder, tmp_path):
    exported = (folder / "network.onnx").read_bytes()
    wanted = logits_of(finished, vectors=3)
    for model in (finished, loaded(folder, top="crf", vectors=3)):
        model.finish()
        again = saved(model, tmp_path / "again")
        assert (again / "network.onnx").read_bytes() == exported
        assert np.array_equal(logits_of(model, vectors=3), wanted)


def test_an_unfinished_network_is_saved_without_an_export_and_loaded(tmp_path):
    model = taught()
    folder = saved(model, tmp_path / "checkpoint")
    assert not (folder / "network.onnx").exists()
    assert np.array_equal(logits_of(loaded(folder)), logits_of(model))


def test_what_is_learned_after_an_export_counts(tmp_path):
    model = taught(1)
    model.finish()
    before = logits_of(model)
    teach(model, 10)
    after = logits_of(model)
    assert not np.allclose(before, after, atol=1e-2)
    assert not (saved(model, tmp_path / "unfinished") / "network.onnx").exists()
    model.finish()
    assert logits_of(model) == pytest.approx(after, abs=1e-5)


def test_a_loaded_network_goes_on_learning(tmp_path):
    model = taught(20)
    model.finish()
    again = loaded(saved(model, tmp_path / "saved"))
    before = logits_of(again)
    fresh = taught(1)
    losses = teach(again, 5)
    assert losses[0] < 0.5 * teach(fresh, 1)[0]
    assert losses[-1] < losses[0]
    assert not np.allclose(before, logits_of(again), atol=1e-3)


@pytest.mark.parametrize("name", ["weights.npz", "chain.npz", "network.onnx"])
@pytest.mark.parametrize("damage", ["removed", "emptied", "cut"])
def test_a_damaged_folder_says_which_file(folder, name, damage):
    content = (folder / name).read_bytes()
    if damage == "removed":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content[: 0 if damage == "emptied" else len(content) // 2])
    if (name, damage) == ("network.onnx", "removed"):
        loaded(folder, top="crf", vectors=3)  # then Keras answers
        return
    part = "ONNX" if name == "network.onnx" and damage == "cut" else name
    with pytest.raises(PipelineError, match=part):
        loaded(folder, top="crf", vectors=3)


def test_a_network_saved_where_it_came_from_is_whole(folder):
    for _ in range(2):
        model = loaded(folder, top="crf", vectors=3)
        wanted = logits_of(model, vectors=3)
        model.to_disk(folder)
        assert np.array_equal(logits_of(model, vectors=3), wanted)
    assert np.array_equal(logits_of(loaded(folder, top="crf", vectors=3), vectors=3), wanted)


def test_what_cannot_be_exported_is_annotated_with_by_keras(tmp_path):
    model = taught(1, top="python")
    with pytest.raises(StageError, match='annotate with runtime = "keras"'):
        model.finish()
    obedient = taught(1, top="python", runtime="keras")
    wanted = logits_of(obedient)
    obedient.finish()
    folder = saved(obedient, tmp_path / "saved")
    assert np.array_equal(logits_of(loaded(folder, top="python", runtime="keras")), wanted)


def test_what_exporting_needs_is_missed_before_anything_is_learned(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(StageError, match=r"exporting needs tf2onnx: pip install 'glossator\[train\]'"):
        taught(1)
    taught(1, runtime="keras")


def test_nothing_learned_and_nothing_loaded_is_an_error(tmp_path):
    model = new()
    with pytest.raises(PipelineError, match=r"weights\.npz is missing or damaged"):
        model.from_disk(tmp_path)
    for use in (
        logits_of,
        StageNetwork.finish,
        StageNetwork.training_state,
        lambda it: it.to_disk(tmp_path),
        teach_once,
    ):
        with pytest.raises(StageError, match="not trained yet"):
            use(model)


def teach_once(model: StageNetwork) -> None:
    teach(model, 1)


# Annotates without Keras, and saves what it loaded.
WITHOUT_KERAS = """
import json, sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
from pathlib import Path
import numpy as np
from glossator.errors import StageError
from glossator_keras.stage_network import StageNetwork
from glossator_keras.network import NetworkConfig

def build(config):
    raise AssertionError("no network is built to annotate")

def loaded(folder):
    model = StageNetwork(build, NetworkConfig(outputs=5, vector_width=3), loss=None, label_shape=(None, None),
                  learn_rate=0.1, runtime="onnx", trial_inputs=None)
    model.from_disk(folder)
    return model

source, target = map(Path, sys.argv[1:])
with np.load(target.with_suffix(".npz")) as arrays:
    inputs = dict(arrays)
model = loaded(source)
model.finish()
model.to_disk(target)
again = loaded(target)
try:
    again.learn(inputs, None)
except StageError as error:
    said = str(error)
print(json.dumps([next(model.predict([inputs])).tolist(), next(again.predict([inputs])).tolist(), said]))
"""


def test_annotating_and_saving_need_no_keras(folder, tmp_path):
    inputs, _ = next(iter(batches(vectors=3)))
    target = tmp_path / "target"
    target.mkdir()
    np.savez(target.with_suffix(".npz"), **inputs)
    command = [sys.executable, "-c", WITHOUT_KERAS, str(folder), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    first, again, said = json.loads(done.stdout)
    (wanted,) = loaded(folder, top="crf", vectors=3).predict([inputs])
    assert np.asarray(first) == pytest.approx(wanted, abs=1e-6)
    assert first == again
    assert "pip install 'glossator[train]'" in said
    for name in ("weights.npz", "network.onnx"):
        assert (target / name).read_bytes() == (folder / name).read_bytes()
