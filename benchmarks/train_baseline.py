"""Train one baseline on the training set of a corpus and save it: what `baselines.py` runs and measures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import peer
from baseline_stages import CrfSuite, LinearClassifier
from scoring import read_examples, stage_pipeline

from glossator.config.schema import DataConfig
from glossator.data.corpora import corpus
from glossator.stages import Vectors, VectorSpace

if TYPE_CHECKING:
    from glossator.pipeline.pipeline import Pipeline

FIT_SECONDS = "fit_seconds.txt"  # a file in the folder of a trained baseline


@click.command()
@click.argument("name", metavar="CORPUS")
@click.argument("layer")
@click.argument("folder", type=click.Path(path_type=Path))
def main(name: str, layer: str, folder: Path) -> None:
    """Train the baseline for a LAYER of a CORPUS and save it to FOLDER."""
    pipeline = baseline_pipeline(name, layer)
    seconds = fit(pipeline)
    (head,) = pipeline.heads.values()
    folder.mkdir(parents=True)
    head.stage.to_disk(folder)
    (folder / FIT_SECONDS).write_text(f"{seconds:.2f}\n", encoding="utf-8")


def baseline_pipeline(name: str, layer: str) -> Pipeline:
    """Return the untrained baseline for a layer of a corpus, as a pipeline."""
    known = corpus(name)
    return new_baseline(layer, known.lang, DataConfig(corpus=name), exclusive=peer.excludes_others(known))


def new_baseline(
    layer: str, lang: str, data: DataConfig, *, exclusive: bool = True, folder: Path = Path()
) -> Pipeline:
    """Return an untrained baseline for a layer; `exclusive` says whether a document has one category."""
    factory = (lambda **settings: LinearClassifier(exclusive)) if layer == "cats" else CrfSuite
    return stage_pipeline(factory, layer, lang, data, folder)


def fit(pipeline: Pipeline) -> float:
    """Let a baseline learn from its training set; return the seconds that took, without reading it."""
    (head,) = pipeline.heads.values()
    examples = read_examples(pipeline, "train")
    started = time.perf_counter()
    head.stage.fit(examples, Vectors(VectorSpace(), []), seed=0)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
