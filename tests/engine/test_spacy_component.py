"""Stages as components of spaCy pipelines, trained by spaCy's own means."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

from glossator.errors import ConfigError

CITIES, PEOPLE = ("Lisbon", "Oslo", "Bergen"), ("Ana", "Joe")


def gold_docs(nlp: Language, count: int) -> list[Doc]:
    docs = []
    for i in range(count):
        city, person = CITIES[i % 3], PEOPLE[i % 2]
        doc = nlp.make_doc(f"{person} went to {city} today.")
        doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 3, 4, "LOC")]
        for token, tag in zip(doc, ("NNP", "VBD", "IN", "NNP", "NN", "."), strict=True):
            token.tag_ = tag
        doc.cats = {"north": float(city != "Lisbon"), "south": float(city == "Lisbon")}
        docs.append(doc)
    return docs


def trained(config: dict[str, object], steps: int = 30) -> tuple[Language, list[float]]:
    nlp = spacy.blank("en")
    nlp.add_pipe("glossator", name="part", config=config)
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in gold_docs(nlp, 24)]
    nlp.initialize(lambda: examples)
    losses = []
    for _ in range(steps):
        step: dict[str, float] = {}
        nlp.update([Example(nlp.make_doc(e.text), e.reference) for e in examples], losses=step)
        losses.append(step["part"])
    return nlp, losses


@pytest.mark.parametrize(
    ("config", "score"),
    [
        ({"stage": "crf", "write": "ents"}, "ents_f"),
        ({"stage": "crf", "write": "tag"}, "tag_acc"),
        ({"stage": "builtin/linear", "kind": "classifier"}, "cats_macro_f"),
    ],
)
def test_update_learns_and_the_whole_goes_to_disk_and_back(tmp_path, config, score):
    nlp, losses = trained(config)
    assert losses[-1] < losses[0]
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in gold_docs(nlp, 24)]
    assert nlp.evaluate(examples)[score] > 0.9
    nlp.to_disk(tmp_path / "nlp")
    nlp.to_disk(tmp_path / "nlp")  # over what is there
    again = spacy.load(tmp_path / "nlp")
    texts = [example.text for example in examples]
    for one, other in zip(nlp.pipe(texts), again.pipe(texts), strict=True):
        assert one.cats == other.cats
        assert one.spans.to_bytes() == other.spans.to_bytes()
        assert [(t.tag_, t.ent_type_) for t in one] == [(t.tag_, t.ent_type_) for t in other]
    assert again.get_pipe("part").labels == nlp.get_pipe("part").labels != ()


def test_one_doc_and_a_stream_agree_in_order():
    nlp, _ = trained({"stage": "crf", "write": "ents"}, steps=15)
    texts = [f"Ana went to Oslo {i} times." for i in range(10)]
    streamed = [(doc.text, [str(ent) for ent in doc.ents]) for doc in nlp.pipe(texts, batch_size=3)]
    assert streamed == [(doc.text, [str(ent) for ent in doc.ents]) for doc in map(nlp, texts)]


def test_gold_tokenized_otherwise_is_aligned():
    nlp = spacy.blank("en")
    nlp.add_pipe("glossator", name="part")
    gold = Doc(nlp.vocab, words=["Ana-Maria", "sails", "."], ents=["B-PER", "O", "O"])
    example = Example(nlp.make_doc("Ana-Maria sails ."), gold)
    assert [token.text for token in example.predicted][:3] == ["Ana", "-", "Maria"]
    nlp.initialize(lambda: [example])
    for _ in range(40):
        nlp.update([Example(nlp.make_doc("Ana-Maria sails ."), gold)])
    assert [(ent.text, ent.label_) for ent in nlp("Ana-Maria sails .").ents] == [("Ana-Maria", "PER")]


def test_the_seed_decides(stepwise):
    same = [trained({"stage": "stepwise", "seed": 4}, steps=3)[1] for _ in range(2)]
    assert same[0] == same[1] != trained({"stage": "stepwise", "seed": 5}, steps=3)[1]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"kind": "tokenizer"}, "kind = 'tokenizer': use 'tagger' or 'classifier'"),
        ({"stage": "gazetteer"}, "does not learn in steps"),
        ({"write": "lemma"}, "a tagger writes"),
        ({"settings": {"widht": 3}}, "has no setting 'widht'"),
    ],
)
def test_what_cannot_be_a_component_is_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        spacy.blank("en").add_pipe("glossator", config=config)


def test_importing_the_component_is_light():
    code = "import spacy.language, sys; before = set(sys.modules); import glossator.spacy_component; "
    code += "print(*sorted(m for m in set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    added = done.stdout.split()
    assert "glossator.spacy_component" in added
    heavy = (
        "glossator.pipeline.pipeline",
        "glossator.builtin",
        "glossator.plugins.manager",
        "glossator.pipeline.folder",
        "rich",
    )
    assert not [name for name in added if name.startswith(heavy)]


CONFIG = """
[paths]
train = null
dev = null

[nlp]
lang = "en"
pipeline = ["people"]

[components]

[components.people]
factory = "glossator"
stage = "crf"
write = "ents"

[training]
max_steps = 30
eval_frequency = 10

[training.logger]
@loggers = "spacy.ConsoleLogger.v1"
"""


@pytest.mark.slow
def test_spacy_train(tmp_path: Path):
    nlp = spacy.blank("en")
    for split, count in (("train", 24), ("dev", 9)):
        DocBin(docs=gold_docs(nlp, count)).to_disk(tmp_path / f"{split}.spacy")
    (tmp_path / "base.cfg").write_text(CONFIG)
    paths = ("--paths.train", "train.spacy", "--paths.dev", "dev.spacy")
    for command in (
        ("init", "fill-config", "base.cfg", "full.cfg"),
        ("train", "full.cfg", "-o", "out", *paths),
        ("evaluate", "out/model-best", "dev.spacy", "-o", "scores.json"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "spacy", *command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    best = spacy.load(tmp_path / "out" / "model-best")
    assert [(ent.text, ent.label_) for ent in best("Joe went to Bergen today.").ents] == [
        ("Joe", "PER"),
        ("Bergen", "LOC"),
    ]
    # what spaCy chose it by is the score of its entities
    assert best.meta["performance"]["ents_f"] > 0.9
