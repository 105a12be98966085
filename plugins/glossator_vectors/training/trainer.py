"""Training vectors of words by gensim.

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

from glossator.builtin.tokenizers import SpacyTokenizer
from glossator.errors import DataError
from glossator_vectors.files.gensimfiles import GensimVectors, need_gensim
from glossator_vectors.files.vector_file import finish_folder
from glossator_vectors.folder.atomic import new_folder
from glossator_vectors.folder.metadata import Facts
from glossator_vectors.folder.writer import Fault, VectorWriter
from glossator_vectors.training.progress import TrainingView
from glossator_vectors.training.settings import TrainingSettings
from glossator_vectors.training.tokenized_corpus import TokenizedCorpus

# fastText's own two million would make every folder of width 128 a gigabyte; a few books have some
# 100,000 different n-grams.
BUCKETS = 200_000


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training.

    Attributes:
        count: Words with a vector.
        words: Words of the corpus.
        sentences: Sentences of the corpus.
        tokenizing_seconds: What tokenizing took.
        training_seconds: What all epochs took.
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
    view: TrainingView | None = None,
) -> Trained:
    """Train vectors on texts and write them to a folder.

    Words are taken as they stand, capitals kept, as the tokenizer `spacy` cuts them.

    Args:
        texts: Texts, each small enough to be tokenized at once.
        output: The folder; one of vectors that is there is replaced at the end.
        settings: How they are trained.
        lang: spaCy's language code.
        source: What the texts are.
        licence: Of the vectors.
        view: Hears how it goes.

    Raises:
        DataError: The texts hold too few words.
        PluginError: gensim is not installed.
        UsageError: `output` holds something that is no folder of vectors.
    """
    need_gensim("training vectors")
    view = view or TrainingView()
    with new_folder(output) as folder, tempfile.TemporaryDirectory() as work:
        started = time.perf_counter()
        corpus = TokenizedCorpus(Path(work))
        corpus.add(texts, SpacyTokenizer(lang), view.tokenized)
        tokenized = time.perf_counter()
        vectors = GensimVectors(learn(corpus, settings, view).wv)
        ended = time.perf_counter()
        count = _write(
            folder, vectors, Facts(method=settings.method, source=source, licence=licence, lang=lang)
        )
    return Trained(count, corpus.words, corpus.sentences, tokenized - started, ended - tokenized)


def learn(corpus: TokenizedCorpus, settings: TrainingSettings, view: TrainingView) -> Any:
    """Return the gensim model that has learned from a corpus."""
    counts = corpus.counts
    if not any(count >= settings.min_count for count in counts.values()):
        raise DataError(
            f"nothing to learn from: of {corpus.words:,} words none occurs {settings.min_count} times; "
            "give more text or a lower --min-count"
        )
    model = _new_model(settings)
    model.build_vocab_from_freq(counts, corpus_count=corpus.sentences)
    view.training(corpus.words * settings.epochs)
    model.train(
        _Told(corpus, view), total_words=corpus.words, total_examples=corpus.sentences, epochs=settings.epochs
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


class _Told:
    """A corpus that tells how far it was read."""

    def __init__(self, corpus: TokenizedCorpus, view: TrainingView) -> None:
        self._corpus = corpus
        self._view = view

    def __iter__(self) -> Iterator[list[str]]:
        return chain.from_iterable(self._blocks())

    def _blocks(self) -> Iterator[list[list[str]]]:
        for block in self._corpus.blocks():
            yield block
            self._view.trained(sum(map(len, block)))


def _write(folder: Path, vectors: GensimVectors, facts: Facts) -> int:
    writer = VectorWriter(folder, vectors.width)
    try:
        for item in vectors:
            # gensim diverges to what is not finite only with settings nobody has here
            faults = [item] if isinstance(item, Fault) else writer.add(item)
            if faults:
                raise DataError(f"training failed: {faults[0].reason}; try another --seed")
        finish_folder(writer, facts, vectors)
        return writer.count
    finally:
        writer.close()
