"""Words cut into word pieces (Wu et al. 2016), each piece of exactly one word.

A word is cut by itself, as Hugging Face's tokenizers do with text that is split already; so its pieces are
looked up once for all its occurrences. A word of which nothing is left, a lone joiner or a soft hyphen,
becomes [UNK]: every word has a piece.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from spacy.attrs import ORTH

from glossator.errors import ConfigError, PipelineError, StageError
from glossator.words import Words, words_of
from glossator_keras.encoding.hashed_words import strings_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.tokens import Doc
    from tokenizers import Tokenizer

TOKENIZER, TOKENIZER_CONFIG, VOCABULARY = "tokenizer.json", "tokenizer_config.json", "vocab.txt"
CLS, SEP, UNK = "[CLS]", "[SEP]", "[UNK]"
SPECIAL = 2  # pieces around a sequence: [CLS] and [SEP]
LONGEST_WORD = 100  # characters; BERT has [UNK] for a longer one

MOST_REMEMBERED = 100_000  # different words

CASES = 8  # kinds of capitals that `case_of` tells apart


@dataclass(frozen=True, slots=True)
class EncodedPieces:
    """The words of a batch of Docs in word pieces.

    Attributes:
        words: Where they stand.
        ids: (pieces,) rows of the model's vocabulary, of one word after the other.
        firsts: (words + 1,) where each word begins among the pieces.
        cases: (words,) as `case_of` tells them.
    """

    words: Words
    ids: NDArray[np.int32]
    firsts: NDArray[np.intp]
    cases: NDArray[np.int32]

    @property
    def sentence_bounds(self) -> NDArray[np.intp]:
        """(sentences + 1,) where each sentence begins among the pieces."""
        return self.firsts[self.words.sentence_starts]

    @property
    def doc_bounds(self) -> NDArray[np.intp]:
        """(docs + 1,) where each Doc begins among the pieces."""
        return self.firsts[self.words.word_starts]


class WordPieces:
    """Cuts words into pieces.

    Args:
        tokenizer: Hugging Face's, which cuts one word.

    Attributes:
        cls, sep, unk: Ids of the pieces that begin and end a sequence and stand for what is not known.

    Raises:
        ConfigError: The tokenizer lacks one of those.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True  # "[SEP]" in a text is a text's, not the model's
        self._tokenizer = tokenizer
        self.cls, self.sep, self.unk = (self._id_of(piece) for piece in (CLS, SEP, UNK))
        self._remembered: dict[int, tuple[NDArray[np.int32], int]] = {}  # by ORTH: pieces and case

    @classmethod
    def from_folder(cls, folder: Path, vocabulary_size: int) -> WordPieces:
        """Read a checkpoint's `tokenizer.json`, else its `vocab.txt`.

        Raises:
            ConfigError: There is neither, one is damaged, or it has more pieces than the model.
        """
        tokenizer = _tokenizer_of(folder)
        if tokenizer.get_vocab_size() > vocabulary_size:
            raise ConfigError(
                f"its tokenizer has {tokenizer.get_vocab_size():,} word pieces and its model "
                f"{vocabulary_size:,}: they do not belong together"
            )
        return cls(tokenizer)

    @classmethod
    def from_disk(cls, folder: Path) -> WordPieces:
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
        """Whether capitals are lost."""
        normalizer = self._tokenizer.normalizer
        return normalizer is not None and "A" not in normalizer.normalize_str("A")

    def encode(self, docs: Sequence[Doc]) -> EncodedPieces:
        """Cut the words of some Docs; white-space tokens are none."""
        words = words_of(docs, [ORTH])
        keys, first, inverse = np.unique(words.features[:, 0], return_index=True, return_inverse=True)
        remembered = self._look_up(docs, words, keys, first)
        pieces = [np.zeros(0, dtype=np.int32), *(found for found, _ in remembered)]
        counts = np.array([len(found) for found, _ in remembered], dtype=np.intp)
        starts = np.concatenate(([0], np.cumsum(counts)))
        of_words = counts[inverse]
        firsts = np.concatenate(([0], np.cumsum(of_words)))
        within = np.arange(firsts[-1]) - np.repeat(firsts[:-1], of_words)
        return EncodedPieces(
            words=words,
            ids=np.concatenate(pieces)[np.repeat(starts[inverse], of_words) + within],
            firsts=firsts,
            cases=np.array([case for _, case in remembered], dtype=np.int32)[inverse],
        )

    def _look_up(
        self, docs: Sequence[Doc], words: Words, keys: NDArray[np.uint64], first: NDArray[np.intp]
    ) -> list[tuple[NDArray[np.int32], int]]:
        known = self._remembered
        if len(known) > MOST_REMEMBERED:
            known.clear()
        missing = [place for place, key in enumerate(keys.tolist()) if key not in known]
        strings = strings_of(docs, words, first[missing], keys[missing])
        for place, string, pieces in zip(missing, strings, self.cut(strings), strict=True):
            known[int(keys[place])] = pieces, case_of(string)
        return [known[key] for key in keys.tolist()]

    def cut(self, strings: Sequence[str]) -> list[NDArray[np.int32]]:
        """Return the pieces of each word, one at least."""
        if not strings:
            return []
        encoding = self._tokenizer.encode(list(strings), is_pretokenized=True, add_special_tokens=False)
        ids = np.asarray(encoding.ids, dtype=np.int32)
        counts = np.bincount(np.asarray(encoding.word_ids, dtype=np.intp), minlength=len(strings))
        parts = np.split(ids, np.cumsum(counts)[:-1])
        return [part if len(part) else np.array([self.unk], dtype=np.int32) for part in parts]

    def _id_of(self, piece: str) -> int:
        number = self._tokenizer.token_to_id(piece)
        if number is None:
            raise ConfigError(f"its tokenizer has no piece {piece}")
        return int(number)


def case_of(string: str) -> int:
    """Tell words apart by capitals and digits: what is lost to a model whose pieces are all small letters."""
    if any(character.isdigit() for character in string):
        return 5 if string.isdigit() else 6
    if string.islower():
        return 1
    if string.istitle():
        return 2 if len(string) > 1 else 3
    if string.isupper():
        return 4
    return 7 if any(character.isupper() for character in string) else 0


def _tokenizer_of(folder: Path) -> Tokenizer:
    library = _library()
    file = folder / TOKENIZER
    try:
        if file.is_file():
            return cast("Tokenizer", library.from_file(str(file)))
        file = folder / VOCABULARY
        if file.is_file():
            return _of_vocabulary(file, folder / TOKENIZER_CONFIG)
    except Exception as error:  # tokenizers raises bare Exceptions
        raise ConfigError(f"{file} cannot be read: {error}") from error
    raise ConfigError(f"{folder} has neither {TOKENIZER} nor {VOCABULARY}")


def _of_vocabulary(vocabulary: Path, config: Path) -> Tokenizer:
    """Return BERT's tokenizer for a list of word pieces, with the defaults of Hugging Face's own."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    facts = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    model = WordPiece.from_file(str(vocabulary), unk_token=UNK, max_input_chars_per_word=LONGEST_WORD)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = BertNormalizer(
        lowercase=facts.get("do_lower_case", True),
        strip_accents=facts.get("strip_accents"),
        handle_chinese_chars=facts.get("tokenize_chinese_chars", True),
    )
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


def _library() -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise StageError(f"this needs tokenizers ({error}): pip install tokenizers") from error
    return Tokenizer
