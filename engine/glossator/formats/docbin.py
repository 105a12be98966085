"""spaCy's DocBin files: Docs with all their annotations."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from spacy.lang.lex_attrs import LEX_ATTRS
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab
from srsly.msgpack import msgpack_decoders, msgpack_encoders

from glossator.annotations.read import has_entities
from glossator.errors import DataError, UsageError
from glossator.formats import Writer
from glossator.formats.record import CharSpan, Record
from glossator.formats.shared.docbin_packing import PackedDocs
from glossator.formats.shared.text_streams import STANDARD_STREAM

# Key of the record's fields in the `user_data` of a stored Doc; as JSON, as DocBin turns lists into tuples.
FIELDS = "glossator.fields"
SHARD_WORDS = 500_000

_SHARD = re.compile(r"part-([0-9]{5,})\.spacy")


class DocBinFiles:
    """Reads `.spacy` files; writes one file, or a folder of shards.

    Example:
        writer = DocBinFiles().writer(Path("annotated/"))  # a folder: part-00001.spacy, ...
        writer.write(doc, Record(doc.text))
        writer.close()
    """

    def __init__(self) -> None:
        _find_msgpack_plugins()

    def read(self, path: Path, *, name: str, encoding: str) -> Iterator[Record | DataError]:
        """Yield the Docs of one file; the encoding is ignored."""
        try:
            data = sys.stdin.buffer.read() if path == STANDARD_STREAM else path.read_bytes()
        except OSError as error:
            yield DataError(f"cannot be read: {error.strerror or error}", file=name)
            return
        # Damaged bytes can fail anywhere inside zlib, msgpack, numpy and spaCy.
        docs = _docs(data)
        while True:
            try:
                record = _record(next(docs), name)
            except StopIteration:
                return
            except Exception as error:
                yield DataError(f"is not a DocBin, or is damaged: {error}", file=name)
                return
            yield record

    def writer(self, path: Path, *, append: bool = False) -> Writer:
        """Open a file (a path that ends in ".spacy") or a folder of shards.

        A single file is kept in memory until it is closed, and cannot be resumed.
        """
        if path == STANDARD_STREAM:
            raise UsageError(
                "DocBins are not written to standard output: name a file that ends in .spacy or a folder"
            )
        if path.suffix == ".spacy":
            return _FileWriter(path, append)
        return _ShardWriter(path, append)


class _FileWriter:
    """Writes one file when it is closed."""

    def __init__(self, path: Path, append: bool) -> None:
        if append and path.exists():
            raise UsageError(f"{path}: a single DocBin file cannot be resumed: write to a folder instead")
        if not path.parent.is_dir():
            raise DataError(f"cannot be written: there is no folder {path.parent}", file=str(path))
        self._path = path
        self._docs = PackedDocs()

    def write(self, doc: Doc, record: Record) -> None:
        _add(self._docs, doc, record)

    def flush(self) -> None:
        """Do nothing: a DocBin is written as a whole."""

    def close(self) -> None:
        _replace_file(self._path, self._docs.to_bytes())


class _ShardWriter:
    """Writes shards of about `SHARD_WORDS` tokens; a flush ends a shard."""

    def __init__(self, folder: Path, append: bool) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"is not a folder: {error.strerror or error}", file=str(folder)) from error
        last = _last_shard(folder)
        if last and not append:
            raise UsageError(f"{folder}: already holds shards: remove them, or name another folder")
        self._folder = folder
        self._number = last
        self._start_shard()

    def write(self, doc: Doc, record: Record) -> None:
        _add(self._docs, doc, record)
        self._words += len(doc)
        if self._words >= SHARD_WORDS:
            self.flush()

    def flush(self) -> None:
        if len(self._docs):
            _replace_file(self._folder / f"part-{self._number + 1:05d}.spacy", self._docs.to_bytes())
            self._number += 1
            self._start_shard()

    def close(self) -> None:
        self.flush()

    def _start_shard(self) -> None:
        self._docs = PackedDocs()
        self._words = 0


@functools.cache
def _find_msgpack_plugins() -> None:
    """Let srsly find its plugins once: it searches all entry points for every message it packs.

    A Doc is several messages, and for a short Doc the search takes longer than everything else.
    """
    for registry in (msgpack_encoders, msgpack_decoders):
        for plugin, function in registry.get_entry_points().items():
            registry.register(plugin, func=function)
        registry.entry_points = False


def _docs(data: bytes) -> Iterator[Doc]:
    vocab = Vocab(lex_attr_getters=LEX_ATTRS)  # without the getters, `is_space` would be false everywhere
    yield from DocBin().from_bytes(data).get_docs(vocab)


def _record(doc: Doc, name: str) -> Record:
    fields = json.loads(doc.user_data.pop(FIELDS, "{}"))
    spans = None
    if has_entities(doc):
        spans = [CharSpan(entity.start_char, entity.end_char, entity.label_) for entity in doc.ents]
    return Record(doc.text, spans=spans, cats=dict(doc.cats) or None, fields=fields, file=name, doc=doc)


def _add(docs: PackedDocs, doc: Doc, record: Record) -> None:
    try:
        fields = {FIELDS: json.dumps(record.fields)} if record.fields else {}
        docs.add(doc, {**doc.user_data, **fields})
    except (TypeError, ValueError) as error:
        raise DataError(f"the Doc cannot be stored: {error}", file=record.file, line=record.line) from error


def _last_shard(folder: Path) -> int:
    shards = (_SHARD.fullmatch(path.name) for path in folder.iterdir())
    return max((int(shard[1]) for shard in shards if shard), default=0)


def _replace_file(path: Path, data: bytes) -> None:
    """Replace a file, or leave it unchanged if writing fails."""
    # What a kill leaves under this name sorts after all finished shards, so resuming removes it.
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror or error}", file=str(path)) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
