"""The files in a folder of vectors, and the metadata in its `vectors.json`.

vectors.json  count, width, origin, sizes of the files
table.npy     (count + 1, width) float32, row 0 zeros: the vector of words that have none
keys.npy      (count,) uint64, spaCy's hashes of the words, sorted
rows.npy      (count,) int32, the row of each key
words.txt     UTF-8, one word per line, in the order of the rows
buckets.npy   (buckets, width) float32, vectors of character n-grams; only with sub-words
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from glossator.errors import PipelineError

FORMAT_VERSION = 1
METADATA, TABLE, KEYS, ROWS, WORDS, BUCKETS = (
    "vectors.json",
    "table.npy",
    "keys.npy",
    "rows.npy",
    "words.txt",
    "buckets.npy",
)
REMEDY = "make the folder again with `glossator vectors train` or `glossator vectors import`"


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorsMetadata:
    """The content of `vectors.json`.

    Example:
        metadata = VectorsMetadata(method="word2vec", source="novels", licence="CC0", lang="en")
        writer.finish(metadata)

    Attributes:
        method: How the vectors were trained, or the format they were imported from.
        count: Number of words.
        width: Dimensions of a vector.
        source: Free-text description of where the vectors come from.
        licence: Licence of the vectors; "" if unknown.
        lang: Language code of the tokenizer, if the vectors were trained by Glossator; else "".
        subwords: {"min_n": ..., "max_n": ...} of the n-grams, or None.
        checksum: CRC-32 of the vectors; distinguishes folders whose files have the same sizes.
        files: Size of each file in bytes.
        format: Version of the folder's layout.
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


def read_metadata(folder: Path) -> VectorsMetadata:
    """Read the `vectors.json` of a folder.

    Raises:
        PipelineError: The file is missing or damaged, or has a version that this Glossator cannot read.
    """
    file = folder / METADATA
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        version = values["format"]
        metadata = VectorsMetadata(**values) if version == FORMAT_VERSION else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(file, str(error)) from error

    if metadata is None:
        raise PipelineError(
            f"{folder}: the vectors have format {version}; this Glossator reads format {FORMAT_VERSION}"
        )
    wanted = {TABLE, KEYS, ROWS, WORDS} | ({BUCKETS} if metadata.subwords else set())
    if wanted != set(metadata.files) or metadata.width < 1 or metadata.count < 0:
        raise damaged(file, "it does not describe a folder of vectors")
    return metadata


def check_sizes(folder: Path, metadata: VectorsMetadata) -> None:
    """Raise `PipelineError` if a file is missing or its size differs from the recorded one."""
    for name, wanted in metadata.files.items():
        try:
            size = (folder / name).stat().st_size
        except OSError:
            raise damaged(folder / name, "it is missing") from None
        if size != wanted:
            raise damaged(folder / name, f"it has {size} bytes, not {wanted}")


def damaged(file: Path, reason: str) -> PipelineError:
    """Return the error for a damaged file in a folder of vectors."""
    return PipelineError(f"{file}: the vectors are damaged, {reason}; {REMEDY}")
