"""The vectors of a stage's words: frozen, or tables of which the stage tunes a copy of its own.

A table may have millions of rows, of which training meets a few thousand. Only those are copied, tuned and
saved, by Adam (Kingma and Ba 2015) with moments that change when their row is met; the network itself takes
vectors as its input either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from glossator.ml.word_sequences import Layout
from glossator.ml.words import Words
from glossator.stages import Vectors, VectorSpace
from glossator.util.arrays import read_arrays
from glossator_keras.arrays import Array, Arrays, Floats, Positions
from glossator_keras.saved_files import reading

TUNED = "tuned.npz"
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7  # Adam's, as in Keras


class WordVectors:
    """Looks up the vectors of a stage's words, and tunes those that come from tables.

    Args:
        width: Columns of the vectors, all embedders together.
        table_widths: Columns of each table that is tuned; none where vectors are frozen.
        learn_rate: Adam's learning rate.

    Example:
        For a stage that tunes the tables of its space:

            word_vectors = WordVectors.of_space(space, learn_rate=0.002)
            rows = word_vectors.of_words(encoded.words, vectors, training=True)  # (words, width)
    """

    def __init__(self, width: int, table_widths: Sequence[int], learn_rate: float) -> None:
        self.width = width
        self._tables = [TunedTable(columns, learn_rate) for columns in table_widths]

    @classmethod
    def of_space(cls, space: VectorSpace, learn_rate: float) -> WordVectors:
        """Return the vectors of a stage that is initialized with this space."""
        widths = [table.shape[1] for table in space.tables]
        return cls(sum(widths) if widths else space.width, widths, learn_rate)

    @property
    def table_widths(self) -> list[int]:
        """Columns of each table that is tuned."""
        return [table.width for table in self._tables]

    @property
    def watched(self) -> tuple[str, ...]:
        """The network's inputs by whose gradients tables are tuned."""
        return ("vectors",) if self._tables else ()

    def of_words(self, words: Words, vectors: Vectors, *, training: bool = False) -> Floats | None:
        """Return (words, width) vectors; None where the stage has none.

        Args:
            words: The words of the Docs that `vectors` belong to.
            vectors: The vectors that the engine passed to the stage.
            training: Whether to return tuned rows as the last step left them, not averaged over steps.
        """
        if not self.width:
            return None
        if not len(words.positions):
            return np.zeros((0, self.width), dtype=np.float32)
        if not self._tables:
            return words.gather(vectors.values).astype(np.float32, copy=False)
        columns = [
            tuned.look_up(rows, table, training=training)
            for tuned, rows, table in zip(self._tables, _rows(words, vectors), _tables(vectors), strict=True)
        ]
        return np.concatenate(columns, axis=1)

    def learn_batch(
        self, words: Words, vectors: Vectors, batch: Layout, gradients: Arrays, decay: float
    ) -> None:
        """Move the rows of a batch's words down the gradients of its loss by the `watched` inputs.

        Args:
            words: The words of the Docs that `vectors` belong to.
            vectors: The vectors that the engine passed to the stage.
            batch: The layout of the batch.
            gradients: The gradients, by the inputs' names.
            decay: The decay of each row's average over steps.
        """
        if not self._tables:
            return
        gradient, positions = gradients["vectors"][batch.mask], batch.positions[batch.mask]
        start = 0
        for tuned, rows, table in zip(self._tables, _rows(words, vectors), _tables(vectors), strict=True):
            tuned.learn(rows[positions], gradient[:, start : start + tuned.width], table, decay)
            start += tuned.width

    def state(self) -> dict[str, Array]:
        """Return all that training needs."""
        return {
            f"tuned.{number}.{name}": array
            for number, table in enumerate(self._tables)
            for name, array in table.state().items()
        }

    def restore(self, state: Arrays) -> None:
        """Put back what `state` returned."""
        for number, table in enumerate(self._tables):
            prefix = f"tuned.{number}."
            table.restore(
                {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
            )

    def to_disk(self, path: Path) -> None:
        """Write the tuned rows."""
        if self._tables:
            arrays: dict[str, Any] = self.state()  # numpy's types take one for its parameter `allow_pickle`
            np.savez(path / TUNED, **arrays)

    def from_disk(self, path: Path) -> None:
        """Read what `to_disk` wrote; raise `PipelineError` where it is missing or damaged."""
        if self._tables:
            with reading(path / TUNED):
                self.restore(read_arrays(path / TUNED))


class TunedTable:
    """The rows of a table that training has met, tuned; all others stay as they are, and so does row 0.

    Args:
        width: Columns.
        learn_rate: Adam's learning rate.

    Example:
        One step down a gradient, and the rows after it:

            tuned = TunedTable(table.shape[1], learn_rate=0.002)
            tuned.learn(rows, gradient, table, decay=0.99)
            tuned.look_up(rows, table)
    """

    def __init__(self, width: int, learn_rate: float) -> None:
        self.width = width
        self._learn_rate = learn_rate
        self._ids = np.zeros(0, dtype=np.int64)  # of the rows that were met, in the order they were
        self._order = np.zeros(0, dtype=np.intp)  # sorts the ids
        self._values, self._averages, self._first, self._second = (
            np.zeros((0, width), dtype=np.float32) for _ in range(4)
        )
        self._times = np.zeros(0, dtype=np.int64)

    def look_up(self, rows: Array, table: Array, *, training: bool = False) -> Floats:
        """Return the (n, width) vectors of (n,) rows; in training those that the last step left."""
        unique, inverse = np.unique(rows, return_inverse=True)
        vectors = np.asarray(table[unique], dtype=np.float32)
        positions = self._positions_of(unique)
        tuned = self._values if training else self._averages
        vectors[positions >= 0] = tuned[positions[positions >= 0]]
        return np.asarray(vectors[inverse.reshape(-1)])

    def learn(self, rows: Array, gradient: Floats, table: Array, decay: float) -> None:
        """Move the (n,) rows down their (n, width) gradient; gradients of the same row add up.

        `decay` is that of the average, which includes the rows as this step leaves them.
        """
        unique, inverse = np.unique(rows, return_inverse=True)
        summed = np.zeros((len(unique), self.width), dtype=np.float32)
        np.add.at(summed, inverse.reshape(-1), gradient)
        met = (unique != 0) & (summed != 0).any(axis=1)
        unique, summed = unique[met], summed[met]
        self._add(unique[self._positions_of(unique) < 0], table)

        positions = self._positions_of(unique)
        self._times[positions] += 1
        times = self._times[positions, None]
        first = BETA_1 * self._first[positions] + (1 - BETA_1) * summed
        second = BETA_2 * self._second[positions] + (1 - BETA_2) * summed**2
        self._first[positions], self._second[positions] = first, second
        rate = self._learn_rate * np.sqrt(1 - BETA_2**times) / (1 - BETA_1**times)
        self._values[positions] -= (rate * first / (np.sqrt(second) + EPSILON)).astype(np.float32)
        self._averages += (1 - decay) * (self._values - self._averages)

    def state(self) -> dict[str, Array]:
        """Return all arrays."""
        return {
            "ids": self._ids,
            "values": self._values,
            "averages": self._averages,
            "first": self._first,
            "second": self._second,
            "times": self._times,
        }

    def restore(self, state: Arrays) -> None:
        """Put back what `state` returned."""
        self._ids, self._times = state["ids"], state["times"].copy()
        self._values, self._averages = state["values"].copy(), state["averages"].copy()
        self._first, self._second = state["first"].copy(), state["second"].copy()
        self._order = np.argsort(self._ids)

    def _positions_of(self, rows: Array) -> Positions:
        """Return the positions of (n,) different rows in the arrays; -1 for those not met."""
        if not len(self._ids):
            return np.full(len(rows), -1, dtype=np.intp)
        after = np.searchsorted(self._ids, rows, sorter=self._order)
        positions = self._order[np.minimum(after, len(self._ids) - 1)]
        return np.where(self._ids[positions] == rows, positions, -1)

    def _add(self, rows: Array, table: Array) -> None:
        if not len(rows):
            return
        vectors = np.asarray(table[rows], dtype=np.float32)
        self._ids = np.concatenate([self._ids, rows])
        self._order = np.argsort(self._ids)
        self._times = np.concatenate([self._times, np.zeros(len(rows), dtype=np.int64)])
        self._values = np.concatenate([self._values, vectors])
        self._averages = np.concatenate([self._averages, vectors])
        self._first = np.concatenate([self._first, np.zeros_like(vectors)])
        self._second = np.concatenate([self._second, np.zeros_like(vectors)])


def _rows(words: Words, vectors: Vectors) -> list[Array]:
    """Return the (words,) rows of each table."""
    return [words.gather(rows) for rows in vectors.rows]


def _tables(vectors: Vectors) -> list[Array]:
    """Return the tables: thinc's types of them know no index by an array."""
    return [cast("Array", table) for table in vectors.space.tables]
