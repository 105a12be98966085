"""Train spaCy's own component on a corpus of the manifest, and keep its scores on the test set.

The peer sees what Glossator's recipes see: the same documents from the same files, and for `ner` and
`tagger` the same sentences on the gold tokens. Its settings are those of `spacy init config --optimize
efficiency`, for `textcat` those of `--optimize accuracy` too, on the CPU, without pretrained vectors.
Universal parts of speech are learned as `tag`, the layer of spaCy's `tagger`.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import click
import numpy_products
from spacy.about import __version__ as spacy_version
from spacy.tokens import Doc, DocBin

from glossator.annotations.layer import Layer
from glossator.builtin.tokenizers import SpacyTokenizer
from glossator.data.alignment import AlignmentReport
from glossator.data.corpora import Corpus, corpus, read_split
from glossator.data.examples import gold_example, has_gold
from glossator.errors import ConfigError, DataError
from glossator.plugins.manager import PluginManager

SCORES_FILE = Path(__file__).with_name("peer_scores.json")
PRODUCTS_FILE = Path(numpy_products.__file__).resolve()
SPLITS = ("train", "dev", "test")
OPTIMIZED = ("efficiency", "accuracy")


@dataclass(frozen=True, slots=True)
class Component:
    """A trainable component of spaCy, the layer of the corpus it learns, and the scores to keep.

    Attributes:
        name: What spaCy calls it.
        layer: Where the gold is.
        scores: Which of spaCy's scores to keep.
        entry: What it is called among the scores and folders: two may be of one kind.
        optimize: What spaCy chooses its settings for, "efficiency" or "accuracy".
    """

    name: str
    layer: str
    scores: tuple[str, ...]
    entry: str
    optimize: str = "efficiency"


# by what the manifest calls the task
COMPONENTS = {
    "ner": Component("ner", "ents", ("ents_p", "ents_r", "ents_f"), "ner"),
    "pos": Component("tagger", "pos", ("tag_acc",), "tagger"),
}
XPOS = Component("tagger", "tag", ("tag_acc",), "tagger-xpos")
CATEGORIES = frozenset({"sentiment", "subjectivity", "intent", "emotion", "spam"})


@click.command()
@click.argument("names", metavar="CORPUS...", nargs=-1, required=True)
@click.option("--corpora", type=click.Path(path_type=Path), help="Folder of corpora (or GLOSSATOR_CORPORA).")
@click.option(
    "-o",
    "--output",
    default=SCORES_FILE,
    type=click.Path(path_type=Path),
    help="JSON file that gets the scores, beside those it has; by default the one beside this script.",
)
@click.option("--work", type=click.Path(path_type=Path), help="Folder that keeps data and models.")
@click.option("--xpos", is_flag=True, help="Learn the corpus' own parts of speech, not the universal ones.")
@click.option(
    "--optimize",
    type=click.Choice(OPTIMIZED),
    multiple=True,
    default=OPTIMIZED,
    show_default=True,
    help="What spaCy chooses a classifier's settings for; taggers have the first alone.",
)
@click.option(
    "--numpy-products",
    "with_numpy",
    is_flag=True,
    help="Train with numpy's matrix products, not BLIS': faster.",
)
@click.option("--max-steps", type=int, help="Cut the training short: for trying the script only.")
def main(
    names: tuple[str, ...],
    corpora: Path | None,
    output: Path,
    work: Path | None,
    xpos: bool,
    optimize: tuple[str, ...],
    with_numpy: bool,
    max_steps: int | None,
) -> None:
    """Train spaCy on each CORPUS and write its scores on the test set to a JSON file."""
    extra = extra_arguments(with_numpy, max_steps)
    with ExitStack() as stack:
        folder = work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in names:
            for component in [XPOS] if xpos else components(corpus(name), optimize):
                entry = train_peer(corpus(name), component, folder, corpora, extra)
                merge(output, name, component.entry, entry)
                click.echo(f"{name} {component.entry}: {json.dumps(entry['scores'])}")


def components(known: Corpus, optimize: Sequence[str] = OPTIMIZED) -> list[Component]:
    """Return what can be trained on a corpus; raise `ConfigError` if it is nothing."""
    found = [COMPONENTS[task] for task in known.task.split("+") if task in COMPONENTS]
    if known.task in CATEGORIES:
        found = [classifier(known, wanted) for wanted in optimize]
    if not found:
        raise ConfigError(f"corpus {known.name!r} has no entities, parts of speech or categories")
    return found


def classifier(known: Corpus, optimize: str) -> Component:
    """Return the classifier for a corpus; where a cell holds several labels, one for any number of them."""
    return Component(
        name="textcat" if excludes_others(known) else "textcat_multilabel",
        layer="cats",
        scores=("cats_micro_f", "cats_macro_f"),
        entry=f"textcat-{optimize}",
        optimize=optimize,
    )


def excludes_others(known: Corpus) -> bool:
    """Whether a document of a corpus has exactly one category: its cells hold no several labels."""
    return "label_separator" not in known.options


def train_peer(
    known: Corpus, component: Component, work: Path, corpora: Path | None, extra: Sequence[str] = ()
) -> dict[str, Any]:
    """Train and evaluate one component; its data and model stay in `work`/CORPUS-ENTRY.

    `extra` are more arguments of `spacy train`.
    """
    folder = peer_folder(known, component, work)
    write_gold(known, component, folder, corpora)
    init, train, evaluate = commands(known.lang, component, extra)
    run(init, folder)
    started, cpu_started = time.perf_counter(), cpu_seconds_of_children()
    run(train, folder)
    seconds, cpu_seconds = time.perf_counter() - started, cpu_seconds_of_children() - cpu_started
    run(evaluate, folder)
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    return {
        "scores": {name: round(scores[name], 5) for name in component.scores},
        "training_seconds": round(seconds, 1),
        "training_cpu_seconds": round(cpu_seconds, 1),
        "words_per_second": round(scores["speed"]),
        "spacy": spacy_version,
        "commands": [shown(command) for command in (init, train, evaluate)],
        "date": date.today().isoformat(),
    }


def shown(command: Sequence[str]) -> str:
    """Return a command as one would type it, files beside this script by name."""
    return shlex.join(["python", *(part.removeprefix(f"{PRODUCTS_FILE.parent}{os.sep}") for part in command)])


def peer_folder(known: Corpus, component: Component, work: Path) -> Path:
    """Return the folder of a component's data and model."""
    return work / f"{known.name}-{component.entry}"


def write_gold(known: Corpus, component: Component, folder: Path, corpora: Path | None) -> None:
    """Write what spaCy trains on and is scored on as DocBins.

    Documents of no category that there is in training are left out: its classifiers know nothing of such.
    """
    folder.mkdir(parents=True, exist_ok=True)
    labels: set[str] = set()
    for split in SPLITS:
        docs = list(gold_docs(known, split, component.layer, corpora))
        if split == "train":
            labels = {label for doc in docs for label in doc.cats}
        docs = [doc for doc in docs if not labels or any(doc.cats.get(label) for label in labels)]
        for doc in docs:
            spell_out(doc, labels)
        store(docs, folder / f"{split}.spacy")


def store(docs: Sequence[Doc], path: Path) -> None:
    """Write Docs with what the components learn to a DocBin."""
    DocBin(docs=docs, attrs=["ENT_IOB", "ENT_TYPE", "TAG", "SENT_START"]).to_disk(path)


def spell_out(doc: Doc, labels: Collection[str]) -> None:
    """Say of each category that the gold does not name that it does not hold, as spaCy wants it."""
    doc.cats = {label: doc.cats.get(label, 0.0) for label in sorted(labels)}


def gold_docs(known: Corpus, split: str, layer: str, corpora: Path | None) -> Iterator[Doc]:
    """Yield the sentences of a split on their gold tokens, annotated on one layer.

    Universal parts of speech come as `tag`.
    """
    tokenizer = SpacyTokenizer(known.lang)  # gives the vocab; the tokens are the corpus' own
    report = AlignmentReport()
    for record in read_split(known, split, root=corpora, plugins=PluginManager.from_environment()):
        if isinstance(record, DataError):
            click.echo(f"left out: {record}", err=True)
        elif has_gold(record, Layer.parse(layer)):
            doc = gold_example(record, Layer.parse(layer), tokenizer, report).reference
            if layer == "pos":
                for token in doc:
                    token.tag_ = token.pos_
            yield doc
    if report.repaired or report.impossible:
        click.echo(report.summary(), err=True)


def extra_arguments(with_numpy: bool, max_steps: int | None) -> list[str]:
    """Return the arguments of `spacy train` that options ask for."""
    arguments = []
    if with_numpy:
        arguments += ["--code", str(PRODUCTS_FILE)]
        arguments += ["--initialize.before_init", json.dumps({"@callbacks": numpy_products.NAME})]
    if max_steps:
        arguments += ["--training.max_steps", str(max_steps)]
    return arguments


def commands(
    lang: str, component: Component, extra: Sequence[str] = ()
) -> tuple[list[str], list[str], list[str]]:
    """Return the arguments of Python that make the config, train, and score the best model.

    `gold_preproc` makes spaCy's taggers learn and answer on the gold tokens instead of its own.
    """
    init = ["init", "config", "config.cfg", "--lang", lang, "--pipeline", component.name]
    init += ["--optimize", component.optimize, "--force"]
    train = ["train", "config.cfg", "--output", "model"]
    for split in ("train", "dev"):
        train += [f"--paths.{split}", f"{split}.spacy"]
    evaluate = ["evaluate", "model/model-best", "test.spacy", "--output", "scores.json"]
    if component.layer != "cats":
        train += ["--corpora.train.gold_preproc", "true", "--corpora.dev.gold_preproc", "true"]
        evaluate += ["--gold-preproc"]
    if component.optimize == "accuracy":
        train += ["--paths.vectors", "null"]
        train += ["--components.tok2vec.model.embed.include_static_vectors", "false"]
    return ["-m", "spacy", *init], ["-m", "spacy", *train, *extra], ["-m", "spacy", *evaluate]


def run(arguments: Sequence[str], folder: Path) -> None:
    """Run Python with arguments in a folder; raise `CalledProcessError` if it fails."""
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True)


def cpu_seconds_of_children() -> float:
    """Return the processor time of all finished child processes (0 where the system does not say)."""
    times = os.times()
    return times.children_user + times.children_system


def merge(path: Path, name: str, component: str, entry: dict[str, Any]) -> None:
    """Put one entry into the JSON file, in place of an older one of the same corpus and component."""
    entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    entries.setdefault(name, {})[component] = entry
    path.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
