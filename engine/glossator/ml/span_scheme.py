"""Span schemes: turn spans of entity types into one label per token, and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.integer[Any]]
Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]
Bools: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class SpanScheme:
    """Turns spans of entity types into one label per token, and back (Ramshaw and Marcus 1995).

    Example:
        scheme = SpanScheme.bio(["PER"])
        scheme.labels  # ("O", "B-PER", "I-PER")
        scheme.encode([(1, 3, "PER")], 4)  # [0, 1, 2, 0]
        scheme.decode(np.array([0, 1, 2, 0]))  # [(1, 3, "PER")]

    Attributes:
        types: The entity types.
        prefixes: "BI" for BIO, "BIES" for BIOES: the labels of each type, beside the common "O".
    """

    types: tuple[str, ...]
    prefixes: Literal["BI", "BIES"]

    @classmethod
    def bio(cls, types: Iterable[str]) -> SpanScheme:
        """Return the scheme with the labels begin, inside and outside."""
        return cls(tuple(types), "BI")

    @classmethod
    def bioes(cls, types: Iterable[str]) -> SpanScheme:
        """Return the scheme with the labels begin, inside, outside, end and single."""
        return cls(tuple(types), "BIES")

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels: "O", then those of the first type, e.g. "B-PER", "I-PER", and so on."""
        return ("O", *(f"{prefix}-{name}" for name in self.types for prefix in self.prefixes))

    @cached_property
    def roles(self) -> Ints:
        """(4, types): labels of a span's first, inner and last token, and of a single token."""
        # In BIO, a last token is labelled like an inner one, and a single token like a first one.
        prefixes = "BIES" if "E" in self.prefixes else "BIIB"
        offsets = np.array([self.prefixes.index(prefix) for prefix in prefixes])
        return 1 + offsets[:, None] + len(self.prefixes) * np.arange(len(self.types))

    @cached_property
    def label_types(self) -> Ints:
        """(labels,) indices into `types`; -1 for "O"."""
        return np.concatenate(([-1], np.repeat(np.arange(len(self.types)), len(self.prefixes))))

    @cached_property
    def continues(self) -> Bools:
        """(labels, labels): whether the second label continues the span of the first."""
        same_type: Bools = self.label_types[:, None] == self.label_types[None, :]
        return same_type & self._has_prefix("BI")[:, None] & self._has_prefix("IE")[None, :]

    @cached_property
    def start_allowed(self) -> Bools:
        """(labels,): whether a sequence may start with the label."""
        return ~self._has_prefix("IE")

    @cached_property
    def end_allowed(self) -> Bools:
        """(labels,): whether a sequence may end with the label."""
        return ~self._has_prefix("BI") if "E" in self.prefixes else np.ones(len(self.labels), dtype=bool)

    @cached_property
    def transition_allowed(self) -> Bools:
        """(labels, labels): whether the second label may follow the first."""
        return self.continues | (self.end_allowed[:, None] & self.start_allowed[None, :])

    def constraints(self) -> tuple[Floats, Floats, Floats]:
        """Return transitions, start and end potentials: 0 if allowed, -inf if not."""
        allowed = (self.transition_allowed, self.start_allowed, self.end_allowed)
        transitions, start, end = (np.where(each, 0.0, -np.inf) for each in allowed)
        return transitions, start, end

    def encode(self, spans: Iterable[tuple[int, int, str]], length: int) -> Ints:
        """Return the (length,) labels of spans (start, end, type).

        Raises:
            ValueError: Spans overlap, are empty or out of range, or a type is unknown.
        """
        ids = np.zeros(length, dtype=np.intp)
        for start, end, name in spans:
            if not 0 <= start < end <= length or ids[start:end].any():
                raise ValueError(f"span [{start}, {end}) is empty, overlaps or leaves the {length} tokens")
            if name not in self.types:
                raise ValueError(f"span type {name!r} is not one of {self.types}")

            begin, inside, last, single = self.roles[:, self.types.index(name)]
            # In this order: a later line overwrites what an earlier one wrote too widely.
            ids[start:end] = inside
            ids[start] = begin
            ids[end - 1] = last if end - start > 1 else single
        return ids

    def decode(self, ids: Integers) -> list[tuple[int, int, str]]:
        """Return the spans (start, end, type) of one (length,) sequence of labels.

        Invalid sequences are read as by conlleval: a span that no label continues ends, and a label that
        continues nothing begins a span.
        """
        spans = self.decode_batch(np.asarray(ids)[None, :], np.array([len(ids)]))
        return [(start, end, self.types[kind]) for _, start, end, kind in spans.tolist()]

    def decode_batch(self, ids: Integers, lengths: Integers) -> Ints:
        """Return the spans of (batch, time) labels as (n, 4): row, start, end, index into `types`."""
        # One "O" on each side, so that no span of one row continues in the next.
        padded = np.zeros((ids.shape[0], ids.shape[1] + 2), dtype=np.intp)
        padded[:, 1:-1] = np.where(np.arange(ids.shape[1]) < np.asarray(lengths)[:, None], ids, 0)
        kinds = self.label_types[padded[:, 1:-1]]
        joined = self.continues[padded[:, :-1], padded[:, 1:]]
        rows, starts = np.nonzero((kinds >= 0) & ~joined[:, :-1])
        _, lasts = np.nonzero((kinds >= 0) & ~joined[:, 1:])
        return np.stack((rows, starts, lasts + 1, kinds[rows, starts]), axis=1)

    def _has_prefix(self, prefixes: str) -> Bools:
        return np.array([label[0] in prefixes for label in self.labels])
