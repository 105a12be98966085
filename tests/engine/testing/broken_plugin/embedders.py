"""Embedders with and without a table, and some that break a promise."""

from __future__ import annotations

import json

import numpy as np
from spacy.attrs import LENGTH


class Lengths:
    """Gives every token its length."""

    width = 1

    def embed(self, docs):
        return [doc.to_array([LENGTH]).reshape(-1, 1).astype("float32") for doc in docs]

    def to_disk(self, path):
        pass

    def from_disk(self, path):
        pass


class Table:
    """Rows by length, up to eight letters."""

    width = 3

    def __init__(self):
        self.table = np.arange(27, dtype="float32").reshape(9, 3)

    def rows(self, docs):
        return [np.minimum(doc.to_array([LENGTH]).reshape(-1).astype(int), 8) for doc in docs]

    def embed(self, docs):
        return [self.table[rows] for rows in self.rows(docs)]

    def to_disk(self, path):
        (path / "table.json").write_text(json.dumps(self.table.tolist()))

    def from_disk(self, path):
        self.table = np.array(json.loads((path / "table.json").read_text()), dtype="float32")


class NotFinite(Lengths):
    """Takes the logarithm of the number of letters, of which white space has none."""

    def embed(self, docs):
        counts = [[[sum(c.isalpha() for c in token.text)] for token in doc] for doc in docs]
        with np.errstate(divide="ignore"):
            return [np.log(np.array(count, dtype="float32").reshape(-1, 1)) for count in counts]


class RowsPastTheTable(Table):
    def rows(self, docs):
        return [doc.to_array([LENGTH]).reshape(-1).astype(int) for doc in docs]

    def embed(self, docs):
        return [self.table[np.minimum(rows, 8)] for rows in self.rows(docs)]
