"""Vectors a stage is given: frozen as they are, or as tables of which it tunes a copy of its own.

A table may have millions of rows, of which training meets a few thousand. Only those are copied, learned and
saved, by Adam (Kingma and Ba 2015) with moments that move when their row is met; the network itself takes
vectors as its input either way.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glossator.errors import PipelineError
from glossator.stages import Vectors, VectorSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glossator.words import Words
    from glossator_keras.encoding.input_encoder import Layout

    Floats = NDArray[np.float32]
    Arrays = Mapping[str, NDArray[Any]]

TUNED = "tuned.npz"
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7  # of Adam, as in Keras


class GivenVectors:
    """The vectors of a stage's words.

    Args:
        width: Columns in all.
        table_widths: Of each table that is tuned; none where vectors are frozen.
        learn_rate: Adam's.
    """

    def __init__(self, width: int, table_widths: Sequence[int], learn_rate: float) -> None:
        self.width = width
        self._tables = [TunedTable(columns, learn_rate) for columns in table_widths]

    @classmethod
    def of_space(cls, space: VectorSpace, learn_rate: float) -> GivenVectors:
        """Return what suits a space of vectors."""
        widths = [table.shape[1] for table in space.tables]
        return cls(sum(widths) if widths else space.width, widths, learn_rate)

    @property
    def table_widths(self) -> list[int]:
        """Of each table that is tuned."""
        return [table.width for table in self._tables]

    def of_words(self, words: Words, vectors: Vectors, *, learning: bool = False) -> Floats | None:
        """Return (words, width) vectors; None where there are none.

        Args:
            words: Of the Docs that `vectors` are of.
            vectors: As the stage got them.
            learning: Whether tuned rows are wanted as the last step left them, not averaged over steps.
        """
        if not self.width:
            return None
        if not len(words.positions):
            return np.zeros((0, self.width), dtype=np.float32)
        if not self._tables:
            return words.gather(vectors.values).astype(np.float32, copy=False)
        looked_up = [
            tuned.look_up(rows, table, learning=learning)
            for tuned, rows, table in zip(
                self._tables, _rows(words, vectors), vectors.space.tables, strict=True
            )
        ]
        return np.concatenate(looked_up, axis=1)

    @property
    def watched(self) -> tuple[str, ...]:
        """The network's inputs by whose gradients tables are tuned."""
        return ("vectors",) if self._tables else ()

    def learn_batch(
        self, words: Words, vectors: Vectors, batch: Layout, gradients: Arrays, decay: float
    ) -> None:
        """Move the rows of a batch's words down the gradients of its loss by the `watched` inputs.

        Args:
            words: Of the Docs that `vectors` are of.
            vectors: As the stage got them.
            batch: Where the batch's words are.
            gradients: By the inputs' names.
            decay: Of the average over steps that rows are kept as.
        """
        if not self._tables:
            return
        shown = batch.mask
        gradient, places = gradients["vectors"][shown], batch.places[shown]
        start = 0
        for tuned, rows, table in zip(self._tables, _rows(words, vectors), vectors.space.tables, strict=True):
            tuned.learn(rows[places], gradient[:, start : start + tuned.width], table, decay)
            start += tuned.width

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that learning needs."""
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
        """Write the rows that were tuned."""
        if self._tables:
            arrays: dict[str, Any] = self.state()
            np.savez(path / TUNED, **arrays)

    def from_disk(self, path: Path) -> None:
        """Read what `to_disk` wrote; raise `PipelineError` where it is missing or damaged."""
        if not self._tables:
            return
        try:
            with np.load(path / TUNED, allow_pickle=False) as arrays:
                self.restore({name: arrays[name] for name in arrays.files})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise PipelineError(f"{path / TUNED} is missing or damaged: {error}") from error


class TunedTable:
    """The rows of a table that training has met, tuned; the others stay as they are, and so does row 0.

    Args:
        width: Columns.
        learn_rate: Adam's.
    """

    def __init__(self, width: int, learn_rate: float) -> None:
        self.width = width
        self._learn_rate = learn_rate
        self._ids = np.zeros(0, dtype=np.int64)  # of the rows that were met, in the order they were
        self._order = np.zeros(0, dtype=np.intp)  # that sorts them
        self._values, self._averages, self._first, self._second = (
            np.zeros((0, width), dtype=np.float32) for _ in range(4)
        )
        self._times = np.zeros(0, dtype=np.int64)

    def look_up(self, rows: NDArray[Any], table: Any, *, learning: bool = False) -> Floats:
        """Return the (n, width) vectors of (n,) rows; `learning`: as the last step left them."""
        unique, inverse = np.unique(rows, return_inverse=True)
        found = np.asarray(table[unique], dtype=np.float32)
        places = self._places_of(unique)
        tuned = self._values if learning else self._averages
        found[places >= 0] = tuned[places[places >= 0]]
        return np.asarray(found[inverse.reshape(-1)])

    def learn(self, rows: NDArray[Any], gradient: Floats, table: Any, decay: float) -> None:
        """Move the (n,) rows down their (n, width) gradient; several of one row add up.

        `decay` is that of the average, which takes in the rows as this step leaves them.
        """
        unique, inverse = np.unique(rows, return_inverse=True)
        summed = np.zeros((len(unique), self.width), dtype=np.float32)
        np.add.at(summed, inverse.reshape(-1), gradient)
        met = (unique != 0) & (summed != 0).any(axis=1)
        unique, summed = unique[met], summed[met]
        self._add(unique[self._places_of(unique) < 0], table)
        places = self._places_of(unique)
        self._times[places] += 1
        times = self._times[places, None]
        first = BETA_1 * self._first[places] + (1 - BETA_1) * summed
        second = BETA_2 * self._second[places] + (1 - BETA_2) * summed**2
        self._first[places], self._second[places] = first, second
        rate = self._learn_rate * np.sqrt(1 - BETA_2**times) / (1 - BETA_1**times)
        self._values[places] -= (rate * first / (np.sqrt(second) + EPSILON)).astype(np.float32)
        self._averages += (1 - decay) * (self._values - self._averages)

    def state(self) -> dict[str, NDArray[Any]]:
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

    def _places_of(self, rows: NDArray[Any]) -> NDArray[np.intp]:
        """Return where (n,) different rows are among the arrays' rows; -1 for those not met."""
        if not len(self._ids):
            return np.full(len(rows), -1, dtype=np.intp)
        after = np.searchsorted(self._ids, rows, sorter=self._order)
        places = self._order[np.minimum(after, len(self._ids) - 1)]
        return np.where(self._ids[places] == rows, places, -1)

    def _add(self, rows: NDArray[Any], table: Any) -> None:
        if not len(rows):
            return
        given = np.asarray(table[rows], dtype=np.float32)
        self._ids = np.concatenate([self._ids, rows])
        self._order = np.argsort(self._ids)
        self._times = np.concatenate([self._times, np.zeros(len(rows), dtype=np.int64)])
        self._values = np.concatenate([self._values, given])
        self._averages = np.concatenate([self._averages, given])
        self._first = np.concatenate([self._first, np.zeros_like(given)])
        self._second = np.concatenate([self._second, np.zeros_like(given)])


def _rows(words: Words, vectors: Vectors) -> list[NDArray[Any]]:
    """Return the (words,) rows of each table."""
    return [words.gather(rows) for rows in vectors.rows]
