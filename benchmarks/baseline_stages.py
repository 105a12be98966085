"""What people try first, as stages of a pipeline: scikit-learn's linear models and CRFsuite.

They learn from and answer on the same documents as our stages, so that one scorer serves all. The settings
stand below; none is tuned to a corpus.
"""

from __future__ import annotations

import functools
import json
import pickle
import re
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pycrfsuite
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from glossator.annotations.layer import Layer
from glossator.ml.categories import category_matrix
from glossator.ml.span_scheme import SpanScheme
from glossator.stages import ScoredSpan, TokenTags, Vectors

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token
    from spacy.training import Example

CRF_SETTINGS = {"c1": 0.1, "c2": 0.05, "max_iterations": 100}
AFFIXES = (1, 2, 3, 4)
MODEL, LABELS = "model", "labels.json"

_SHAPES = ((re.compile("[A-Z]"), "X"), (re.compile("[a-z]"), "x"), (re.compile("[0-9]"), "d"))
_REPEATED = re.compile(r"(.)\1{2,}")


class LinearClassifier:
    """A linear model over TF-IDF weights, by scikit-learn.

    Where categories exclude each other, `LinearSVC` over 1-2 words and 2-5 characters (`char_wb`); else a
    `LogisticRegression` per category over 1-2 words. Counts are sublinear: on the dev sets of `mr`, `subj`,
    `banking77`, `smsspam` and `goemotions` that is at least as good as plain counts. Everything else is
    scikit-learn's default.

    Example:
        classifier = LinearClassifier(exclusive=True)
        classifier.fit(examples, vectors, seed=0)
        classifier.predict(docs, vectors)  # (docs, labels), each row sums to 1

    Args:
        exclusive: Whether a document has exactly one category.
    """

    def __init__(self, exclusive: bool) -> None:
        self.exclusive = exclusive
        self.labels: tuple[str, ...] = ()
        self._model: Any = None

    def fit(self, examples: Sequence[Example], vectors: Vectors, *, seed: int) -> None:
        """Learn from all examples; the vectors are not used."""
        docs = [example.reference for example in examples]
        self.labels = tuple(sorted({label for doc in docs for label, value in doc.cats.items() if value > 0}))
        gold = np.nan_to_num(category_matrix([doc.cats for doc in docs], self.labels)) > 0
        self._model = _one_label(seed) if self.exclusive else _several_labels(seed)
        self._model.fit(_texts(docs), gold.argmax(axis=1) if self.exclusive else gold)

    def predict(self, docs: Sequence[Doc], vectors: Vectors) -> Any:
        """Return (docs, labels) probabilities.

        `LinearSVC` has none: instead the softmax of its distances, which has the same order.
        """
        if not self.exclusive:
            return self._model.predict_proba(_texts(docs))
        distances = self._model.decision_function(_texts(docs))
        if distances.ndim == 1:  # of two classes, the distance is that of the second
            distances = np.stack([-distances, distances], axis=1)
        return softmax(distances, axis=1)

    def to_disk(self, path: Path) -> None:
        """Save; by pickle, so load only what you saved yourself."""
        (path / MODEL).write_bytes(pickle.dumps(self._model))
        _write_labels(path, self.labels)

    def from_disk(self, path: Path) -> None:
        """Load what `to_disk` saved."""
        self._model = pickle.loads((path / MODEL).read_bytes())
        self.labels = _read_labels(path)

    def described(self) -> str:
        """Return the model and the version of its library."""
        model = "LinearSVC" if self.exclusive else "LogisticRegression"
        return f"scikit-learn {version('scikit-learn')} {model}"


def _one_label(seed: int) -> Any:
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    return make_pipeline(make_union(words, characters), LinearSVC(random_state=seed))


def _several_labels(seed: int) -> Any:
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    # 100 iterations, the default, are too few for some of its solvers to converge
    return make_pipeline(words, OneVsRestClassifier(LogisticRegression(max_iter=1000, random_state=seed)))


def _texts(docs: Sequence[Doc]) -> list[str]:
    return [doc.text for doc in docs]


class CrfSuite:
    """A linear-chain CRF by CRFsuite over the features of most tutorials: see `features`.

    Entities are learned in BIO, tags as they are (Okazaki 2007, http://www.chokkan.org/software/crfsuite/).

    Example:
        tagger = CrfSuite(write="ents")
        tagger.fit(examples, vectors, seed=0)
        tagger.predict(docs, vectors)

    Args:
        write: The layer: "ents", "tag" or "pos".
    """

    def __init__(self, write: str) -> None:
        self._layer = Layer.for_tagger(write)
        self.labels: tuple[str, ...] = ()
        self._model = b""

    def fit(self, examples: Sequence[Example], vectors: Vectors, *, seed: int) -> None:
        """Learn from all examples. The vectors are not used, and nothing is random."""
        trainer = pycrfsuite.Trainer(algorithm="lbfgs", params=CRF_SETTINGS, verbose=False)
        found = set()
        for example in examples:
            gold = [self._gold(token) for token in example.reference]
            trainer.append(list(features(_words(example.reference))), gold)
            found.update(gold)

        self.labels = tuple(sorted({tag[2:] for tag in found - {"O"}} if self._layer.is_spans else found))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / MODEL
            trainer.train(str(file))
            self._model = file.read_bytes()

    def predict(self, docs: Sequence[Doc], vectors: Vectors) -> Any:
        """Return the entities or tags of the best sequences, without probabilities: all are 1."""
        tagger = pycrfsuite.Tagger()
        tagger.open_inmemory(self._model)
        sequences = [tagger.tag(list(features(_words(doc)))) for doc in docs]
        return [self._spans(tags) for tags in sequences] if self._layer.is_spans else self._tags(sequences)

    def to_disk(self, path: Path) -> None:
        """Save CRFsuite's own file."""
        (path / MODEL).write_bytes(self._model)
        _write_labels(path, self.labels)

    def from_disk(self, path: Path) -> None:
        """Load what `to_disk` saved."""
        self._model = (path / MODEL).read_bytes()
        self.labels = _read_labels(path)

    def described(self) -> str:
        """Return the model and the version of its library."""
        return f"python-crfsuite {version('python-crfsuite')}"

    def _gold(self, token: Token) -> str:
        if not self._layer.is_spans:
            return self._layer.label_of(token)
        return f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else "O"

    def _spans(self, tags: Sequence[str]) -> list[ScoredSpan]:
        scheme = SpanScheme.bio(self.labels)
        ids = np.array([scheme.labels.index(tag) for tag in tags], dtype=int)
        return [ScoredSpan(*span, 1.0) for span in scheme.decode(ids)]

    def _tags(self, sequences: Sequence[Sequence[str]]) -> list[TokenTags]:
        ids = {label: number for number, label in enumerate(self.labels)}
        rows: list[Any] = [np.array([ids[tag] for tag in tags], dtype=int) for tags in sequences]
        return [TokenTags(row, cast("Any", np.ones(len(row)))) for row in rows]


def features(words: Sequence[str]) -> Iterator[list[str]]:
    """Yield the features of each word of a sentence.

    These are the word, also in lower case, its shape and its affixes of 1 to 4 letters; of the words up to
    two places away the lower case and the shape, of direct neighbours also the last three letters; and the
    bigrams with both direct neighbours, in lower case.

    Example:
        list(features(["Ruth", "left"]))[1]  # ["bias", "w=left", ..., "-1l=ruth", "-1s=Xxx", ...]
    """
    for place, word in enumerate(words):
        found = list(_own_features(word))
        for offset in (-2, -1, 1, 2):
            if 0 <= place + offset < len(words):
                found += _neighbour_features(words[place + offset], offset)
            else:
                found.append(f"{offset}none")
        if place > 0:
            found.append(f"b={words[place - 1].lower()} {word.lower()}")
        if place + 1 < len(words):
            found.append(f"a={word.lower()} {words[place + 1].lower()}")
        yield found


@functools.lru_cache(maxsize=100_000)
def _own_features(word: str) -> tuple[str, ...]:
    prefixes = [f"p{length}={word[:length]}" for length in AFFIXES]
    suffixes = [f"x{length}={word[-length:]}" for length in AFFIXES]
    return ("bias", f"w={word}", f"l={word.lower()}", f"s={shape(word)}", *prefixes, *suffixes)


@functools.lru_cache(maxsize=400_000)
def _neighbour_features(word: str, offset: int) -> tuple[str, ...]:
    found = (f"{offset}l={word.lower()}", f"{offset}s={shape(word)}")
    return (*found, f"{offset}x3={word[-3:]}") if abs(offset) == 1 else found


def shape(word: str) -> str:
    """Return a word with X for capitals, x for small letters, d for digits; at most two equal signs in a row.

    Example:
        shape("Boeing-747")  # "Xxx-dd"
    """
    for pattern, sign in _SHAPES:
        word = pattern.sub(sign, word)
    return _REPEATED.sub(r"\1\1", word)


def _words(doc: Doc) -> list[str]:
    return [token.text for token in doc]


def _write_labels(path: Path, labels: Sequence[str]) -> None:
    (path / LABELS).write_text(json.dumps(labels), encoding="utf-8")


def _read_labels(path: Path) -> tuple[str, ...]:
    return tuple(json.loads((path / LABELS).read_text(encoding="utf-8")))
