"""Training word vectors with gensim.

Word2Vec: Mikolov, Chen, Corrado, Dean: Efficient Estimation of Word Representations in Vector Space, 2013.
fastText: Bojanowski, Grave, Joulin, Mikolov: Enriching Word Vectors with Subword Information, TACL 2017.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from glossator.errors import DataError
from glossator.plugins.manager import PluginManager
from glossator_vectors.files.gensimfiles import GensimVectors, require_gensim
from glossator_vectors.files.vector_file import finish_folder
from glossator_vectors.folder.atomic import new_folder
from glossator_vectors.folder.metadata import VectorsMetadata
from glossator_vectors.folder.writer import Fault, VectorWriter
from glossator_vectors.training.progress import TrainingProgress
from glossator_vectors.training.settings import TrainingSettings
from glossator_vectors.training.tokenized_corpus import TokenizedCorpus

# With fastText's default of two million, every folder of width 128 would have a gigabyte; a few books have
# some 100,000 different n-grams.
BUCKETS = 200_000


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The result of training.

    Example:
        result = train_vectors(texts, Path("novels-128"), TrainingSettings(width=128))
        print(result.count, result.training_seconds)

    Attributes:
        count: Number of words with a vector.
        words: Number of words in the corpus.
        sentences: Number of sentences in the corpus.
        tokenizing_seconds: Duration of tokenizing.
        training_seconds: Duration of all epochs.
    """

    count: int
    words: int
    sentences: int
    tokenizing_seconds: float
    training_seconds: float


def train_vectors(
    texts: Iterable[str],
    output: Path,
    settings: TrainingSettings,
    *,
    lang: str = "en",
    source: str = "",
    licence: str = "",
    plugins: PluginManager | None = None,
    progress: TrainingProgress | None = None,
) -> TrainingResult:
    """Train vectors on texts and write them to a folder.

    Words are those of the tokenizer `spacy`, with their capitals.

    Args:
        texts: Texts, each small enough to be tokenized at once.
        output: The folder; an existing folder of vectors is replaced at the end.
        settings: The settings of training.
        lang: spaCy's language code.
        source: Description of the texts.
        licence: Licence of the vectors.
        plugins: Where the tokenizer is looked up; by default all that are installed.
        progress: Receives the progress.

    Raises:
        DataError: The texts have too few words.
        PluginError: gensim is not installed.
        UsageError: `output` holds something other than vectors.
    """
    require_gensim("training vectors")
    progress = progress or TrainingProgress()
    manager = plugins or PluginManager.from_environment()

    with new_folder(output) as folder, tempfile.TemporaryDirectory() as work:
        started = time.perf_counter()
        corpus = TokenizedCorpus(Path(work))
        corpus.add(texts, manager.make("tokenizer", "spacy", {"lang": lang}), progress.tokenized)
        tokenized = time.perf_counter()
        vectors = GensimVectors(train_model(corpus, settings, progress).wv)
        ended = time.perf_counter()
        count = _write(
            folder,
            vectors,
            VectorsMetadata(method=settings.method, source=source, licence=licence, lang=lang),
        )
    return TrainingResult(count, corpus.words, corpus.sentences, tokenized - started, ended - tokenized)


def train_model(corpus: TokenizedCorpus, settings: TrainingSettings, progress: TrainingProgress) -> Any:
    """Train and return a gensim model on a corpus."""
    counts = corpus.counts
    if not any(count >= settings.min_count for count in counts.values()):
        raise DataError(
            f"too little text: of {corpus.words:,} words none occurs {settings.min_count} times; "
            "add texts or lower --min-count"
        )

    model = _new_model(settings)
    model.build_vocab_from_freq(counts, corpus_count=corpus.sentences)
    progress.training_started(corpus.words * settings.epochs)
    model.train(
        _ReportingCorpus(corpus, progress),
        total_words=corpus.words,
        total_examples=corpus.sentences,
        epochs=settings.epochs,
    )
    return model


def _new_model(settings: TrainingSettings) -> Any:
    from gensim.models import FastText, Word2Vec

    kind, more = (FastText, {"bucket": BUCKETS}) if settings.method == "fasttext" else (Word2Vec, {})
    return kind(
        vector_size=settings.width,
        window=settings.window,
        min_count=settings.min_count,
        sg=int(settings.skip_gram),
        seed=settings.seed,
        workers=settings.workers,
        **more,
    )


class _ReportingCorpus:
    """A corpus that reports how far it has been read."""

    def __init__(self, corpus: TokenizedCorpus, progress: TrainingProgress) -> None:
        self._corpus = corpus
        self._progress = progress

    def __iter__(self) -> Iterator[list[str]]:
        return chain.from_iterable(self._blocks())

    def _blocks(self) -> Iterator[list[list[str]]]:
        for block in self._corpus.blocks():
            yield block
            self._progress.trained(sum(map(len, block)))


def _write(folder: Path, vectors: GensimVectors, metadata: VectorsMetadata) -> int:
    writer = VectorWriter(folder, vectors.width)
    try:
        for item in vectors:
            # only a number that is not finite: gensim diverged
            faults = [item] if isinstance(item, Fault) else writer.add(item)
            if faults:
                raise DataError(f"training failed: {faults[0].reason}; try another --seed")
        finish_folder(writer, metadata, vectors)
        return writer.count
    finally:
        writer.close()
