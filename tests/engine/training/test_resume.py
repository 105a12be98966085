"""Training that is killed or interrupted: nothing is lost, and the end is the same to the bit."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from training_runs import MAJORITY, MOOD, TWO_HEADS, Heard, config_of, weights_of

import glossator
from glossator.errors import PipelineError, UsageError
from glossator.pipeline.folder import write_stage
from glossator.plugins.manager import PluginManager
from glossator.training.trainer import log_rows, train

pytestmark = pytest.mark.slow

# Trains the config on standard input; a signal comes while head SYS.ARGV[2] is at epoch and batch given.
SIGNALLED = """
import os, signal, sys
from pathlib import Path
from glossator.config.text import parse_config
from glossator.training.progress import Silent
from glossator.training.trainer import train

output, head, epoch, batch, number = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])

class Signalled(Silent):
    def head_started(self, name, seed, words, max_epochs):
        self.here, self.epoch, self.batch = name, 1, 0
        self.check()
    def batch_done(self, words):
        self.batch += 1
        self.check()
    def epoch_done(self, done, *, best):
        self.epoch, self.batch = done.number + 1, 0
        self.check()
    def message(self, text):
        print(text)
    def check(self):
        if (self.here, self.epoch, self.batch) == (head, epoch, batch):
            os.kill(os.getpid(), number)

result = train(parse_config(sys.stdin.read(), folder=Path()), output, progress=Signalled())
print("interrupted" if result.interrupted else "finished")
"""


def assert_equal_pipelines(one: Path, other: Path) -> None:
    left, right = weights_of(one), weights_of(other)
    assert left.keys() == right.keys()
    assert left
    assert all(np.array_equal(left[name], right[name]) for name in left)
    facts = [json.loads((folder / "meta.json").read_text()) for folder in (one, other)]
    assert facts[0]["scores"] == facts[1]["scores"]
    assert facts[0]["data"] == facts[1]["data"]
    metadata = [*one.rglob("crf.json"), *one.rglob("linear.json")]  # labels and temperatures
    assert len(metadata) == 2
    for file in metadata:
        assert file.read_bytes() == (other / file.relative_to(one)).read_bytes()


def train_with_signal(output: Path, head: str, epoch: int, batch: int, number: int, text: str = TWO_HEADS):
    return subprocess.run(
        [sys.executable, "-c", SIGNALLED, str(output), head, str(epoch), str(batch), str(int(number))],
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module", autouse=True)
def _without_pictures():
    """As without the extra `plots`: drawing takes longer than this training does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib.figure", None)
        yield


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed") / "two"
    train(config_of(TWO_HEADS), output)
    return output


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> Path:
    """What a run left that was killed after the second epoch of its first head."""
    output = tmp_path_factory.mktemp("killed") / "two"
    assert train_with_signal(output, "ner", 3, 0, signal.SIGKILL).returncode == -signal.SIGKILL
    return output.with_name("two.training")


@pytest.mark.parametrize(
    ("head", "epoch", "batch"),
    [("ner", 1, 2), ("ner", 4, 3), ("mood", 3, 2), ("mood", 6, 0)],
)
def test_a_killed_run_ends_where_an_undisturbed_one_does(undisturbed, tmp_path, head, epoch, batch):
    output = tmp_path / "two"
    killed = train_with_signal(output, head, epoch, batch, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not output.exists()
    heard = Heard()
    train(config_of(TWO_HEADS), output, resume=True, progress=heard)
    assert_equal_pipelines(undisturbed, output)
    resumed = [message for message in heard.messages if "resuming after epoch" in message]
    assert bool(resumed) == ((head, epoch) != ("ner", 1))
    assert not output.with_name("two.training").exists()


def test_a_run_killed_from_outside_while_it_learns(undisturbed, tmp_path, start_cli):
    (tmp_path / "two.cfg").write_text(TWO_HEADS)
    process = start_cli("train", "two.cfg", "-o", "two")
    file = tmp_path / "two.training" / "ner" / "seed-0" / "progress.json"
    deadline = time.monotonic() + 60
    while not (file.is_file() and len(json.loads(file.read_text())["epochs"]) >= 2):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    resumed = start_cli("train", "two.cfg", "-o", "two", "--resume")
    _, err = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, err
    assert "resuming after epoch" in err
    assert_equal_pipelines(undisturbed, tmp_path / "two")
    assert (tmp_path / "two" / "training.png").is_file()


def test_what_is_finished_is_left_as_it_is_by_the_same_run_alone(undisturbed, tmp_path):
    output = tmp_path / "two"
    shutil.copytree(undisturbed, output)
    before = {file: file.stat().st_mtime_ns for file in output.rglob("*")}
    heard = Heard()
    done = train(config_of(TWO_HEADS), output, resume=True, progress=heard)
    assert heard.messages == [f"{output} is the output of this run, which is finished: nothing is left to do"]
    assert {file: file.stat().st_mtime_ns for file in output.rglob("*")} == before
    assert list(done.pipeline.heads) == ["ner", "mood"]
    again = Heard()
    train(config_of(TWO_HEADS), output, resume=True, seeds=2, progress=again)
    assert again.messages == ["there is no run to resume: starting a new one"]
    once_more = Heard()
    shutil.copytree(undisturbed, tmp_path / "kept")
    train(config_of(TWO_HEADS), tmp_path / "kept", progress=once_more)
    assert once_more.messages == []
    assert_equal_pipelines(undisturbed, tmp_path / "kept")


def test_resuming_where_there_is_nothing_starts_anew_and_says_so(undisturbed, tmp_path):
    heard = Heard()
    output = tmp_path / "two"
    train(config_of(TWO_HEADS), output, resume=True, progress=heard)
    assert heard.messages == ["there is no run to resume: starting a new one"]
    assert_equal_pipelines(undisturbed, output)


def test_another_config_is_not_resumed(undisturbed, killed, tmp_path):
    shutil.copytree(killed, tmp_path / "two.training")
    changes = (
        {"training__batch_words": 100},
        {"classifiers__mood__strength": 0.5},
        {"glossator__seed": 3},
        {},
    )
    for change in changes:
        with pytest.raises(PipelineError, match="another config, other data or other seeds"):
            train(config_of(TWO_HEADS, **change), tmp_path / "two", seeds=1 if change else 2, resume=True)
    train(config_of(TWO_HEADS), tmp_path / "two", resume=True)  # and refusing has spoilt nothing
    assert_equal_pipelines(undisturbed, tmp_path / "two")


@pytest.mark.parametrize("split", ["train", "dev"])
def test_other_data_is_not_resumed(tmp_path, samples_folder, split):
    """The files of both splits have one name, in two folders."""
    for name in ("train", "dev"):
        (tmp_path / name).mkdir()
        shutil.copy(samples_folder / f"reviews.{name}.jsonl", tmp_path / name / "reviews.jsonl")
    text = """
[glossator]
lang = "en"
[classifiers.mood]
stage = "stepwise"
[data.mood]
train = "train/reviews.jsonl"
dev = "dev/reviews.jsonl"
"""
    config = config_of(text, tmp_path, training__max_epochs=2)
    train(config, tmp_path / "out", progress=Interrupting("mood", 1))
    assert (tmp_path / "out.training").is_dir()
    with (tmp_path / split / "reviews.jsonl").open("a") as file:
        file.write('{"text": "Good.", "cats": {"positive": 1.0, "negative": 0.0}}\n')
    with pytest.raises(PipelineError, match="other data"):
        train(config, tmp_path / "out", resume=True)


def test_without_resume_a_run_starts_anew(undisturbed, killed, tmp_path):
    output = tmp_path / "two"
    shutil.copytree(killed, tmp_path / "two.training")
    state = output.with_name("two.training") / "ner" / "seed-0"
    shutil.rmtree(next(state.glob("epoch-*")))  # what it must not look at
    heard = Heard()
    train(config_of(TWO_HEADS), output, progress=heard)
    assert "held an interrupted run; it is discarded, as --resume was not given" in heard.messages[0]
    assert_equal_pipelines(undisturbed, output)


@pytest.mark.parametrize("damage", ["state", "weights", "progress"])
def test_a_damaged_checkpoint_is_named(killed, tmp_path, damage):
    output = tmp_path / "two"
    shutil.copytree(killed, tmp_path / "two.training")
    state = tmp_path / "two.training" / "ner" / "seed-0"
    file = {
        "state": state / "epoch-0002" / "state.npz",
        "weights": state / "epoch-0002" / "stage" / "weights.npz",
        "progress": state / "progress.json",
    }[damage]
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(PipelineError, match=f"{file.name} is (missing or )?damaged"):
        train(config_of(TWO_HEADS), output, resume=True)


class Interrupting(Heard):
    """Sends this process a keyboard interrupt after an epoch of a head; after epoch 0, in its first batch."""

    def __init__(self, head: str, epoch: int) -> None:
        super().__init__()
        self.place = (head, epoch)

    def head_started(self, head: str, seed: int, words: int, max_epochs: int) -> None:
        super().head_started(head, seed, words, max_epochs)
        self.head = head

    def batch_done(self, words: int) -> None:
        if self.place == (self.head, 0):
            signal.raise_signal(signal.SIGINT)

    def epoch_done(self, epoch, *, best: bool) -> None:
        if self.place == (self.head, epoch.number):
            signal.raise_signal(signal.SIGINT)


def test_an_interrupt_before_anything_is_learned_saves_nothing(undisturbed, tmp_path):
    """A good pipeline that stands at the output is not replaced by an empty one."""
    output = tmp_path / "two"
    shutil.copytree(undisturbed, output)
    stopped = train_with_signal(output, "ner", 1, 0, signal.SIGINT)
    assert stopped.returncode == -signal.SIGINT
    assert "no head was trained before the interrupt" in stopped.stdout
    assert_equal_pipelines(undisturbed, output)


def test_an_interrupt_in_the_first_epoch_leaves_a_pipeline_of_one_head(tmp_path):
    heard = Interrupting("ner", 0)
    result = train(config_of(TWO_HEADS), tmp_path / "two", progress=heard)
    assert result.interrupted
    assert heard.messages == ["mood was not trained before the interrupt and is not saved"]
    pipeline = glossator.load(tmp_path / "two")
    assert list(pipeline.heads) == ["ner"]
    assert pipeline("Mara Voss left Lisbon.").text == "Mara Voss left Lisbon."


@pytest.mark.parametrize(("head", "epoch"), [("ner", 2), ("mood", 0)])
def test_an_interrupted_run_is_saved_and_can_be_resumed(undisturbed, tmp_path, head, epoch):
    output = tmp_path / "two"
    result = train(config_of(TWO_HEADS), output, progress=Interrupting(head, epoch))
    assert result.interrupted
    rows = [(row["head"], row["number"]) for row in log_rows(result)]
    assert rows[-1] == ((head, epoch) if epoch else ("ner", 5))
    assert list(glossator.load(output).heads) == (["ner"] if head == "ner" else ["ner", "mood"])
    assert output.with_name("two.training").is_dir()
    train(config_of(TWO_HEADS), output, resume=True)
    assert_equal_pipelines(undisturbed, output)


def test_what_an_interrupted_run_saves_is_its_best_epoch(tmp_path):
    output = tmp_path / "two"
    train(config_of(TWO_HEADS), output, progress=Interrupting("ner", 3))
    progress = json.loads((output.with_name("two.training") / "ner" / "seed-0" / "progress.json").read_text())
    best = max(progress["epochs"], key=lambda epoch: (epoch["score"], -epoch["loss"]))
    folder = output.with_name("two.training") / "ner" / "seed-0" / f"epoch-{best['number']:04d}"
    stage = PluginManager.from_environment().make("tagger", "stepwise", {"write": "ents"})
    stage.from_disk(folder / "stage")
    (tmp_path / "finished").mkdir()
    write_stage(stage, tmp_path / "finished")
    kept, saved = weights_of(tmp_path / "finished"), weights_of(output / "taggers")
    assert [array.tobytes() for array in kept.values()] == [array.tobytes() for array in saved.values()]


def test_an_interrupted_head_that_learns_at_once_is_left_out(tmp_path, test_stages):
    text = MAJORITY + '\n[taggers.second]\nstage = "interrupted"\nwrite = "tag"\n'
    text += '\n[data.second]\ntrain = "t.conll"\ndev = "t.conll"\noptions = {"columns": ["token", "tag"]}\n'
    (tmp_path / "t.conll").write_text("Mara\tNN\nslept\tVB\n")
    heard = Heard()
    result = train(config_of(text, tmp_path), tmp_path / "out", progress=heard)
    assert result.interrupted
    assert heard.messages[-1] == "second was not trained before the interrupt and is not saved"
    assert list(glossator.load(tmp_path / "out").heads) == ["tags"]


def test_an_interrupt_in_the_second_seed_keeps_the_first(tmp_path):
    config = config_of(MOOD)

    class InSecond(Interrupting):
        def head_started(self, head: str, seed: int, words: int, max_epochs: int) -> None:
            super().head_started(head, seed, words, max_epochs)
            if seed == 1:
                signal.raise_signal(signal.SIGINT)

    result = train(config, tmp_path / "two", seeds=2, progress=InSecond("", 0))
    assert result.interrupted
    assert [seed.seed for seed in result.heads["mood"]] == [0]
    train(config, tmp_path / "one")
    kept, wanted = weights_of(tmp_path / "two"), weights_of(tmp_path / "one")
    assert all(np.array_equal(kept[name], wanted[name]) for name in kept)
    with pytest.raises(UsageError, match="at least 1"):
        train(config, tmp_path / "none", seeds=0)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_control_c_at_the_command_line(tmp_path, start_cli):
    (tmp_path / "two.cfg").write_text(TWO_HEADS.replace("= 5", "= 1000"))
    process = start_cli("train", "two.cfg", "-o", "two")
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("  epoch   2"):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "mood was not trained before the interrupt and is not saved" in err
    assert "interrupted: the pipeline is the best so far; --resume continues" in err
    assert "Traceback" not in err
    assert list(glossator.load(tmp_path / "two").heads) == ["ner"]
