"""What a stage is: the protocols between the engine and whatever predicts.

A stage predicts for one batch of Docs and touches no Doc; the engine writes. Everything that
crosses this line is per spaCy token, white-space tokens included, in numpy arrays of thinc's types;
sub-words and windows stay inside the stage. What a stage answers for a Doc does not depend on the
other Docs of the batch.

Settings reach a stage's factory as keyword arguments. Taggers also get `write`, the layer they are
to predict ("ents", "spans:KEY", "tag" or "pos"), tokenizers `lang`, classifiers `exclusive` where
the config sets it. A factory raises `ConfigError` for settings it cannot honour.
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
    """A span of tokens [start, end) with its label and probability."""

    start: int
    end: int
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class TokenTags:
    """One label a token of one Doc.

    Attributes:
        ids: (tokens,) indices into the stage's `labels`; what stands at a white-space token is ignored.
        probabilities: (tokens,) of the chosen labels.
    """

    ids: Ints1d
    probabilities: Floats1d


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """What vectors a head is built for.

    Attributes:
        width: Columns of `Vectors.values`; 0 where the head names no frozen embedder.
        tables: For a head that tunes, one (rows, width) array an embedder named. Row 0 stands for
            words without a vector. They may be memory-mapped: copy before changing.
    """

    width: int = 0
    tables: tuple[Floats2d, ...] = ()


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of one batch of Docs, as the head's config named them.

    Attributes:
        space: The space they lie in.
        values: A Doc each, (tokens, space.width): the frozen embedders' rows, concatenated.
        rows: For each table of the space, a Doc each, (tokens,) row numbers in that table.
    """

    space: VectorSpace
    values: Sequence[Floats2d]
    rows: tuple[Sequence[Ints1d], ...] = ()


class Saveable(Protocol):
    """A stage that keeps what it learned in a folder of its own."""

    def to_disk(self, path: Path) -> None:
        """Write everything needed to predict into the existing, empty folder `path`; no pickle."""

    def from_disk(self, path: Path) -> None:
        """Restore what `to_disk` wrote; raise where it is damaged or incomplete."""


class Tokenizer(Protocol):
    """Makes a Doc from text; spaCy's own signature, so any spaCy tokenizer fits.

    `doc.text` must equal the text. All Docs of one tokenizer share one vocab.
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
    """Gives every token a vector."""

    width: int

    def embed(self, docs: Sequence[Doc]) -> Sequence[Floats2d]:
        """Return (tokens, width) for each Doc."""

    def to_disk(self, path: Path) -> None:
        """As in `Saveable`."""

    def from_disk(self, path: Path) -> None:
        """As in `Saveable`."""


@runtime_checkable
class TableEmbedder(Embedder, Protocol):
    """An embedder that is a table: a head can tune a copy of its own."""

    table: Floats2d

    def rows(self, docs: Sequence[Doc]) -> Sequence[Ints1d]:
        """Return (tokens,) row numbers into `table` for each Doc; 0 for words without a vector."""


class Classifier(Protocol):
    """Gives every Doc a probability for each of its labels.

    Gets whole documents, however long, and pools the evidence of all of them.
    `exclusive` says whether a Doc has exactly one label (probabilities sum to 1) or any number.
    """

    labels: tuple[str, ...]
    exclusive: bool

    def predict(self, docs: Sequence[Doc], vectors: Vectors) -> Floats2d:
        """Return (docs, labels) probabilities."""

    def to_disk(self, path: Path) -> None:
        """As in `Saveable`."""

    def from_disk(self, path: Path) -> None:
        """As in `Saveable`."""


class TokenTagger(Protocol):
    """Gives every token one label: the layers `tag` and `pos`."""

    labels: tuple[str, ...]

    def predict(self, docs: Sequence[Doc], vectors: Vectors) -> Sequence[TokenTags]:
        """Return the tags of each Doc."""

    def to_disk(self, path: Path) -> None:
        """As in `Saveable`."""

    def from_disk(self, path: Path) -> None:
        """As in `Saveable`."""


class SpanTagger(Protocol):
    """Finds labelled spans, decoded by the stage; they may overlap: the layers `ents`, `spans:KEY`."""

    labels: tuple[str, ...]

    def predict(self, docs: Sequence[Doc], vectors: Vectors) -> Sequence[Sequence[ScoredSpan]]:
        """Return the spans of each Doc, each with its posterior probability."""

    def to_disk(self, path: Path) -> None:
        """As in `Saveable`."""

    def from_disk(self, path: Path) -> None:
        """As in `Saveable`."""


@runtime_checkable
class Preparable(Protocol):
    """A stage whose settings name files."""

    def prepare(self, folder: Path) -> None:
        """Read those files, relative names counting from `folder`.

        Called once when a pipeline is composed, never when it is loaded from its own folder:
        there `from_disk` brings the stage's copies.
        """


@runtime_checkable
class Updatable(Protocol):
    """A stage that learns in steps: the engine owns the loop; spaCy's `nlp.update` takes the same step."""

    def initialize(self, examples: Sequence[Example], space: VectorSpace, *, seed: int) -> None:
        """Collect labels from gold annotations and start from fresh weights, made from `seed` alone."""

    def update(self, examples: Sequence[Example], vectors: Vectors) -> float:
        """Learn from one batch and return its mean loss."""

    def training_state(self) -> TrainingState:
        """Return all that training needs beside what `to_disk` writes: optimizer and random state."""

    def restore(self, state: TrainingState) -> None:
        """Put a training state back, so that training goes on as if it had never stopped."""


@runtime_checkable
class Fittable(Protocol):
    """A stage that learns at once, from all examples."""

    def fit(self, examples: Sequence[Example], vectors: Vectors, *, seed: int) -> None:
        """Learn from fresh; the same seed gives the same result."""


@runtime_checkable
class Calibratable(Protocol):
    """A stage that can turn its scores into probabilities."""

    def calibrate(self, examples: Sequence[Example], vectors: Vectors) -> None:
        """Fit a temperature on development examples; which labels win does not change."""


@runtime_checkable
class Finishable(Protocol):
    """A stage that needs something for annotating that it does without while it learns."""

    def finish(self) -> None:
        """Make it, unless it is there. Called before a pipeline is saved, not at each checkpoint."""
