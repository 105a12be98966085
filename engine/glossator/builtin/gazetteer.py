"""The `gazetteer` tagger: finds all occurrences of the phrases of a list; they may overlap."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import spacy
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc

from glossator.annotations.layer import Layer
from glossator.errors import ConfigError, DataError, StageError
from glossator.stages import ScoredSpan, Vectors

if TYPE_CHECKING:
    from spacy.language import Language

FILE = "phrases.jsonl"


class Gazetteer:
    """Finds the phrases of a list with spaCy's PhraseMatcher; each has the score 1.

    The list is a file of JSON lines, {"label": "LOC", "phrase": "New York"}.

    Example:
        tagger = Gazetteer(phrases="cities.jsonl", write="spans:cities", ignore_case=True)
        tagger.prepare(Path("lists"))
        tagger.predict([doc], Vectors(VectorSpace(), values=[]))

    Args:
        phrases: The file, relative to the config's folder.
        write: "ents" or "spans:KEY".
        lang: A spaCy language code: phrases are split by its tokenizer, and at white space.
        ignore_case: Whether "new york" matches, too.
    """

    def __init__(
        self, phrases: str = "", write: str = "ents", lang: str = "en", ignore_case: bool = False
    ) -> None:
        if not Layer.for_tagger(write).is_spans:
            raise ConfigError(f"gazetteer writes 'ents' or 'spans:KEY', not {write!r}")
        self._file = phrases
        # A vocab of its own outlives any memory zone of the pipeline; hashes are the same in all vocabs.
        self._nlp = spacy.blank(lang)
        self._attribute = "LOWER" if ignore_case else "ORTH"
        self._phrases: list[tuple[str, str]] | None = None
        self.labels: tuple[str, ...] = ()

    def prepare(self, folder: Path) -> None:
        """Read the list."""
        if not self._file:
            raise ConfigError('gazetteer needs phrases = "FILE", JSON lines of label and phrase')
        self._use(_read(folder / self._file))

    def predict(self, docs: Sequence[Doc], vectors: Vectors) -> list[list[ScoredSpan]]:
        """Return all matches, also overlapping ones."""
        if self._phrases is None:
            raise StageError("gazetteer: the list of phrases is not read yet; call Pipeline.prepare()")
        return [list(self._matches(doc)) for doc in docs]

    def to_disk(self, path: Path) -> None:
        """Write the list."""
        if self._phrases is None:
            raise StageError("gazetteer: the list of phrases is not read yet, there is nothing to save")
        lines = [json.dumps({"label": label, "phrase": phrase}) for label, phrase in self._phrases]
        # The number comes first: without it, a file that was cut between two lines would look whole.
        content = "".join(f"{line}\n" for line in [_header(len(lines)), *lines])
        (path / FILE).write_text(content, encoding="utf-8")

    def from_disk(self, path: Path) -> None:
        """Read the list back."""
        self._use(_read_saved(path / FILE))

    def _use(self, phrases: list[tuple[str, str]]) -> None:
        self._phrases = phrases
        self.labels = tuple(sorted({label for label, _ in phrases}))
        self._matcher = PhraseMatcher(self._nlp.vocab, attr=self._attribute)
        for label in self.labels:
            texts = [phrase for of_phrase, phrase in phrases if of_phrase == label]
            self._matcher.add(label, [doc for text in texts for doc in _tokenized(self._nlp, text)])

    def _matches(self, doc: Doc) -> Iterator[ScoredSpan]:
        # A set, because a phrase that was added in two tokenizations can match twice.
        matches = {(start, end, key) for key, start, end in self._matcher(doc)}
        for start, end, key in sorted(matches):
            yield ScoredSpan(start, end, self._nlp.vocab.strings[key], 1.0)


def _tokenized(nlp: Language, phrase: str) -> list[Doc]:
    """Return a phrase tokenized by spaCy and, if that differs, at white space."""
    docs = [nlp.make_doc(phrase), Doc(nlp.vocab, words=phrase.split())]
    same = [token.text for token in docs[0]] == [token.text for token in docs[1]]
    return docs[:1] if same else docs


def _read(file: Path) -> list[tuple[str, str]]:
    phrases = [_phrase(line, str(file), number) for number, line in _lines(file)]
    if not phrases:
        raise DataError("the list of phrases is empty", file=str(file))
    return phrases


def _read_saved(file: Path) -> list[tuple[str, str]]:
    header, *lines = _lines(file) or [(1, "")]
    if header[1] != _header(len(lines)):
        raise DataError(
            "the list is damaged: the first line should hold the number of phrases", file=str(file), line=1
        )
    return [_phrase(line, str(file), number) for number, line in lines]


def _header(phrases: int) -> str:
    return json.dumps({"phrases": phrases})


def _lines(file: Path) -> list[tuple[int, str]]:
    """Return the non-blank lines, with their numbers."""
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the list of phrases: {error}", file=str(file)) from None
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def _phrase(line: str, file: str, number: int) -> tuple[str, str]:
    try:
        entry = json.loads(line)
        label, phrase = entry["label"], entry["phrase"]
    except (ValueError, KeyError, TypeError):
        label = phrase = None
    if not (isinstance(label, str) and label and isinstance(phrase, str) and phrase.strip()):
        raise DataError('not of the form {"label": "LOC", "phrase": "New York"}', file=file, line=number)
    return label, phrase.strip()
