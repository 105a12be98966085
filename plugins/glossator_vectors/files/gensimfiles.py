"""Files that are read by gensim: its own, and fastText's `.bin`."""

from __future__ import annotations

import pickle
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.errors import DataError, PluginError
from glossator_vectors.files.opening import DAMAGES, is_packed, open_file
from glossator_vectors.folder.writer import Fault, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORD_BATCH_SIZE = 20_000
_GENSIM = {
    "gensim.models.keyedvectors": {"KeyedVectors", "Word2VecKeyedVectors", "CompatVocab", "Vocab"},
    "gensim.models.fasttext": {"FastTextKeyedVectors", "FastText"},
    "gensim.utils": {"call_on_class_only"},
    "gensim.models.word2vec": {"Word2Vec", "Word2VecVocab", "Word2VecTrainables"},
}
_NUMPY = {
    "numpy": {"dtype", "ndarray", "float32", "float64", "int64", "uint32"},
    "numpy.core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.numeric": {"_frombuffer"},
    "numpy.core.numeric": {"_frombuffer"},
    "numpy.random._pickle": {"__randomstate_ctor", "__bit_generator_ctor", "__generator_ctor"},
    "numpy.random._mt19937": {"MT19937"},
    "numpy.random.bit_generator": {"__pyx_unpickle_SeedSequence", "SeedSequence"},
}
_PYTHON = {
    "_codecs": {"encode"},
    "builtins": {"bytearray", "dict", "float", "hash", "int", "list", "set"},
    "collections": {"defaultdict"},
}
# All that a pickle of gensim may name.
_ALLOWED = {**_GENSIM, **_NUMPY, **_PYTHON}


class GensimVectors:
    """Vectors that gensim holds in memory.

    Example:
        vectors = GensimVectors(gensim.models.Word2Vec(sentences).wv)

    Args:
        vectors: gensim's `KeyedVectors` or `FastTextKeyedVectors`.

    Attributes:
        width: Dimensions of a vector.
        declared_count: Number of words.
        subwords: {"min_n": ..., "max_n": ...} of the n-grams, or None.
        buckets: (buckets, width) vectors of the n-grams, or None.
    """

    def __init__(self, vectors: Any) -> None:
        self.width = int(vectors.vector_size)
        self.declared_count: int | None = len(vectors.index_to_key)
        self._vectors = vectors
        self.subwords: dict[str, int] | None = None
        self.buckets: NDArray[np.float32] | None = None
        if getattr(vectors, "bucket", 0):
            self.subwords = {"min_n": int(vectors.min_n), "max_n": int(vectors.max_n)}
            self.buckets = vectors.vectors_ngrams

    def __iter__(self) -> Iterator[Rows | Fault]:
        """Yield blocks of words with their vectors; positions are the words' indices from 1."""
        words = self._vectors.index_to_key
        for start in range(0, len(words), _WORD_BATCH_SIZE):
            values = np.asarray(self._vectors.vectors[start : start + _WORD_BATCH_SIZE], dtype=np.float32)
            block = [str(word) for word in words[start : start + _WORD_BATCH_SIZE]]
            finite = np.isfinite(values).all(axis=1)
            for i in np.flatnonzero(~finite).tolist():
                yield Fault(start + i + 1, f"a number of {block[i]!r} is not finite")
            kept = np.flatnonzero(finite).tolist()
            yield Rows([block[i] for i in kept], values[kept], [start + i + 1 for i in kept])


def read_fasttext(path: Path) -> GensimVectors:
    """Read a `.bin` file of fastText.

    Raises:
        DataError: gensim cannot read the file.
        PluginError: gensim is not installed.
    """
    require_gensim("reading fastText's .bin")
    from gensim.models.fasttext import load_facebook_vectors

    with _unpacked(path) as file:
        try:
            return GensimVectors(load_facebook_vectors(str(file)))
        except Exception as error:
            raise _unreadable(path, error) from error


def read_gensim(path: Path) -> GensimVectors:
    """Read a file saved by gensim: `KeyedVectors`, or a whole `Word2Vec` or `FastText`.

    Such files are pickles, which can run arbitrary code when they are opened. A pickle that names anything
    but gensim's vectors and numpy's arrays is refused before gensim opens it.

    Raises:
        DataError: The file is refused, or gensim cannot read it.
        PluginError: gensim is not installed.
    """
    require_gensim("reading gensim's files")
    from gensim.utils import SaveLoad

    with _unpacked(path) as file:
        try:
            with file.open("rb") as stream:
                outline = _RestrictedUnpickler(stream).load()
            kind = type(outline)
            if any(getattr(part, "__scipys", None) for part in _parts(outline)):
                # gensim would open further, unchecked pickles beside this one
                raise pickle.UnpicklingError("it contains sparse matrices, which vectors do not need")
            saved = kind.load(str(file)) if issubclass(kind, SaveLoad) else None
        except Exception as error:
            raise _unreadable(path, error) from error

    vectors = getattr(saved, "wv", saved)
    if not hasattr(vectors, "index_to_key"):
        raise DataError(f"holds a {kind.__name__}, not word vectors", file=str(path))
    return GensimVectors(vectors)


def require_gensim(what: str) -> None:
    """Raise `PluginError` unless gensim is installed; `what` names the task that needs it."""
    try:
        import gensim  # noqa: F401
    except ImportError as error:
        raise PluginError(f"{what} needs gensim: pip install 'glossator[vectors]'") from error


def _parts(saved: Any) -> Iterator[Any]:
    """Yield an object saved by gensim, and recursively its attributes that have files of their own."""
    yield saved
    for name in getattr(saved, "__recursive_saveloads", ()):
        yield from _parts(getattr(saved, name))


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name not in _ALLOWED.get(module, ()):
            raise pickle.UnpicklingError(f"it names {module}.{name}, which vectors do not need")
        return super().find_class(module, name)


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """Yield the file itself, or a temporary decompressed copy."""
    if not is_packed(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "vectors"
        try:
            with open_file(path) as packed, copy.open("wb") as target:
                shutil.copyfileobj(packed, target)
        except DAMAGES as error:
            raise DataError(f"cannot be decompressed: {error}", file=str(path)) from error
        yield copy


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"gensim cannot read it: {type(error).__name__}: {error}", file=str(path))
