"""Measure a BERT: what annotating keeps of its network's speed, and how it stands beside PyTorch.

The first yardstick is ONNX Runtime alone: what annotating the same texts had it run, in the batches that were
made then, on sessions from the same code, as many side by side as there are processors. The second, with
`--torch-python`, is `transformers` on PyTorch, in an environment and a process of its own and on as many
threads. It gets the sequences that ours reads, and is not asked to find them. Ours and each of these run in
turns. Words are spaCy's tokens, and the same for all.

`--states` sets the hidden states beside those of BERT's definition in numpy.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import onnxruntime
import throughput
from numpy_bert import NumpyBert
from rich.console import Console
from rich.table import Table
from spacy.tokens import Doc

import glossator
from glossator.data.corpora import corpus, read_split
from glossator.data.examples import record_doc
from glossator.errors import DataError
from glossator.pipeline.pipeline import Pipeline
from glossator_keras.bert.checkpoint import open_checkpoint

STATES_BAR = 1e-4
CORPUS, SENTENCES = "ud_ewt", 200
THREADS = os.cpu_count() or 1
TORCH = Path(__file__).with_name("bert_torch.py")

Run = Callable[[], Any]  # has a session of ONNX Runtime run one batch


@dataclass(frozen=True, slots=True)
class Annotated:
    """What annotating some texts came to.

    Attributes:
        words: Tokens of all texts.
        sequences: What BERT read at a time: sentences, or whole texts where only classifiers do.
        runs: All that ONNX Runtime was asked to run.
    """

    words: int
    sequences: list[str]
    runs: list[Run]


@click.command()
@click.argument("texts", metavar="[TEXT]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--pipeline", type=click.Path(path_type=Path), help="Ours: a folder.")
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), help="The BERT in it: a folder of Hugging Face's."
)
@click.option("--torch-python", type=click.Path(path_type=Path), help="A Python with torch and transformers.")
@click.option("--paragraphs", default=500, show_default=True, help="Stop after so many of the texts.")
@click.option("--rounds", default=5, show_default=True, help="How often each runs.")
@click.option("--states", is_flag=True, help=f"Compare hidden states on {SENTENCES} sentences of {CORPUS}.")
@click.option("--corpora", type=click.Path(path_type=Path), help="The folder of the public corpora.")
def main(
    texts: tuple[Path, ...],
    pipeline: Path | None,
    checkpoint: Path | None,
    torch_python: Path | None,
    paragraphs: int,
    rounds: int,
    states: bool,
    corpora: Path | None,
) -> None:
    """Annotate the paragraphs of each TEXT, blank lines between them; or compare hidden states."""
    if bool(texts) != bool(pipeline) or not (texts or states):
        raise click.UsageError("name texts and a --pipeline that annotates them, or give --states")
    if (states or torch_python) and checkpoint is None:
        raise click.UsageError("--states and --torch-python need a --checkpoint")
    far = states and checkpoint is not None and are_states_far(checkpoint, corpora)
    if pipeline is not None:
        documents = throughput.read_paragraphs(texts, paragraphs)
        peer = (torch_python, checkpoint) if torch_python and checkpoint else None
        Console().print(speed(pipeline, documents, peer, rounds))
    sys.exit(1 if far else 0)


def are_states_far(checkpoint: Path, corpora: Path | None) -> bool:
    """Print how far hidden states are from those of the definition; return whether that is too far."""
    pipeline = Pipeline("en").add_embedder("bert", "bert", checkpoint=str(checkpoint.resolve()))
    pipeline.tensor = "bert"
    docs = gold_sentences(pipeline.prepare(), corpora)
    pipeline.annotate(docs)
    reference = NumpyBert(checkpoint)
    pieces = open_checkpoint(str(checkpoint.resolve()), Path()).tokenizer
    differences = [
        np.abs(doc.tensor - reference.of_words(pieces.cut([t.text for t in doc]), pieces.cls, pieces.sep))
        for doc in docs
    ]
    furthest = float(np.concatenate(differences).max())
    click.echo(f"hidden states of {sum(map(len, docs)):,} words in {len(docs)} sentences of {CORPUS}")
    click.echo(f"largest absolute difference {furthest:.1e}, at most {STATES_BAR:.0e}")
    return not furthest <= STATES_BAR  # nor is NaN near


def gold_sentences(pipeline: Pipeline, corpora: Path | None) -> list[Doc]:
    """Return the first sentences of the test set on their gold tokens, without annotations."""
    records = read_split(corpus(CORPUS), "test", root=corpora, plugins=pipeline.plugins)
    whole = (record for record in records if not isinstance(record, DataError))
    return [record_doc(record, pipeline.tokenizer) for record in islice(whole, SENTENCES)]


def speed(folder: Path, documents: Sequence[str], peer: tuple[Path, Path] | None, rounds: int) -> Table:
    """Let ours annotate the texts beside its network alone and beside the peer: a Python and a checkpoint."""
    work = annotate(folder, documents)
    ours = partial(annotating_seconds, folder, documents)
    table = Table("beside", "glossator, words/s", "it, words/s", "ratio")
    table.title = f"{len(documents):,} paragraphs, {len(work.sequences):,} sequences, {work.words:,} words"
    table.caption = f"medians of {rounds} rounds in turns; a ratio above 1: glossator is faster"

    bare = throughput.in_turns(ours, partial(bare_seconds, work.runs), rounds)
    add_row(table, f"ONNX Runtime alone, {len(work.runs):,} batches", work.words, bare)
    if peer:
        with torch_process(*peer, work.sequences) as (name, seconds_of):
            for order in ("unsorted", "sorted"):
                laps = throughput.in_turns(ours, partial(seconds_of, order), rounds)
                add_row(table, f"{name}, {order}", work.words, laps)
    return table


def add_row(table: Table, name: str, words: int, laps: Sequence[tuple[float, float]]) -> None:
    """Add the median words/s of ours and of another, and the ratio, from (ours, other) seconds."""
    rates = zip(*((words / mine, words / other) for mine, other in laps), strict=True)
    ratio = throughput.with_range([other / mine for mine, other in laps])
    table.add_row(name, *(f"{median(side):,.0f}" for side in rates), ratio)


def annotate(folder: Path, documents: Sequence[str]) -> Annotated:
    """Annotate texts and tell what that came to; it warms up what is loaded once a process, too."""
    with recorded() as runs:
        pipeline = glossator.load(folder)
        docs = list(pipeline.pipe(documents))
    if not runs:
        raise click.ClickException(f"{folder}: annotating had ONNX Runtime run nothing")
    cut = bool(pipeline.embedders) or any(head.config.kind == "tagger" for head in pipeline.heads.values())
    texts = [part for doc in docs for part in (sentences(doc) if cut else [doc.text])]
    return Annotated(sum(map(len, docs)), [text for text in texts if text.strip()], runs)


def sentences(doc: Doc) -> list[str]:
    """Return the texts of a Doc's sentences; one that says nothing of sentences is one."""
    return [span.text for span in doc.sents] if doc.has_annotation("SENT_START") else [doc.text]


@contextmanager
def recorded() -> Iterator[list[Run]]:
    """Collect what sessions of ONNX Runtime that are made inside are asked to run."""
    runs: list[Run] = []
    original = onnxruntime.InferenceSession

    class Recording(onnxruntime.InferenceSession):  # type: ignore[misc]
        def run(self, *arguments: Any) -> Any:
            runs.append(partial(super().run, *arguments))
            return runs[-1]()

    onnxruntime.InferenceSession = Recording
    try:
        yield runs
    finally:
        onnxruntime.InferenceSession = original


def annotating_seconds(folder: Path, documents: Sequence[str]) -> float:
    """Return how long a pipeline, loaded afresh, takes from texts to Docs."""
    pipeline = glossator.load(folder)
    started = time.perf_counter()
    for _ in pipeline.pipe(documents):
        pass
    return time.perf_counter() - started


def bare_seconds(runs: Sequence[Run]) -> float:
    """Return how long ONNX Runtime takes for all batches, one a processor at a time."""
    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(lambda run: run(), runs):
            pass
    return time.perf_counter() - started


@contextmanager
def torch_process(
    python: Path, checkpoint: Path, texts: Sequence[str]
) -> Iterator[tuple[str, Callable[[str], float]]]:
    """Start PyTorch; give its name, and what returns its seconds for the texts, "sorted" or "unsorted"."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.json"
        file.write_text(json.dumps(texts), encoding="utf-8")
        command = [str(part) for part in (python, TORCH, checkpoint, file, THREADS)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, encoding="utf-8") as process:
            yield answer(process), lambda order: float(answer(process, order))


def answer(process: subprocess.Popen[str], question: str = "") -> str:
    """Return the next line that a process prints, after a question if there is one."""
    assert process.stdin is not None
    assert process.stdout is not None
    if question:
        print(question, file=process.stdin, flush=True)
    line = process.stdout.readline()
    if not line:
        raise click.ClickException("PyTorch's process ended before it was done")
    return line.strip()


if __name__ == "__main__":
    main()
