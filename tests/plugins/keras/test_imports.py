"""What is imported when: declaring stages and annotating load neither Keras nor TensorFlow."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import glossator_keras

ROOM = Path(glossator_keras.__file__).parent

HEAVY = ("tensorflow", "keras", "keras_hub", "onnx", "onnxruntime", "tf2onnx", "tokenizers", "safetensors")


def loaded_by(code: str) -> set[str]:
    """Run code in a fresh interpreter and return the top names of all modules it loaded."""
    report = "\nimport json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_hooks_import_nothing_heavy():
    code = "import glossator_keras; list(glossator_keras.glossator_taggers())"
    assert not loaded_by(code) & {*HEAVY, "spacy", "numpy", "thinc"}


def test_the_plugin_declares_its_stages_by_entry_point():
    code = """
from glossator.plugins.manager import PluginManager
manager = PluginManager.from_environment()
assert manager.find("tagger", "bilstm-crf").plugin.name == "glossator-keras"
assert manager.find("embedder", "bert").plugin.name == "glossator-keras"
assert manager.find("tagger", "glossator-keras/bilstm-crf").record.name == "bilstm-crf"
"""
    assert not loaded_by(code) & {*HEAVY, "spacy", "numpy", "thinc"}


def test_what_annotates_can_be_imported_without_keras():
    modules = ("models.bilstm_crf", "encoding.hashed_words", "inference.runtime")
    modules += ("network", "stage_network", "tagger")
    modules += ("bert.embedder", "bert.tagger", "bert.classifier", "bert.backbone", "bert.heads")
    assert not loaded_by("\n".join(f"import glossator_keras.{module}" for module in modules)) & set(HEAVY)


def test_building_a_stage_loads_no_framework():
    code = """
from glossator.pipeline.pipeline import Pipeline
pipeline = Pipeline("en").add_tagger("ner", "bilstm-crf", write="ents", width=8)
pipeline.add_embedder("words", "bert", checkpoint="any")
pipeline.add_tagger("pos", "bert", write="pos", checkpoint="any")
"""
    assert not loaded_by(code) & set(HEAVY)


def imported_by(file: Path, modules: dict[str, Path]) -> set[str]:
    """The modules of the plugin that a file imports anywhere, also for types and inside functions."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in modules else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & modules.keys()


def test_no_modules_import_each_other():
    modules = {
        ".".join(["glossator_keras", *file.relative_to(ROOM).with_suffix("").parts]): file
        for file in ROOM.rglob("*.py")
        if file.name != "__init__.py"
    }
    imports = {name: imported_by(file, modules) for name, file in modules.items()}
    assert sum(map(len, imports.values())) > 100
    order = list(TopologicalSorter(imports).static_order())  # which raises at a circle
    assert order.index("glossator_keras.keras_stage") < order.index("glossator_keras.tagger")
