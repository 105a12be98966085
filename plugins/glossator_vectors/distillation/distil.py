"""Distilling a contextual model into static vectors: embed each word alone, then reduce the dimensions.

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
from glossator_vectors.distillation.ngram_fitting import MAX_N, MIN_N, fit_ngrams, require_scipy
from glossator_vectors.folder.atomic import new_folder
from glossator_vectors.folder.metadata import VectorsMetadata
from glossator_vectors.folder.writer import Rows, VectorWriter

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.vocab import Vocab

    from glossator.stages import Embedder

    Floats = NDArray[np.float32]

WORD_BATCH_SIZE = 2_000
SMOOTHING = 1e-3  # the relative frequency at which a word's weight is one half


@dataclass(frozen=True, slots=True)
class DistillationResult:
    """The result of distillation.

    Example:
        result = distil_vectors(embedder, vocab, {"sea": 3, "ship": 1}, Path("distilled"), width=128)
        print(f"{result.explained_variance:.1%} of the variance")

    Attributes:
        count: Number of words with a vector.
        width: Dimensions of a vector.
        explained_variance: Share of the model's variance that the principal components keep.
    """

    count: int
    width: int
    explained_variance: float


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
) -> DistillationResult:
    """Distil an embedder into a folder of static vectors.

    Args:
        embedder: The model; it embeds each word alone.
        vocab: The vocabulary of the Docs that the model embeds.
        counts: The words, and how often each occurs.
        output: The folder; an existing folder of vectors is replaced at the end.
        width: Dimensions of a vector: the number of principal components, which are not rescaled.
        weighted: Whether frequent words get shorter vectors.
        subwords: Whether to fit vectors of character n-grams too, for unknown words.
        source: Description of the model.
        licence: Licence of the vectors.
        on_words: Called with the number of words embedded so far.

    Raises:
        DataError: There are no words.
        StageError: `subwords` is set, and scipy is not installed.
        UsageError: `output` holds something other than vectors, or the model is narrower than `width`.
    """
    words = [word for word in counts if word.strip()]
    if not words:
        raise DataError("there are no words to distil vectors for")
    if not 1 <= width <= embedder.width:
        raise UsageError(f"--width {width}: must be from 1 to {embedder.width}, the width of the model")
    if subwords:
        require_scipy()

    with new_folder(output) as folder:  # first, so that a wrong output fails before minutes of embedding
        rows = embed_words(embedder, vocab, words, on_words)
        reduced, explained_variance = principal_components(rows, width)
        if weighted:
            reduced *= frequency_weights([counts[word] for word in words])[:, None]

        writer = VectorWriter(folder, width)
        try:
            writer.add(Rows(words, reduced, range(1, len(words) + 1)))
            metadata = VectorsMetadata(method="distilled", source=source, licence=licence)
            if subwords:
                writer.add_buckets(fit_ngrams(words, reduced))
                metadata = replace(metadata, subwords={"min_n": MIN_N, "max_n": MAX_N})
            writer.finish(metadata)
            return DistillationResult(writer.count, width, explained_variance)
        finally:
            writer.close()


def embed_words(
    embedder: Embedder, vocab: Vocab, words: Sequence[str], on_words: Callable[[int], None]
) -> Floats:
    """Return the (words, embedder.width) vectors of words, each embedded in a Doc of its own."""
    rows = np.empty((len(words), embedder.width), dtype=np.float32)
    for start in range(0, len(words), WORD_BATCH_SIZE):
        batch = words[start : start + WORD_BATCH_SIZE]
        vectors = embedder.embed([Doc(vocab, words=[word]) for word in batch])
        rows[start : start + len(batch)] = np.concatenate([np.asarray(values)[:1] for values in vectors])
        on_words(start + len(batch))
    return rows


def principal_components(rows: Floats, width: int) -> tuple[Floats, float]:
    """Return the (n, width) principal components of rows, and the share of the variance they explain.

    Components are not rescaled to unit variance: distances between rows are kept. The sign of a component is
    chosen so that its largest loading is positive, hence the same rows give the same result everywhere.
    """
    centred = rows - rows.mean(axis=0)
    covariance = centred.T.astype(np.float64) @ centred.astype(np.float64)
    values, directions = np.linalg.eigh(covariance)
    chosen = directions[:, ::-1][:, :width]
    largest = chosen[np.abs(chosen).argmax(axis=0), np.arange(width)]
    chosen = chosen * np.where(largest < 0, -1.0, 1.0)
    total = values.sum()
    explained = float(values[::-1][:width].sum() / total) if total > 0 else 1.0
    return (centred @ chosen.astype(np.float32)).astype(np.float32), explained


def frequency_weights(counts: Iterable[int]) -> Floats:
    """Return `SMOOTHING` / (`SMOOTHING` + p) for words of relative frequency p: near 1 for rare words."""
    tally = np.asarray(list(counts), dtype=np.float64)
    frequencies: Any = tally / max(tally.sum(), 1.0)
    return np.asarray(SMOOTHING / (SMOOTHING + frequencies), dtype=np.float32)
