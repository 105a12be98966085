"""A stage composed with an encoder of one's own: words known by their lengths alone, sentences in parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from spacy.attrs import LENGTH

keras = pytest.importorskip("keras", reason="needs glossator[train]")
pytest.importorskip("tensorflow", reason="needs glossator[train]")

import spacy  # noqa: E402
from spacy.tokens import Doc  # noqa: E402
from spacy.training import Example  # noqa: E402

from glossator.errors import PipelineError  # noqa: E402
from glossator.ml.batching import bucket_by_length  # noqa: E402
from glossator.ml.word_sequences import WordSequences  # noqa: E402
from glossator.ml.words import Words, words_of  # noqa: E402
from glossator.stages import Preparable, Vectors, VectorSpace  # noqa: E402
from glossator_keras.classifier import KerasClassifier  # noqa: E402
from glossator_keras.encoding.doc_windows import Windows, windows_of  # noqa: E402
from glossator_keras.tagger import KerasTagger  # noqa: E402

pytestmark = pytest.mark.slow

VOCAB = spacy.blank("en").vocab
TEXT = "a boat of old wood saw it off Skye and Oslo in the rain"
NONE = Vectors(space=VectorSpace(), values=[])
PART = 4  # words per sequence, where sentences are cut


@dataclass(frozen=True)
class EncodedLengths:
    words: Words
    lengths: np.ndarray


@dataclass(frozen=True)
class LengthBatch:
    lengths: np.ndarray
    positions: np.ndarray
    mask: np.ndarray
    word_lengths: np.ndarray


class WordLengths:
    """Encodes words by their lengths; `parts`: cuts sentences into parts of a few words."""

    tables = ()

    def __init__(self, *, parts: bool = False) -> None:
        self.whole_sentences = not parts
        self.generators: list = []

    def encode(self, docs):
        words = words_of(docs, [LENGTH])
        return EncodedLengths(words, words.features[:, 0].astype(np.int32))

    def sentence_batches(self, encoded, *, training):
        starts, ends = encoded.words.sentence_starts[:-1], encoded.words.sentence_starts[1:]
        if not self.whole_sentences:
            parts = [
                (first, min(first + PART, end))
                for start, end in zip(starts, ends, strict=True)
                for first in range(start, end, PART)
            ]
            starts, ends = np.array(parts, dtype=np.intp).reshape(-1, 2).T
        for batch in bucket_by_length(ends - starts, 30):
            yield self.batch(encoded, starts[batch], ends[batch])

    def windows(self, encoded):
        return windows_of(encoded.words, 5)

    def window_batches(self, encoded, windows: Windows, *, training):
        which = np.arange(len(windows.starts))
        yield which, self.batch(encoded, windows.starts, windows.starts + windows.lengths)

    def batch(self, encoded, starts, ends) -> LengthBatch:
        layout = WordSequences.between(starts, ends)
        lengths = encoded.lengths[layout.positions]
        return LengthBatch(layout.lengths, layout.positions, layout.mask, lengths)

    def inputs(self, batch, vectors, generator=None):
        self.generators.append(generator)
        return {"lengths": np.where(batch.mask, batch.word_lengths, 0).astype(np.int32)}

    def trial_inputs(self, vector_width):
        return {"lengths": np.array([[3, 1, 4], [5, 0, 0]], dtype=np.int32)}, None


def embedded():
    lengths = keras.Input((None,), dtype="int32", name="lengths")
    return lengths, keras.layers.Embedding(20, 8)(lengths)


def tags_of_words(config):
    lengths, hidden = embedded()
    return keras.Model({"lengths": lengths}, keras.layers.Dense(config.outputs)(hidden))


def labels_of_docs(config):
    lengths, hidden = embedded()
    mask = keras.ops.cast(lengths > 0, "float32")[:, :, None]
    pooled = keras.ops.sum(hidden * mask, axis=1) / keras.ops.sum(mask, axis=1)
    return keras.Model({"lengths": lengths}, keras.layers.Dense(config.outputs)(pooled))


def tagged() -> list[Example]:
    made = []
    words = TEXT.split()
    for start in range(len(words)):
        some = words[start : start + 7]
        tags = ["LONG" if len(word) > 3 else "SHORT" for word in some]
        made.append(Example(Doc(VOCAB, words=some), Doc(VOCAB, words=some, tags=tags)))
    return made


def taught(stage, data, steps: int = 40):
    stage.initialize(data, VectorSpace(), seed=0)
    for _ in range(steps):
        stage.update(data, NONE)
    stage.finish()
    return stage, stage.predict([example.predicted for example in data], NONE)


@pytest.mark.parametrize("parts", [False, True])
def test_a_tagger_learns_from_the_inputs_of_any_encoder(tmp_path, parts):
    data, encoder = tagged(), WordLengths(parts=parts)
    stage, answers = taught(KerasTagger(tags_of_words, encoder, write="tag", learn_rate=0.1), data)
    for answer, example in zip(answers, data, strict=True):
        assert [stage.labels[i] for i in answer.ids] == [token.tag_ for token in example.reference]
    # Random changes are for training alone.
    assert any(generator is None for generator in encoder.generators)
    assert any(generator is not None for generator in encoder.generators)

    stage.to_disk(tmp_path)
    again = KerasTagger(tags_of_words, WordLengths(parts=parts), write="tag")
    again.from_disk(tmp_path)
    for one, other in zip(again.predict([each.predicted for each in data], NONE), answers, strict=True):
        assert np.array_equal(one.ids, other.ids)
        assert np.array_equal(one.probabilities, other.probabilities)


def test_sentences_in_parts_are_answered_as_whole_ones_are(tmp_path):
    data = tagged()
    stage, answers = taught(KerasTagger(tags_of_words, WordLengths(), write="tag"), data, steps=5)
    stage.to_disk(tmp_path)
    in_parts = KerasTagger(tags_of_words, WordLengths(parts=True), write="tag")
    in_parts.from_disk(tmp_path)
    joined = in_parts.predict([example.predicted for example in data], NONE)
    for one, other in zip(answers, joined, strict=True):
        assert np.array_equal(one.ids, other.ids)
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)


def test_a_classifier_learns_from_the_inputs_of_any_encoder():
    data = []
    for word, label in (("boat", "long"), ("of", "short")) * 10:
        for count in (1, 12):  # of several windows, too
            gold = Doc(VOCAB, words=[word] * count)
            gold.cats = {label: 1.0}
            data.append(Example(Doc(VOCAB, words=[word] * count), gold))
    stage, answers = taught(KerasClassifier(labels_of_docs, WordLengths(), learn_rate=0.1), data)
    wanted = [[example.reference.cats.get(label, 0) for label in stage.labels] for example in data]
    assert np.abs(answers - wanted).max() < 0.3


def test_a_network_over_other_tables_is_refused(tmp_path):
    stage, _ = taught(KerasTagger(tags_of_words, WordLengths(), write="tag"), tagged(), steps=1)
    stage.to_disk(tmp_path)
    with pytest.raises(PipelineError, match="another version of glossator_keras"):
        KerasTagger(tags_of_words, write="tag").from_disk(tmp_path)


class Checkpoint:
    """A `Pretrained` whose weights are all the same number, which is its file."""

    def __init__(self) -> None:
        self.number = 0.0

    @property
    def settings(self):
        return {"number": self.number}

    def open(self, folder):
        self.number = float((folder / "number.txt").read_text())

    def load_weights(self, network):
        network.set_weights([np.full_like(weight, self.number) for weight in network.get_weights()])

    def to_disk(self, path):
        (path / "copy.txt").write_text(str(self.number))

    def from_disk(self, path, settings):
        assert float((path / "copy.txt").read_text()) == settings["number"]
        self.number = settings["number"]


def test_a_stage_starts_from_a_pretrained_checkpoint(tmp_path):
    (tmp_path / "number.txt").write_text("0.25")
    stage = KerasTagger(tags_of_words, WordLengths(), write="tag", pretrained=Checkpoint())
    assert isinstance(stage, Preparable)
    stage.prepare(tmp_path)
    stage.initialize(tagged(), VectorSpace(), seed=0)
    folder = tmp_path / "stage"
    folder.mkdir()
    stage.to_disk(folder)
    with np.load(folder / "weights.npz") as weights:
        assert all((weight == 0.25).all() for weight in weights.values())
    again = KerasTagger(tags_of_words, WordLengths(), write="tag", pretrained=Checkpoint())
    again.from_disk(folder)
    assert again.network.config.settings == {"number": 0.25}


def test_a_stage_without_a_checkpoint_has_nothing_to_prepare():
    """What has `prepare` is restored before it is trained anew, which a folder of other tables cannot be."""
    assert not isinstance(KerasTagger(tags_of_words), Preparable)
    assert not isinstance(KerasClassifier(labels_of_docs), Preparable)
