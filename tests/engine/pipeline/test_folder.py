from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from spacy.tokens import Doc
from spacy.training import Example

from glossator import load
from glossator.config.schema import DataConfig
from glossator.config.text import config_to_text, read_config
from glossator.errors import ConfigError, PipelineError, PluginError, StageError
from glossator.pipeline import folder as pipeline_folder
from glossator.pipeline import golden
from glossator.pipeline.head import answer_of
from glossator.pipeline.loading import changed_answers
from glossator.pipeline.pipeline import Pipeline
from glossator.util.files import sha256_of

SENTENCES = [
    ("Ana Lee sailed to Skye .", "B-PER I-PER O O B-LOC O", "travel"),
    ("The soup in Oslo was cold .", "O O O B-LOC O O O", "food"),
    ("Lee ate bread .", "B-PER O O O", "food"),
]
TEXT = "Ana sailed to Oslo.\n\nThe soup was Lee's."


def compose(folder: Path, steps: int = 10) -> Pipeline:
    """A pipeline with one head of every built-in stage, trained a little."""
    folder.mkdir(exist_ok=True)
    (folder / "names.jsonl").write_text('{"label": "SHIP", "phrase": "sailed to"}\n')
    pipeline = Pipeline("en", name="toy", version="2.0", licence="CC0")
    pipeline.add_tagger("ner", "crf")
    pipeline.add_tagger("names", "gazetteer", write="spans:names", phrases="names.jsonl")
    pipeline.add_classifier("topic", "linear", prefix="topic=")
    pipeline.config = replace(pipeline.config, folder=folder)
    pipeline.prepare()
    data = []
    for text, ents, cat in SENTENCES * 2:
        words = text.split()
        gold = Doc(pipeline.vocab, words=words, ents=ents.split())
        gold.cats = {"travel": float(cat == "travel"), "food": float(cat == "food")}
        data.append(Example(Doc(pipeline.vocab, words=words), gold))
    for name in ("ner", "topic"):
        head = pipeline.heads[name]
        head.stage.initialize(data, pipeline.vector_space(head.config), seed=0)
        for _ in range(steps):
            head.stage.update(data, pipeline.vectors(head.config, [e.predicted for e in data]))
        head.stage.calibrate(data, pipeline.vectors(head.config, [e.predicted for e in data]))
    return pipeline


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory) -> Pipeline:
    return compose(tmp_path_factory.mktemp("source"))


@pytest.fixture
def saved(pipeline, tmp_path) -> Path:
    pipeline.save(tmp_path / "toy")
    return tmp_path / "toy"


def answers(pipeline: Pipeline) -> list[dict]:
    return [answer_of(doc, pipeline.heads.values()) for doc in pipeline.pipe([*golden.TEXTS, TEXT])]


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def change_meta(folder: Path, **changes) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**meta, **changes}))


def test_a_loaded_pipeline_answers_as_the_saved_one_did(pipeline, saved):
    loaded = load(saved)
    assert answers(loaded) == answers(pipeline)
    assert loaded.config == replace(pipeline.config, folder=saved)
    assert loaded.source == saved
    assert (loaded.config.name, loaded.config.version, loaded.config.licence) == ("toy", "2.0", "CC0")
    again = saved.with_name("again")
    loaded.save(again)
    assert answers(load(str(again))) == answers(pipeline)


def test_in_a_fresh_process_too(pipeline, saved):
    code = (
        "import json, sys; from glossator import load; from glossator.pipeline.head import answer_of;"
        "p = load(sys.argv[1]); heads = p.heads.values();"
        "print(json.dumps([answer_of(d, heads) for d in p.pipe(json.loads(sys.argv[2]))]))"
    )
    texts = [*golden.TEXTS, TEXT]
    command = [sys.executable, "-W", "error", "-c", code, str(saved), json.dumps(texts)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    fresh = json.loads(result.stdout)
    for got, want in zip(fresh, answers(pipeline), strict=True):
        assert json.loads(json.dumps(want)) == got


def test_only_some_heads_are_loaded(pipeline, saved):
    assert list(load(saved, only=["topic"]).heads) == ["topic"]
    without = load(saved, without=["topic"])
    assert list(without.heads) == ["ner", "names"]
    assert not without("Ana").cats
    with pytest.raises(ConfigError, match="no head 'tpoic'; it has ner, names, topic"):
        load(saved, only=["tpoic"])


def test_the_folder_says_what_is_in_it(saved):
    meta = pipeline_folder.read_meta(saved)
    assert (meta["format"], meta["name"], meta["version"], meta["lang"]) == (1, "toy", "2.0", "en")
    assert meta["heads"]["ner"]["labels"] == ["LOC", "PER"]
    assert meta["heads"]["topic"]["labels"] == ["topic=food", "topic=travel"]
    assert meta["heads"]["names"]["writes"] == "spans:names"
    assert meta["heads"]["ner"]["distribution"] == "glossator"
    files = {path.relative_to(saved).as_posix() for path in saved.rglob("*") if path.is_file()}
    assert set(meta["files"]) == files - {"meta.json"}
    assert pipeline_folder.damaged_files(saved) == []


def test_nothing_is_pickled(saved):
    for path in saved.rglob("*"):
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                assert all(name.endswith(".npy") for name in archive.namelist())
            with np.load(path, allow_pickle=False) as arrays:
                assert all(arrays[name].dtype != object for name in arrays.files)
        elif path.is_file():
            path.read_text(encoding="utf-8")
    code = (
        "import pickle, sys\n"
        "def refuse(*args, **kwargs): raise SystemExit('pickle was used')\n"
        "pickle.load = pickle.loads = pickle.Unpickler = refuse\n"
        "import glossator; glossator.load(sys.argv[1])('Ana')"
    )
    subprocess.run([sys.executable, "-c", code, str(saved)], check=True)


def test_attachments_lie_beside_the_config(pipeline, tmp_path):
    pipeline.save(tmp_path / "toy", attachments={"training.jsonl": b"{}\n"})
    assert (tmp_path / "toy" / "training.jsonl").read_bytes() == b"{}\n"
    assert "training.jsonl" in pipeline_folder.read_meta(tmp_path / "toy")["files"]


def test_what_training_found_out_is_kept(pipeline, tmp_path):
    pipeline.meta = {"scores": {"ner": {"dev": 0.5}}, "data": {"ner": {"a": "b"}}}
    pipeline.save(tmp_path / "toy")
    assert load(tmp_path / "toy").meta == pipeline.meta
    pipeline.meta = {}


def test_saving_replaces_a_pipeline_and_leaves_nothing_else(pipeline, saved, tmp_path):
    (saved / "taggers" / "stale").mkdir()
    first = pipeline_folder.identity(load(saved).source)
    other = compose(tmp_path / "source", steps=5)
    other.save(saved)
    assert answers(load(saved)) == answers(other) != answers(pipeline)
    assert pipeline_folder.identity(load(saved).source) != first
    assert not (saved / "taggers" / "stale").exists()
    assert listing(tmp_path) == ["source", "toy"]


def test_a_save_that_fails_leaves_the_old_pipeline(pipeline, saved, tmp_path):
    before = answers(load(saved))
    untrained = Pipeline("en").add_tagger("ner", "crf")
    with pytest.raises(StageError, match="not trained yet"):
        untrained.save(saved)
    assert listing(tmp_path) == ["toy"]
    assert answers(load(saved)) == before


def test_a_save_killed_between_its_renames_is_recovered(pipeline, saved, tmp_path):
    saved.rename(tmp_path / ".toy.previous")
    (tmp_path / ".toy.999.tmp").mkdir()
    assert answers(load(saved)) == answers(pipeline)
    assert listing(tmp_path) == [".toy.999.tmp", "toy"]


def test_a_save_killed_before_tidying_up_is_no_trouble(pipeline, saved, tmp_path):
    previous = tmp_path / ".toy.previous"
    previous.mkdir()
    (previous / "old").write_text("old")
    assert answers(load(saved)) == answers(pipeline)
    pipeline.save(saved)
    assert listing(tmp_path) == ["toy"]


def test_other_people_s_folders_and_files_are_left_alone(pipeline, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(PipelineError, match="is a file: name a folder"):
        pipeline.save(file)
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter1.txt").write_text("mine")
    spacy_model = tmp_path / "en_core_web_sm"
    spacy_model.mkdir()
    (spacy_model / "meta.json").write_text('{"lang": "en", "spacy_version": ">=3.8"}')
    for folder in (thesis, spacy_model):
        with pytest.raises(PipelineError, match="contains files but is not a pipeline: name another folder"):
            pipeline.save(folder)
        assert len(listing(folder)) == 1
    (tmp_path / "empty").mkdir()
    pipeline.save(tmp_path / "empty")
    pipeline.save(tmp_path / "new" / "deep" / "er")
    assert load(tmp_path / "new" / "deep" / "er")


def test_folders_may_be_named_from_inside_and_by_links(pipeline, saved, tmp_path, monkeypatch):
    monkeypatch.chdir(saved)
    assert answers(load(".")) == answers(pipeline)
    monkeypatch.chdir(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(saved, target_is_directory=True)
    pipeline.save("link")
    assert link.is_symlink()
    assert answers(load("link")) == answers(pipeline)


def test_missing_folders_are_named(tmp_path):
    with pytest.raises(PipelineError, match=r"nowhere: there is no such pipeline folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(PipelineError, match="no-such-pipeline: there is no such pipeline folder"):
        load("no-such-pipeline")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PipelineError, match=r"not a pipeline folder, it has no meta\.json"):
        load(tmp_path / "empty")


@pytest.mark.parametrize("damage", ["missing", "truncated", "grown"])
@pytest.mark.parametrize(
    "name", ["config.cfg", "golden.jsonl", "taggers/ner/weights.npz", "taggers/ner/crf.json"]
)
def test_files_missing_or_of_another_size_are_named(saved, name, damage):
    file = saved / name
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
        message = f"{name} is missing"
    else:
        changed = content[: len(content) // 2] if damage == "truncated" else content + b"\n"
        file.write_bytes(changed)
        message = f"{name} has {len(changed)} bytes, not {len(content)}"
    with pytest.raises(PipelineError, match="the pipeline is damaged, ") as caught:
        load(saved)
    assert message in str(caught.value)
    assert pipeline_folder.damaged_files(saved) == [name]


@pytest.mark.parametrize(
    "name", ["taggers/ner/weights.npz", "taggers/ner/crf.json", "classifiers/topic/weights.npz"]
)
@pytest.mark.parametrize("at", [0, 0.5])
def test_files_of_the_right_size_with_wrong_bytes_are_named(saved, name, at):
    file = saved / name
    content = bytearray(file.read_bytes())
    start = int(len(content) * at)
    content[start : start + 40] = bytes(255 - byte for byte in content[start : start + 40])
    file.write_bytes(content)
    assert pipeline_folder.damaged_files(saved) == [name]
    with pytest.raises(PipelineError, match=rf"'(ner|topic)' .*cannot be loaded.*{Path(name).name}"):
        load(saved)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 1, "files": 3}', "\ud800"]
)
def test_a_damaged_meta_is_named(saved, text):
    (saved / "meta.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(PipelineError, match=r"meta\.json is damaged"):
        load(saved)


def test_a_later_format_is_refused(saved):
    change_meta(saved, format=2, glossator="9.1")
    with pytest.raises(
        PipelineError, match=r"made by Glossator 9\.1 in folder format 2; this is .* reads format 1"
    ):
        load(saved)


@pytest.mark.parametrize(
    ("new", "gone", "message"),
    [
        ("crf", "window", "the tagger 'window' was replaced by 'crf': .* has to be trained again"),
        ("linear", "bow", "the classifier 'bow' was replaced by 'linear': .* has to be trained again"),
    ],
)
def test_a_folder_with_a_stage_that_is_gone_says_what_replaces_it(saved, new, gone, message):
    file = saved / "config.cfg"
    file.write_text(file.read_text().replace(f'stage = "{new}"', f'stage = "{gone}"'))
    files = pipeline_folder.read_meta(saved)["files"]
    files["config.cfg"] = {"bytes": file.stat().st_size, "sha256": sha256_of(file)}
    change_meta(saved, files=files)
    assert pipeline_folder.damaged_files(saved) == []
    with pytest.raises(PluginError, match=message):
        load(saved)


def test_colliding_labels_are_not_saved(pipeline, tmp_path):
    both = load_twice(pipeline, tmp_path / "toy")
    with pytest.raises(ConfigError, match=r"both write doc\.cats\['topic=food'\]"):
        both.save(tmp_path / "both")
    assert not (tmp_path / "both").exists()


def load_twice(pipeline: Pipeline, folder: Path) -> Pipeline:
    pipeline.save(folder)
    both = load(folder)
    both.add_classifier("again", "linear", prefix="topic=")
    both.heads["again"].stage.from_disk(folder / "classifiers" / "topic")
    return both


def test_data_s_paths_count_from_the_saved_folder(pipeline, tmp_path):
    source = tmp_path / "source"
    (source / "data").mkdir(parents=True)
    for name in ("train.conll", "dev.conll"):
        (source / "data" / name).write_text(name)
    data = DataConfig(train="data/train.conll", dev=str(source / "data" / "dev.conll"))
    composed = compose(source)
    composed.config = replace(composed.config, data={"ner": data, "topic": DataConfig(corpus="mr")})
    target = tmp_path / "out" / "deep" / "toy"
    composed.save(target)
    moved = read_config(target / "config.cfg")
    assert not Path(moved.data["ner"].train).is_absolute()
    for name in ("train", "dev"):
        path = target / getattr(moved.data["ner"], name)
        assert path.read_text() == f"{name}.conll"
    assert moved.data["topic"] == DataConfig(corpus="mr")
    load(target).save(tmp_path / "elsewhere")
    again = read_config(tmp_path / "elsewhere" / "config.cfg")
    assert (tmp_path / "elsewhere" / again.data["ner"].train).read_text() == "train.conll"


def test_a_saved_pipeline_can_be_composed_again_from_its_own_folder(pipeline, saved):
    config = read_config(saved / "config.cfg")
    assert config_to_text(config) == (saved / "config.cfg").read_text(encoding="utf-8")
    again = Pipeline.from_config(config).prepare()
    assert again.heads["names"].stage.labels == ("SHIP",)
    assert again.heads["topic"].labels == ()
    # A section that was changed means files of the user's again.
    changed = read_config(saved / "config.cfg", {"taggers.names.phrases": "more.jsonl"})
    (saved / "more.jsonl").write_text('{"label": "NEW", "phrase": "x"}')
    assert Pipeline.from_config(changed).prepare().heads["names"].stage.labels == ("NEW",)


def test_golden_answers_are_the_pipeline_s_own(pipeline, saved):
    recorded = (saved / "golden.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line)["text"] for line in recorded.split("\n")[:-1]] == list(golden.TEXTS)
    assert changed_answers(load(saved), recorded) == []
    assert changed_answers(load(saved, only=["names"]), recorded) == []


@pytest.mark.parametrize(("head", "folder"), [("ner", "taggers"), ("topic", "classifiers")])
def test_golden_answers_show_weights_that_changed(saved, head, folder):
    recorded = (saved / "golden.jsonl").read_text(encoding="utf-8")
    loaded = load(saved)
    file = saved / folder / head / "weights.npz"
    with np.load(file) as arrays:
        changed = dict(arrays) | {
            name: arrays[name]
            + np.float32(0.3)
            * np.cos(np.arange(arrays[name].size, dtype=np.float32)).reshape(arrays[name].shape)
            for name in arrays.files
            if arrays[name].dtype.kind == "f"
        }
    np.savez(file, **changed)
    loaded.heads[head].stage.from_disk(file.parent)
    found = changed_answers(loaded, recorded)
    assert found
    assert all(f": {head}: " in difference and "is now" in difference for difference in found)


@pytest.mark.parametrize(
    ("now", "alike"),
    [(0.5009, True), (0.502, False)],
)
def test_golden_scores_may_differ_by_a_thousandth(pipeline, now, alike):
    recorded = golden.record(pipeline.pipe(golden.TEXTS), pipeline.heads.values())
    lines = [json.loads(line) for line in recorded.split("\n")[:-1]]
    first = lines[0]["topic"]
    first["topic=food"] += now - 0.5
    changed = "".join(json.dumps(line) + "\n" for line in lines)
    assert (changed_answers(pipeline, changed) == []) is alike


def test_saving_is_possible_only_where_one_may_write(pipeline, tmp_path):
    if os.name != "posix" or os.geteuid() == 0:
        pytest.skip("the superuser may write anywhere")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(OSError, match="denied"):
        pipeline.save(closed / "toy")
