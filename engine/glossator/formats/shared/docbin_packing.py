"""Packs Docs as spaCy's `DocBin` does, in a tenth of the time."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from spacy.attrs import DEP, ENT_ID, ENT_KB_ID, ENT_TYPE, LEMMA, MORPH, NORM, ORTH, SPACY, TAG
from spacy.tokens import DocBin
from srsly.msgpack import Packer

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc, SpanGroup

# zlib's own choice, 6, makes a file 8% smaller and takes three times as long.
COMPRESSION = 3

_ATTRIBUTES: list[Any] = DocBin().attrs
_STRINGS = [ORTH, NORM, TAG, DEP, ENT_TYPE, ENT_KB_ID, ENT_ID, LEMMA, MORPH]
_STRING_COLUMNS = [_ATTRIBUTES.index(attribute) for attribute in _STRINGS]
_SPAN = struct.Struct(">QQQllll")


class PackedDocs:
    """Collects Docs and returns them as the bytes of `DocBin(store_user_data=True)`.

    `DocBin.add` looks up nine strings per token, and srsly gathers its plugins again for every
    message it packs, several per Doc. This class looks up each string once, and one packer
    packs everything. It keeps no reference to the Docs or their vocab.

    Example:
        docs = PackedDocs()
        docs.add(doc, doc.user_data)
        Path("one.spacy").write_bytes(docs.to_bytes())
    """

    def __init__(self) -> None:
        self._packer = Packer(use_bin_type=True)
        self._tokens: list[bytes] = []
        self._spaces: list[bytes] = []
        self._lengths: list[int] = []
        self._cats: list[dict[str, float]] = []
        self._flags: list[dict[str, bool]] = []
        self._span_groups: list[bytes] = []
        self._user_data: list[bytes] = []
        self._strings: dict[int, str] = {}

    def __len__(self) -> int:
        """Return the number of Docs."""
        return len(self._lengths)

    def add(self, doc: Doc, user_data: dict[Any, Any]) -> None:
        """Add a Doc with these user data in place of its own.

        Raises:
            ValueError: A part of it cannot be packed; nothing of the Doc is added.
        """
        tokens: Any = doc.to_array(_ATTRIBUTES).reshape(len(doc), len(_ATTRIBUTES))
        spaces = doc.to_array([SPACY]).astype(bool)
        cats = dict(doc.cats)
        self._pack("cats", cats)  # packed again at the end: here only to fail before anything is added
        packed_user_data = self._pack("user_data", user_data)
        span_groups = self._pack_span_groups(doc)

        self._strings |= self._new_strings(doc, tokens)
        self._tokens.append(tokens.tobytes())
        self._spaces.append(spaces.tobytes())
        self._lengths.append(len(doc))
        self._cats.append(cats)
        self._flags.append({"has_unknown_spaces": doc.has_unknown_spaces})
        self._span_groups.append(span_groups)
        self._user_data.append(packed_user_data)

    def to_bytes(self) -> bytes:
        """Return the bytes that `DocBin.from_bytes` reads."""
        message = {
            "version": DocBin().version,
            "attrs": _ATTRIBUTES,
            "tokens": b"".join(self._tokens),
            "spaces": b"".join(self._spaces),
            "lengths": np.asarray(self._lengths, dtype=np.int32).tobytes(),
            "strings": sorted(self._strings.values()),
            "cats": self._cats,
            "flags": self._flags,
            "span_groups": self._span_groups,
            "user_data": self._user_data,
        }
        return zlib.compress(self._packer.pack(message), COMPRESSION)

    def _new_strings(self, doc: Doc, tokens: NDArray[np.uint64]) -> dict[int, str]:
        """Return the strings of a Doc that are not collected yet, by hash."""
        collected, strings = self._strings, doc.vocab.strings
        keys = np.unique(tokens[:, _STRING_COLUMNS]).tolist()
        for group in doc.spans.values():
            for span in group:
                keys += [span.label, *(key for key in (span.kb_id, span.id) if key in strings)]
        try:
            return {key: strings[key] for key in keys if key not in collected}
        except KeyError as error:
            raise ValueError(f"its vocab lacks one of its strings: {error}") from error

    def _pack_span_groups(self, doc: Doc) -> bytes:
        """Return the same bytes as `doc.spans.to_bytes()`, which packs equal groups once."""
        if not doc.spans:
            return doc.spans.to_bytes()
        groups: dict[bytes, list[str]] = {}
        for key, group in doc.spans.items():
            groups.setdefault(self._pack_span_group(group), []).append(key)
        return self._pack("spans", groups)

    def _pack_span_group(self, group: SpanGroup) -> bytes:
        spans = [
            _SPAN.pack(span.id, span.kb_id, span.label, span.start, span.end, span.start_char, span.end_char)
            for span in group
        ]
        return self._pack("spans", {"name": group.name, "attrs": group.attrs, "spans": spans})

    def _pack(self, what: str, value: object) -> bytes:
        try:
            packed: bytes = self._packer.pack(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"its {what} cannot be packed: {error}") from error
        return packed
