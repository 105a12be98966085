"""Static vectors out of a model that reads contexts: each word by itself, then its main directions.

The idea is model2vec's (Tulkens and van Dongen 2024). Principal components: Pearson 1901. Frequency weights:
Arora, Liang and Ma, "A simple but tough-to-beat baseline for sentence embeddings", ICLR 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from spacy.tokens import Doc

from glossator.errors import DataError, UsageError
from glossator_vectors.distillation.ngram_fitting import MAX_N, MIN_N, check_scipy, fit_ngrams
from glossator_vectors.folder.atomic import new_folder
from glossator_vectors.folder.metadata import Facts
from glossator_vectors.folder.writer import Rows, VectorWriter

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.vocab import Vocab

    from glossator.stages import Embedder

    Floats = NDArray[np.float32]

WORDS_AT_ONCE = 2_000
SMOOTHING = 1e-3  # from which frequency on a word counts for less than half


@dataclass(frozen=True, slots=True)
class Distilled:
    """What came of it.

    Attributes:
        count: Words with a vector.
        width: Numbers in a vector.
        kept: Share of the model's variance that its main directions hold.
    """

    count: int
    width: int
    kept: float


def distil_vectors(
    embedder: Embedder,
    vocab: Vocab,
    counts: Mapping[str, int],
    output: Path,
    *,
    width: int,
    weighted: bool = False,
    subwords: bool = False,
    source: str = "",
    licence: str = "",
    on_words: Callable[[int], None] = lambda words: None,
) -> Distilled:
    """Write the vectors of words, each as an embedder gives it to the word by itself.

    Args:
        embedder: The model.
        vocab: Of the Docs it is given.
        counts: The words, and how often each occurs.
        output: The folder; one of vectors that is there is replaced at the end.
        width: Numbers in a vector: so many principal components are kept, as they lie.
        weighted: Whether frequent words get shorter vectors.
        subwords: Whether character n-grams get vectors, too, from which those of other words are made.
        source: What they are made from.
        licence: Of the vectors.
        on_words: Hears how many words are done.

    Raises:
        DataError: There is no word.
        StageError: `subwords`, and scipy is not installed.
        UsageError: `output` holds something else, or the model is narrower than `width`.
    """
    words = [word for word in counts if word.strip()]
    if not words:
        raise DataError("there are no words to make vectors of")
    if not 1 <= width <= embedder.width:
        raise UsageError(f"--width {width}: the model gives {embedder.width} numbers a word, at most so many")
    if subwords:
        check_scipy()
    with new_folder(output) as folder:  # what cannot be is found before the model works for minutes
        rows = embed_words(embedder, vocab, words, on_words)
        reduced, kept = principal_components(rows, width)
        if weighted:
            reduced *= frequency_weights([counts[word] for word in words])[:, None]
        writer = VectorWriter(folder, width)
        try:
            writer.add(Rows(words, reduced, range(1, len(words) + 1)))
            facts = Facts(method="distilled", source=source, licence=licence)
            if subwords:
                writer.add_buckets(fit_ngrams(words, reduced))
                facts = replace(facts, subwords={"min_n": MIN_N, "max_n": MAX_N})
            writer.finish(facts)
            return Distilled(writer.count, width, kept)
        finally:
            writer.close()


def embed_words(
    embedder: Embedder, vocab: Vocab, words: Sequence[str], on_words: Callable[[int], None]
) -> Floats:
    """Return the (words, embedder.width) vectors of words, each in a Doc of its own."""
    rows = np.empty((len(words), embedder.width), dtype=np.float32)
    for start in range(0, len(words), WORDS_AT_ONCE):
        some = words[start : start + WORDS_AT_ONCE]
        answers = embedder.embed([Doc(vocab, words=[word]) for word in some])
        rows[start : start + len(some)] = np.concatenate([np.asarray(answer)[:1] for answer in answers])
        on_words(start + len(some))
    return rows


def principal_components(rows: Floats, width: int) -> tuple[Floats, float]:
    """Return the (n, width) coordinates of centred rows along their main directions, and the variance kept.

    Directions keep their lengths: those in which words differ most count most. Which way one points is fixed
    by its largest number, so that the same rows give the same coordinates everywhere.
    """
    centred = rows - rows.mean(axis=0)
    covariance = centred.T.astype(np.float64) @ centred.astype(np.float64)
    values, directions = np.linalg.eigh(covariance)
    chosen = directions[:, ::-1][:, :width]
    largest = chosen[np.abs(chosen).argmax(axis=0), np.arange(width)]
    chosen = chosen * np.where(largest < 0, -1.0, 1.0)
    total = values.sum()
    kept = float(values[::-1][:width].sum() / total) if total > 0 else 1.0
    return (centred @ chosen.astype(np.float32)).astype(np.float32), kept


def frequency_weights(counts: Iterable[int]) -> Floats:
    """Return a / (a + p) for words of relative frequency p: near 1 for rare ones."""
    tally = np.asarray(list(counts), dtype=np.float64)
    frequencies: Any = tally / max(tally.sum(), 1.0)
    return np.asarray(SMOOTHING / (SMOOTHING + frequencies), dtype=np.float32)
