"""A folder of vectors: what it holds, and how it is mapped into memory.

vectors.json  count, width, origin, sizes of the files
table.npy     (count + 1, width) float32, row 0 zeros: it stands for words without a vector
keys.npy      (count,) uint64, spaCy's hashes of the words, sorted
rows.npy      (count,) int32, the row of each key
words.txt     UTF-8, a word a line, in the order of the rows
buckets.npy   (buckets, width) float32, vectors of character n-grams, if it knows sub-words
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from glossator.errors import PipelineError

FORMAT_VERSION = 1
FACTS, TABLE, KEYS, ROWS, WORDS, BUCKETS = (
    "vectors.json",
    "table.npy",
    "keys.npy",
    "rows.npy",
    "words.txt",
    "buckets.npy",
)
REMEDY = "make the folder again with `glossator vectors train` or `glossator vectors import`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What `vectors.json` says.

    Attributes:
        method: How the vectors were trained, or the format they were imported from.
        count: Words.
        width: Numbers in a vector.
        source: What they were made from, in words.
        licence: Of the vectors; "" where nobody said.
        lang: The tokenizer's language where they were trained here, else "".
        subwords: {"min_n": ..., "max_n": ...} of the n-grams, or None.
        checksum: CRC-32 of the vectors, which tells folders of the same sizes apart.
        files: Bytes of each file.
        format: The version of the folder's layout.
    """

    method: str
    count: int = 0
    width: int = 0
    source: str = ""
    licence: str = ""
    lang: str = ""
    subwords: Mapping[str, int] | None = None
    checksum: int = 0
    files: Mapping[str, int] = field(default_factory=dict)
    format: int = FORMAT_VERSION

    def to_json(self) -> str:
        """Return the text of `vectors.json`."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"


def read_facts(folder: Path) -> Facts:
    """Return what a folder's `vectors.json` says; raise `PipelineError` where it is damaged."""
    file = folder / FACTS
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        version = values["format"]
        facts = Facts(**values) if version == FORMAT_VERSION else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(file, str(error)) from error
    if facts is None:
        raise PipelineError(f"{folder}: vectors in format {version}; this Glossator reads {FORMAT_VERSION}")
    wanted = {TABLE, KEYS, ROWS, WORDS} | ({BUCKETS} if facts.subwords else set())
    if wanted != set(facts.files) or facts.width < 1 or facts.count < 0:
        raise damaged(file, "it does not describe a folder of vectors")
    return facts


def check_sizes(folder: Path, facts: Facts) -> None:
    """Raise `PipelineError` for a file that is missing or of another size than it was written in."""
    for name, wanted in facts.files.items():
        try:
            size = (folder / name).stat().st_size
        except OSError:
            raise damaged(folder / name, "it is missing") from None
        if size != wanted:
            raise damaged(folder / name, f"it has {size} bytes, not {wanted}")


def damaged(file: Path, reason: str) -> PipelineError:
    """Return the error for a file of a folder of vectors."""
    return PipelineError(f"{file}: the vectors are damaged, {reason}; {REMEDY}")
