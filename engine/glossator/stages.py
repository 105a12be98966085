"""The protocols between the engine and its stages.

A stage predicts for one batch of Docs and changes none of them; only the engine writes to Docs. All data
between the two has one row per spaCy token, white-space tokens included, in numpy arrays of thinc's types;
sub-words and windows stay inside the stage. The prediction for a Doc does not depend on the other Docs of
the batch.

A stage's factory receives its settings as keyword arguments. Taggers also receive `write`, the layer to
predict ("ents", "spans:KEY", "tag" or "pos"), tokenizers `lang`, and classifiers `exclusive` if the config
sets it. A factory raises `ConfigError` for settings it does not support.

No stage inherits from these protocols: it has the methods, and the engine asks with `isinstance` for the
optional ones (`Preparable`, `Updatable`, `Fittable`, `Calibratable`, `Finishable`, `Explainable`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from spacy.tokens import Doc
    from spacy.training import Example
    from thinc.types import Floats1d, Floats2d, Ints1d

    TrainingState = Mapping[str, np.ndarray]


class ScoredSpan(NamedTuple):
    """A span of tokens [start, end) with its label and probability.

    Example:
        ScoredSpan(0, 2, "PER", 0.97)
    """

    start: int
    end: int
    label: str
    score: float


class Contribution(NamedTuple):
    """A feature of a linear model, and what it adds to the logit of a label.

    Example:
        Contribution("refund", 1.7)
    """

    feature: str
    value: float


@dataclass(frozen=True, slots=True)
class TokenTags:
    """One label per token of one Doc.

    Example:
        TokenTags(ids=np.array([1, 0, 1]), probabilities=np.array([0.9, 0.8, 1.0]))

    Attributes:
        ids: (tokens,) indices into the stage's `labels`; values at white-space tokens are ignored.
        probabilities: (tokens,) probabilities of these labels.
    """

    ids: Ints1d
    probabilities: Floats1d


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """The shapes of the vectors that a head is built for.

    Example:
        VectorSpace()  # no vectors
        VectorSpace(width=300)  # frozen vectors of 300 columns
        VectorSpace(tables=(embedder.table,))  # a table to tune

    Attributes:
        width: Columns of `Vectors.values`; 0 if the head names no frozen embedder.
        tables: For a head that tunes, one (rows, width) array per named embedder. Row 0 stands for
            words without a vector. They may be memory-mapped: copy before changing.
    """

    width: int = 0
    tables: tuple[Floats2d, ...] = ()


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of one batch of Docs, from the embedders that the head's config names.

    Example:
        Vectors(VectorSpace(width=3), values=[np.zeros((len(doc), 3), dtype="f") for doc in docs])

    Attributes:
        space: The space the vectors lie in.
        values: One (tokens, space.width) array per Doc: the frozen embedders' vectors, concatenated.
        rows: For each table of the space, one (tokens,) array per Doc: row numbers in that table.
    """

    space: VectorSpace
    values: Sequence[Floats2d]
    rows: tuple[Sequence[Ints1d], ...] = ()


class Saveable(Protocol):
    """A stage that saves what it learned in a folder of its own.

    Example:
        class MajorityTagger:
            def to_disk(self, path: Path) -> None:
                (path / "label.json").write_text(json.dumps(self.label))

            def from_disk(self, path: Path) -> None:
                self.label = json.loads((path / "label.json").read_text())
    """

    def to_disk(self, path: Path) -> None:
        """Write everything needed to predict into the existing, empty folder `path`; no pickle."""

    def from_disk(self, path: Path) -> None:
        """Restore what `to_disk` wrote; raise if it is damaged or incomplete."""


class Tokenizer(Protocol):
    """Makes a Doc from text, with spaCy's own signature: any spaCy tokenizer fits.

    `doc.text` must equal the text. All Docs of one tokenizer share one vocab.

    Example:
        class CharacterTokenizer:
            def __init__(self, lang: str) -> None:
                self.vocab = spacy.blank(lang).vocab

            def __call__(self, text: str) -> Doc:
                return Doc(self.vocab, words=list(text), spaces=[False] * len(text))
    """

    def __call__(self, text: str) -> Doc:
        """Tokenize; may set sentence starts."""


class BoundedTokenizer(Tokenizer, Protocol):
    """A tokenizer whose vocab can stay small on endless text, as those that come with Glossator can.

    Example:
        tokenizer: BoundedTokenizer = plugins.make("tokenizer", "spacy", {"lang": "en"})
    """

    def forget_words(self) -> None:
        """Continue with an empty vocab if this one holds many words."""


class Embedder(Protocol):
    """Gives every token a vector.

    Example:
        class LengthEmbedder:
            width = 1

            def embed(self, docs):
                return [np.array([[len(token)] for token in doc], dtype="f").reshape(-1, 1) for doc in docs]

    Attributes:
        width: Columns of the vectors.
    """

    width: int

    def embed(self, docs: Sequence[Doc]) -> Sequence[Floats2d]:
        """Return one (tokens, width) array per Doc."""

    def to_disk(self, path: Path) -> None:
        """As in `Saveable`."""

    def from_disk(self, path: Path) -> None:
        """As in `Saveable`."""


@runtime_checkable
class TableEmbedder(Embedder, Protocol):
    """An embedder that looks words up in a table, of which a head can tune its own copy.

    Example:
        class TableOfShapes:
            table = np.random.default_rng(0).normal(size=(1000, 32)).astype("f")
            width = 32

            def rows(self, docs):
                return [1 + doc.to_array([SHAPE]).astype(int) % 999 for doc in docs]

            def embed(self, docs):
                return [self.table[rows] for rows in self.rows(docs)]

    Attributes:
        table: (rows, width) vectors; row 0 stands for words without one.
    """

    table: Floats2d

    def rows(self, docs: Sequence[Doc]) -> Sequence[Ints1d]:
        """Return one (tokens,) array per Doc: row numbers in `table`, 0 for words without a vector."""


class Classifier(Protocol):
    """Gives every Doc a probability for each of its labels.

    It receives whole documents of any length, except those without any word, and combines the evidence of all
    their words.

    Example:
        class LengthClassifier:
            labels = ("long", "short")
            exclusive = True

            def predict(self, docs, vectors):
                long = np.array([len(doc) > 100 for doc in docs], dtype="f")
                return np.stack([long, 1 - long], axis=1)

    Attributes:
        labels: The labels, in the order of the columns of `predict`.
        exclusive: Whether a Doc has exactly one label (probabilities sum to 1) or any number.
    """

    labels: tuple[str, ...]
    exclusive: bool

    def predict(self, docs: Sequence[Doc], vectors: Vectors) -> Floats2d:
        """Return the (docs, labels) probabilities."""

    def to_disk(self, path: Path) -> None:
        """As in `Saveable`."""

    def from_disk(self, path: Path) -> None:
        """As in `Saveable`."""


class TokenTagger(Protocol):
    """Gives every token one label: for the layers `tag` and `pos`.

    Example:
        class NumberTagger:
            labels = ("NUM", "X")

            def predict(self, docs, vectors):
                ids = [(doc.to_array([LIKE_NUM]) == 0).astype(int) for doc in docs]
                return [TokenTags(each, np.ones(len(each))) for each in ids]

    Attributes:
        labels: The labels that `TokenTags.ids` count.
    """

    labels: tuple[str, ...]

    def predict(self, docs: Sequence[Doc], vectors: Vectors) -> Sequence[TokenTags]:
        """Return the tags of each Doc."""

    def to_disk(self, path: Path) -> None:
        """As in `Saveable`."""

    def from_disk(self, path: Path) -> None:
        """As in `Saveable`."""


class SpanTagger(Protocol):
    """Finds labelled spans, which may overlap: for the layers `ents` and `spans:KEY`.

    Example:
        class ShoutingTagger:
            labels = ("SHOUT",)

            def predict(self, docs, vectors):
                return [[ScoredSpan(t.i, t.i + 1, "SHOUT", 1.0) for t in doc if t.is_upper] for doc in docs]

    Attributes:
        labels: All labels that its spans can have.
    """

    labels: tuple[str, ...]

    def predict(self, docs: Sequence[Doc], vectors: Vectors) -> Sequence[Sequence[ScoredSpan]]:
        """Return the spans of each Doc, each with its posterior probability."""

    def to_disk(self, path: Path) -> None:
        """As in `Saveable`."""

    def from_disk(self, path: Path) -> None:
        """As in `Saveable`."""


@runtime_checkable
class Preparable(Protocol):
    """A stage whose settings name files.

    Example:
        class ListTagger:
            def prepare(self, folder: Path) -> None:
                self.phrases = (folder / self.file).read_text().splitlines()
    """

    def prepare(self, folder: Path) -> None:
        """Read the files; relative names count from `folder`.

        Called once when a pipeline is composed, never when it is loaded from its own folder:
        there `from_disk` reads the stage's own copies.
        """


@runtime_checkable
class Updatable(Protocol):
    """A stage that learns in steps. The engine runs the loop; spaCy's `nlp.update` takes the same step.

    Example:
        class LinearTagger:
            def initialize(self, examples, space, *, seed):
                self.labels = tuple(sorted({token.tag_ for each in examples for token in each.reference}))
                self.network = build_network(len(self.labels), space.width, seed)

            def update(self, examples, vectors):
                return self.network.learn(examples, vectors.values)

            def training_state(self):
                return {"momentum": self.network.momentum}

            def restore(self, state):
                self.network.momentum = state["momentum"]
    """

    def initialize(self, examples: Sequence[Example], space: VectorSpace, *, seed: int) -> None:
        """Collect labels from gold annotations and start from fresh weights that depend on `seed` alone."""

    def update(self, examples: Sequence[Example], vectors: Vectors) -> float:
        """Learn from one batch and return its mean loss."""

    def training_state(self) -> TrainingState:
        """Return all that training needs beside what `to_disk` writes: optimizer and random state."""

    def restore(self, state: TrainingState) -> None:
        """Restore a training state, so that training continues as if it had never stopped."""


@runtime_checkable
class Fittable(Protocol):
    """A stage that learns from all examples in one call.

    A stage may be `Updatable`, too: training a pipeline calls `fit`, and spaCy's `nlp.update` calls `update`.

    Example:
        class MajorityClassifier:
            def fit(self, examples, vectors, *, seed):
                counts = Counter(max(e.reference.cats, key=e.reference.cats.get) for e in examples)
                self.labels = tuple(sorted(counts))
    """

    def fit(self, examples: Sequence[Example], vectors: Vectors, *, seed: int) -> None:
        """Discard what was learned before and learn; the same seed gives the same result."""


@runtime_checkable
class Calibratable(Protocol):
    """A stage that can fit its probabilities to development data.

    Example:
        class LinearTagger:
            def calibrate(self, examples, vectors):
                logits, gold = self.logits(examples, vectors), self.gold_ids(examples)
                self.temperature = fit_temperature(lambda t: -softmax_nll(logits, gold, t))
    """

    def calibrate(self, examples: Sequence[Example], vectors: Vectors) -> None:
        """Fit a temperature on development examples; the best label of each token or Doc does not change."""


@runtime_checkable
class Finishable(Protocol):
    """A stage that makes something for annotating, such as an exported network, after training.

    Example:
        class ExportedTagger:
            def finish(self) -> None:
                if self.exported is None:
                    self.exported = to_onnx(self.network)
    """

    def finish(self) -> None:
        """Make it, unless it exists. Called before a pipeline is saved, not at each checkpoint."""


@runtime_checkable
class Explainable(Protocol):
    """A stage whose features have names, as those of linear models.

    Example:
        class WordListClassifier:
            def strongest(self, label, count):
                return [Contribution(word, 1.0) for word in self.words[label][:count]]

            def explain(self, doc, vectors, label, start, end, count):
                return [Contribution(t.text, 1.0) for t in doc if t.text in self.words[label]][:count]

    Attributes:
        labels: The labels that can be explained.
    """

    labels: tuple[str, ...]

    def strongest(self, label: str, count: int) -> Sequence[Contribution]:
        """Return the features with the largest weights for or against a label, the largest first."""

    def explain(
        self, doc: Doc, vectors: Vectors, label: str, start: int, end: int, count: int
    ) -> Sequence[Contribution]:
        """Return what speaks most for or against a label of the tokens [start, end), the most first.

        A classifier always explains a label of the whole Doc. `vectors` are those of this Doc alone.
        """
