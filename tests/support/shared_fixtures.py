"""Fixtures that the tests of training, of runs over files and of the command line share."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from glossator.cli import main
from glossator.config.text import parse_config
from glossator.data import corpora
from glossator.training.trainer import train

SAMPLES_CONFIG = """
[glossator]
lang = "en"
name = "small"
heads = ["ner", "pos", "mood"]

[taggers.ner]
stage = "crf"
write = "ents"

[taggers.pos]
stage = "crf"
write = "pos"

[classifiers.mood]
stage = "linear"

[data.ner]
corpus = "samples"

[data.pos]
corpus = "samples"

[data.mood]
corpus = "samples_reviews"
"""

# Stages that are real, small, and go wrong where they are told to.
STAGES_MODULE = '''
import json
from collections import Counter, defaultdict
from pathlib import Path

import click
import numpy as np
import spacy

import glossator
from glossator.builtin.tokenizers import WhitespaceTokenizer
from glossator.annotations.gold import gold_tags
from glossator.annotations.layer import Layer
from glossator.stages import TokenTags


@glossator.hookimpl
def glossator_tokenizers():
    yield glossator.Stage(name="touchy", factory=TouchyTokenizer)


@glossator.hookimpl
def glossator_embedders():
    yield glossator.Stage(name="counted", factory=CountedEmbedder)


@glossator.hookimpl
def glossator_taggers():
    yield glossator.Stage(name="majority", factory=MajorityTagger, summary="the commonest tag of a word")
    yield glossator.Stage(name="diverging", factory=DivergingTagger)
    yield glossator.Stage(name="clumsy", factory=ClumsyTagger)
    yield glossator.Stage(name="interrupted", factory=InterruptedTagger)


@glossator.hookimpl
def glossator_classifiers():
    yield glossator.Stage(name="remembering", factory=Remembering)


@glossator.hookimpl
def glossator_commands():
    yield glossator.Command(
        name="greet", command="glossator_test_stages:greet", summary="Greet whoever asks for it."
    )


@click.command()
def greet():
    """Greet."""
    click.echo("good day")
    return 7  # no exit code


class MajorityTagger:
    """Learns at once which tag each word has most often."""

    def __init__(self, write="tag"):
        self.layer = Layer.for_tagger(write)
        self.labels = ()
        self.best = {}

    def fit(self, examples, vectors, *, seed):
        counts = defaultdict(Counter)
        for example in examples:
            for token, tag in zip(example.predicted, gold_tags(example, self.layer)):
                if tag:
                    counts[token.text][tag] += 1
                    counts[""][tag] += 1
        self.best = {word: tags.most_common(1)[0][0] for word, tags in counts.items()}
        self.labels = tuple(sorted(set(self.best.values())))

    def predict(self, docs, vectors):
        ids = {label: i for i, label in enumerate(self.labels)}
        return [
            TokenTags(
                np.asarray([ids[self.best.get(token.text, self.best[""])] for token in doc], dtype=int),
                np.ones(len(doc)),
            )
            for doc in docs
        ]

    def to_disk(self, path):
        (path / "best.json").write_text(json.dumps(self.best))

    def from_disk(self, path):
        self.best = json.loads((path / "best.json").read_text())
        self.labels = tuple(sorted(set(self.best.values())))


class InterruptedTagger(MajorityTagger):
    """Is interrupted while it learns."""

    def fit(self, examples, vectors, *, seed):
        raise KeyboardInterrupt


class DivergingTagger(MajorityTagger):
    """Learns in steps; its loss becomes what `losses` says, or it fails where that is empty."""

    fit = None  # not at once

    def __init__(self, losses, write="tag"):
        super().__init__(write)
        self.losses = list(losses)

    def initialize(self, examples, space, *, seed):
        MajorityTagger.fit(self, examples, None, seed=seed)

    def update(self, examples, vectors):
        return float(self.losses.pop(0))

    def training_state(self):
        return {}

    def restore(self, state):
        pass


class ClumsyTagger:
    """Fails on every text with the word POISON in it."""

    labels = ("X",)

    def __init__(self, write="ents"):
        pass

    def predict(self, docs, vectors):
        if any("POISON" in doc.text for doc in docs):
            raise RuntimeError("poisoned")
        return [[] for doc in docs]

    def to_disk(self, path):
        pass

    def from_disk(self, path):
        pass


class TouchyTokenizer(WhitespaceTokenizer):
    """Fails on every text with the word UNREADABLE in it."""

    def __call__(self, text):
        if "UNREADABLE" in text:
            raise ValueError("I will not read this")
        return super().__call__(text)


class CountedEmbedder:
    """Gives each word its length as a vector, and notes each Doc it embeds in the file `log`."""

    width = 1

    def __init__(self, log):
        self.log = log

    def embed(self, docs):
        with Path(self.log).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(doc.text) + "\\n" for doc in docs)
        return [np.asarray([[len(token)] for token in doc], dtype=np.float32).reshape(-1, 1) for doc in docs]

    def to_disk(self, path):
        pass

    def from_disk(self, path):
        pass


class Remembering:
    """Knows the texts it has learned from, and nothing of others."""

    def __init__(self):
        self.labels = ("good", "bad")
        self.exclusive = True
        self.seen = {}

    def fit(self, examples, vectors, *, seed):
        self.seen = {example.text: example.reference.cats for example in examples}

    def predict(self, docs, vectors):
        known = [self.seen.get(doc.text, {}) for doc in docs]
        return np.asarray([[cats.get("good", 0.4), cats.get("bad", 0.6)] for cats in known])

    def to_disk(self, path):
        (path / "seen.json").write_text(json.dumps(self.seen))

    def from_disk(self, path):
        self.seen = json.loads((path / "seen.json").read_text())
'''


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def samples_config() -> str:
    """The text of a config of three small heads on our own samples."""
    return SAMPLES_CONFIG


@pytest.fixture(scope="session")
def samples_folder() -> Path:
    """The folder of our own samples."""
    return corpora.corpora_home() / "samples"


@pytest.fixture(scope="session")
def trained_samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline trained on our own samples; read it, and write nothing to it."""
    output = tmp_path_factory.mktemp("trained") / "small"
    train(parse_config(SAMPLES_CONFIG, folder=Path()), output)
    return output


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command line in this process."""

    def run(*arguments: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["glossator", *map(str, arguments)])
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # `main` puts its own there
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Ended(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def start_cli(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command line in a process of its own, in the test's folder; what still runs is killed."""
    started = []

    def start(*arguments: str | Path, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", "from glossator.cli import main; main()", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def install_plugin(folder: Path, name: str, code: str) -> None:
    """Write a plugin of one module as if pip had installed it into a folder."""
    module = f"glossator_{name.replace('-', '_')}"
    (folder / f"{module}.py").write_text(textwrap.dedent(code), encoding="utf-8")
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: glossator-{name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[glossator]\n{name} = {module}\n")


@pytest.fixture
def test_stages(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install the plugin `test-stages`; returns the folder to put on other processes' PYTHONPATH."""
    folder = tmp_path_factory.mktemp("site")
    install_plugin(folder, "test-stages", STAGES_MODULE)
    monkeypatch.syspath_prepend(folder)
    importlib.invalidate_caches()
    yield folder
    sys.modules.pop("glossator_test_stages", None)
