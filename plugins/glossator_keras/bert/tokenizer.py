"""Words cut into word pieces (Wu et al. 2016), each piece of exactly one word.

Each word is cut by itself, as Hugging Face's tokenizers do with text that is split already; so its pieces are
looked up once for all its occurrences. A word of which nothing is left, a lone joiner or a soft hyphen,
becomes [UNK]: every word has a piece.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import ORTH

from glossator.errors import ConfigError, PipelineError, StageError
from glossator.ml.words import Words, strings_of, words_of
from glossator_keras.arrays import Ints, Positions

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from tokenizers import Tokenizer

TOKENIZER, TOKENIZER_CONFIG, VOCABULARY = "tokenizer.json", "tokenizer_config.json", "vocab.txt"
CLS, SEP, UNK = "[CLS]", "[SEP]", "[UNK]"
SPECIAL = 2  # pieces around a sequence: [CLS] and [SEP]
LONGEST_WORD = 100  # characters; BERT has [UNK] for a longer one

MAX_CACHED = 100_000  # different words

CASES = 8  # kinds of capitals that `case_of` tells apart

CutWord: TypeAlias = tuple[Ints, int]
"""The pieces of a word, and its `case_of`."""


@dataclass(frozen=True, slots=True)
class EncodedPieces:
    """The words of a batch of Docs in word pieces.

    Attributes:
        words: The words of the Docs.
        ids: (pieces,) rows of the model's vocabulary, one word after the other.
        firsts: (words + 1,) where each word begins among the pieces.
        cases: (words,) the `case_of` each word.

    Example:
        The pieces of the first word:

            encoded = tokenizer.encode(docs)
            encoded.ids[: encoded.firsts[1]]
    """

    words: Words
    ids: Ints
    firsts: Positions
    cases: Ints

    @property
    def sentence_bounds(self) -> Positions:
        """(sentences + 1,) where each sentence begins among the pieces."""
        return self.firsts[self.words.sentence_starts]

    @property
    def doc_bounds(self) -> Positions:
        """(docs + 1,) where each Doc begins among the pieces."""
        return self.firsts[self.words.word_starts]


class WordPieceTokenizer:
    """Cuts words into pieces.

    Args:
        tokenizer: Hugging Face's, which cuts single words.

    Attributes:
        cls, sep, unk: Ids of the pieces that begin and end a sequence, and that stand for unknown text.

    Raises:
        ConfigError: The tokenizer lacks one of those.

    Example:
        From a checkpoint's folder:

            tokenizer = WordPieceTokenizer.from_folder(folder, vocabulary_size=30_522)
            tokenizer.cut(["Lisbon"])  # one array of ids per word
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True  # "[SEP]" in a text is text, not the end of a sequence
        self._tokenizer = tokenizer
        self.cls, self.sep, self.unk = (self._id_of(piece) for piece in (CLS, SEP, UNK))
        self._cache: dict[int, CutWord] = {}  # by ORTH

    @classmethod
    def from_folder(cls, folder: Path, vocabulary_size: int) -> WordPieceTokenizer:
        """Read a checkpoint's `tokenizer.json`, else its `vocab.txt`.

        Raises:
            ConfigError: There is neither, one is damaged, or it has more pieces than the model.
        """
        tokenizer = _read_tokenizer(folder)
        if tokenizer.get_vocab_size() > vocabulary_size:
            raise ConfigError(
                f"its tokenizer has {tokenizer.get_vocab_size():,} word pieces and its model "
                f"{vocabulary_size:,}: they do not belong together"
            )
        return cls(tokenizer)

    @classmethod
    def from_disk(cls, folder: Path) -> WordPieceTokenizer:
        """Read what `to_disk` wrote.

        Raises:
            PipelineError: It is missing or damaged.
        """
        file = folder / TOKENIZER
        try:
            return cls(_library().from_str(file.read_text(encoding="utf-8")))
        except StageError:
            raise
        except Exception as error:  # tokenizers raises bare Exceptions
            raise PipelineError(f"{file} is missing or damaged: {error}") from error

    def to_disk(self, folder: Path) -> None:
        """Write a `tokenizer.json`."""
        (folder / TOKENIZER).write_text(self._tokenizer.to_str(), encoding="utf-8")

    @property
    def lowercases(self) -> bool:
        """Whether the model sees no capitals."""
        normalizer = self._tokenizer.normalizer
        return normalizer is not None and "A" not in normalizer.normalize_str("A")

    def encode(self, docs: Sequence[Doc]) -> EncodedPieces:
        """Cut the words of some Docs; white-space tokens are none."""
        words = words_of(docs, [ORTH])
        keys, first, inverse = np.unique(words.features[:, 0], return_index=True, return_inverse=True)
        cut_words = self._look_up(docs, words, keys, first)

        # From pieces of different words, one after the other, to those of all words.
        pieces = [np.zeros(0, dtype=np.int32), *(pieces for pieces, _ in cut_words)]
        counts = np.array([len(pieces) for pieces, _ in cut_words], dtype=np.intp)
        starts = np.concatenate(([0], np.cumsum(counts)))
        of_words = counts[inverse]
        firsts = np.concatenate(([0], np.cumsum(of_words)))
        within = np.arange(firsts[-1]) - np.repeat(firsts[:-1], of_words)
        return EncodedPieces(
            words=words,
            ids=np.concatenate(pieces)[np.repeat(starts[inverse], of_words) + within],
            firsts=firsts,
            cases=np.array([case for _, case in cut_words], dtype=np.int32)[inverse],
        )

    def cut(self, strings: Sequence[str]) -> list[Ints]:
        """Return the pieces of each word, at least one."""
        if not strings:
            return []
        encoding = self._tokenizer.encode(list(strings), is_pretokenized=True, add_special_tokens=False)
        ids = np.asarray(encoding.ids, dtype=np.int32)
        counts = np.bincount(np.asarray(encoding.word_ids, dtype=np.intp), minlength=len(strings))
        parts = np.split(ids, np.cumsum(counts)[:-1])
        return [part if len(part) else np.array([self.unk], dtype=np.int32) for part in parts]

    def _look_up(
        self, docs: Sequence[Doc], words: Words, keys: NDArray[np.uint64], first: Positions
    ) -> list[CutWord]:
        cache = self._cache
        if len(cache) > MAX_CACHED:
            cache.clear()
        missing = [index for index, key in enumerate(keys.tolist()) if key not in cache]
        strings = strings_of(docs, words, first[missing], keys[missing])
        for index, string, pieces in zip(missing, strings, self.cut(strings), strict=True):
            cache[int(keys[index])] = pieces, case_of(string)
        return [cache[key] for key in keys.tolist()]

    def _id_of(self, piece: str) -> int:
        number = self._tokenizer.token_to_id(piece)
        if number is None:
            raise ConfigError(f"its tokenizer has no piece {piece}")
        return int(number)


def case_of(string: str) -> int:
    """Return the kind of a word by its capitals and digits, which lower-case pieces lack.

    The kinds are rows of trained tables, so that their numbers must not change: 1 for lower case, 2 for a
    capital and lower case, 3 for a single capital, 4 for capitals alone, 5 for digits alone, 6 for digits
    among others, 7 for other words with capitals, 0 for all the rest.
    """
    if any(character.isdigit() for character in string):
        return 5 if string.isdigit() else 6
    if string.islower():
        return 1
    if string.istitle():
        return 2 if len(string) > 1 else 3
    if string.isupper():
        return 4
    return 7 if any(character.isupper() for character in string) else 0


def _read_tokenizer(folder: Path) -> Tokenizer:
    library = _library()
    file = folder / TOKENIZER
    try:
        if file.is_file():
            return library.from_file(str(file))
        file = folder / VOCABULARY
        if file.is_file():
            return _from_vocabulary(file, folder / TOKENIZER_CONFIG)
    except Exception as error:  # tokenizers raises bare Exceptions
        raise ConfigError(f"{file} cannot be read: {error}") from error
    raise ConfigError(f"{folder} has neither {TOKENIZER} nor {VOCABULARY}")


def _from_vocabulary(vocabulary: Path, config: Path) -> Tokenizer:
    """Return BERT's tokenizer for a list of word pieces, with the defaults of Hugging Face's own."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    options = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    model = WordPiece.from_file(str(vocabulary), unk_token=UNK, max_input_chars_per_word=LONGEST_WORD)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = BertNormalizer(
        lowercase=options.get("do_lower_case", True),
        strip_accents=options.get("strip_accents"),
        handle_chinese_chars=options.get("tokenize_chinese_chars", True),
    )
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


def _library() -> type[Tokenizer]:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise StageError(f"this needs tokenizers ({error}): pip install tokenizers") from error
    return Tokenizer
