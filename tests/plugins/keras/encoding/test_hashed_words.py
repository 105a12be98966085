"""Words as rows of tables: against the words that must share a row, told one by one."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.vocab import Vocab

from glossator_keras.encoding.hashed_words import AFFIXES, TABLE_ROWS, encode, hide, padded_sentences

VOCAB = spacy.blank("en").vocab
STARTS = np.cumsum([0, *TABLE_ROWS])

ODD = ["e\u0301tude", "\u202eabc", "👩‍🚀", "\ufe0f", "İ", "ﬁn", "ẞ", "a\0", "a\0b", "x" * 5000, "\U0010ffff"]
PLAIN = ["a", "at", "Ana", "ana", "ANA", "Anatole", "tole", "14", "1914", "."]
SPACE = ["\n", "  ", "\t"]
TOKENS = st.sampled_from(PLAIN + ODD + SPACE) | st.text(min_size=1, max_size=7)


@st.composite
def batches(draw: st.DrawFn) -> list[Doc]:
    """Docs of several vocabs, some empty, some cut into sentences."""
    vocabs = [VOCAB, Vocab(lex_attr_getters=VOCAB.lex_attr_getters)]  # whose strings are not each other's
    docs = []
    for words in draw(st.lists(st.lists(TOKENS, max_size=9), max_size=4)):
        starts = draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
        cut = bool(words) and draw(st.booleans())
        docs.append(Doc(draw(st.sampled_from(vocabs)), words=words, sent_starts=starts if cut else None))
    return docs


def words_in(docs: list[Doc]) -> list[str]:
    return [token.text for doc in docs for token in doc if not token.is_space]


def keys(word: str) -> list[str]:
    """What decides a word's row in each table, in the tables' order."""
    lower = word.lower()
    padded, reversed_ = lower + "\0" * AFFIXES, lower[::-1] + "\0" * AFFIXES
    prefixes = [padded[:size] for size in range(1, AFFIXES + 1)]
    suffixes = [reversed_[:size] for size in range(1, AFFIXES + 1)]
    return [lower, *prefixes, *suffixes, VOCAB[word].shape_]


def rows_of(docs: list[Doc]) -> np.ndarray:
    """(words, tables) rows of each word."""
    encoded = encode(docs)
    return encoded.lexemes[encoded.index]


def doc_of(*words: str) -> Doc:
    return Doc(VOCAB, words=list(words))


@settings(deadline=None)
@given(batches())
def test_each_table_gives_a_word_a_row_of_its_own_and_not_the_first(docs):
    rows = rows_of(docs)
    assert rows.shape == (len(words_in(docs)), len(TABLE_ROWS))
    assert (rows > STARTS[:-1]).all()
    assert (rows < STARTS[1:]).all()


@settings(deadline=None)
@given(batches())
def test_words_share_rows_where_they_share_what_the_table_is_of(docs):
    rows = rows_of(docs)
    seen: dict[tuple[int, str], int] = {}
    for word, row in zip(words_in(docs), rows.tolist(), strict=True):
        for table, key in enumerate(keys(word)):
            assert seen.setdefault((table, key), row[table]) == row[table], (word, table)


@settings(deadline=None)
@given(batches())
def test_a_word_has_the_same_rows_in_every_batch(docs):
    alone = {word: rows_of([doc_of(word)])[0].tolist() for word in set(words_in(docs))}
    for word, row in zip(words_in(docs), rows_of(docs).tolist(), strict=True):
        assert row == alone[word]


@settings(deadline=None)
@given(batches())
def test_equal_words_are_one_lexeme_and_the_first_is_padding(docs):
    encoded = encode(docs)
    words = words_in(docs)
    assert encoded.lexemes.dtype == encoded.index.dtype == np.int32
    assert encoded.lexemes[0].tolist() == STARTS[:-1].tolist()
    assert len(encoded.lexemes) == 1 + len(set(words))
    by_index: dict[int, str] = {}
    for word, index in zip(words, encoded.index.tolist(), strict=True):
        assert by_index.setdefault(index, word) == word
    assert sorted(by_index) == list(range(1, len(encoded.lexemes)))


def test_what_differs_seldom_shares_a_row():
    syllables = ["ba", "ke", "li", "mo", "nu", "ry", "ös", "T"]
    words = ["".join(word) for word in product(syllables, repeat=3)]
    rows = rows_of([doc_of(*words)])
    by_word = [keys(word) for word in words]
    for table, size in enumerate(TABLE_ROWS):
        different = {key[table] for key in by_word}
        shared = len(different) - len(set(rows[:, table]))
        pairs = len(different) * (len(different) - 1) / 2
        assert shared <= 3 + 3 * pairs / size, f"table {table}: {shared} of {len(different)} lost"


def test_rows_are_spread_over_their_tables():
    generator = np.random.default_rng(0)
    words = {"".join(map(chr, generator.integers(97, 123, size=6))) for _ in range(4000)}
    rows = rows_of([doc_of(*sorted(words))])
    longest = (0, AFFIXES, 2 * AFFIXES)  # the tables that hold the most: of words, of the longest affixes
    for table in longest:
        tenths = Counter(((rows[:, table] - STARTS[table]) * 10 // TABLE_ROWS[table]).tolist())
        assert sorted(tenths) == list(range(10))
        assert max(tenths.values()) < 1.25 * len(words) / 10


def test_an_affix_longer_than_the_word_is_the_word():
    short, long = rows_of([doc_of("ox", "oxen")])
    same = [table for table in range(len(TABLE_ROWS)) if short[table] == long[table]]
    assert same == [1, 2]  # o-, ox-, and nothing else, no suffix either
    # And it is none of a word that goes on.
    assert [keys("ox")[table] == keys("oxen")[table] for table in range(len(TABLE_ROWS))] == [
        table in same for table in range(len(TABLE_ROWS))
    ]


@pytest.mark.parametrize("docs", [[], [Doc(VOCAB)], [Doc(VOCAB), doc_of("\n", "  "), Doc(VOCAB)]])
def test_docs_without_words_have_no_sentence(docs):
    encoded = encode(docs)
    assert encoded.lexemes.shape == (1, len(TABLE_ROWS))
    assert encoded.index.shape == (0,)
    assert list(padded_sentences(encoded, 100)) == []


def naive_sentences(docs: list[Doc]) -> list[list[str]]:
    found: list[list[str]] = []
    for doc in docs:
        for token in doc:
            if token.i == 0 or token.is_sent_start:
                found.append([])
            if not token.is_space:
                found[-1].append(token.text)
    return [sentence for sentence in found if sentence]


@settings(deadline=None)
@given(batches(), st.integers(1, 40))
def test_padded_sentences_hold_each_word_once_and_nothing_else(docs, max_positions):
    encoded = encode(docs)
    sentences = naive_sentences(docs)
    starts = np.cumsum([0, *map(len, sentences)]).tolist()
    met: list[int] = []
    for batch in padded_sentences(encoded, max_positions):
        met += batch.sequences.tolist()
        time = int(batch.lengths.max())
        assert batch.words.shape == batch.positions.shape == batch.mask.shape == (len(batch.sequences), time)
        assert len(batch.sequences) * time <= max_positions or len(batch.sequences) == 1
        assert sorted({0, *batch.words.ravel().tolist()}) == list(range(len(batch.lexemes)))
        assert np.array_equal(batch.lexemes[0], encoded.lexemes[0])
        for row, sentence in enumerate(batch.sequences.tolist()):
            length = len(sentences[sentence])
            positions = list(range(starts[sentence], starts[sentence] + length))
            assert batch.lengths[row] == length
            assert batch.mask[row].tolist() == [step < length for step in range(time)]
            assert batch.positions[row, :length].tolist() == positions
            assert np.array_equal(
                batch.lexemes[batch.words[row, :length]], encoded.lexemes[encoded.index[positions]]
            )
            assert not batch.words[row, length:].any()
        assert ((batch.positions >= 0) & (batch.positions < len(encoded.index))).all()
    assert sorted(met) == list(range(len(sentences)))


def test_batches_are_of_like_length():
    generator = np.random.default_rng(0)
    docs = [doc_of(*["ox"] * int(size)) for size in generator.integers(1, 60, size=200)]
    batches = list(padded_sentences(encode(docs), 600))
    padding = sum(int((~batch.mask).sum()) for batch in batches)
    words = sum(len(doc) for doc in docs)
    assert padding < 0.2 * words  # against 0.9 where each is padded to the longest of all
    assert len(batches) < 2 + 1.5 * words / 600


@given(st.integers(0, len(TABLE_ROWS) - 1), st.lists(st.booleans(), min_size=5, max_size=5))
def test_to_hide_is_to_give_the_first_row_of_one_table(table, chosen):
    lexemes = encode([doc_of("an", "ox", "fell", "in")]).lexemes
    before = lexemes.copy()
    hidden = hide(lexemes, table, np.asarray(chosen))
    assert np.array_equal(lexemes, before)
    others = np.arange(len(TABLE_ROWS)) != table
    assert np.array_equal(hidden[:, others], lexemes[:, others])
    wanted = [
        STARTS[table] if hide_it else row for hide_it, row in zip(chosen, lexemes[:, table], strict=True)
    ]
    assert hidden[:, table].tolist() == wanted
