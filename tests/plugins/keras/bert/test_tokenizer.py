"""Words and word pieces: each piece is of one word, and long sequences are read in windows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from tiny_bert import VOCABULARY, write_bert

from glossator.errors import ConfigError
from glossator_keras.bert.tokenizer import CASES, WordPieceTokenizer, case_of
from glossator_keras.bert.windows import overlapping_windows, padded_windows

NLP = spacy.blank("xx")
UNK = VOCABULARY.index("[UNK]")


@pytest.fixture(scope="module")
def pieces(tmp_path_factory) -> WordPieceTokenizer:
    folder = write_bert(tmp_path_factory.mktemp("bert"))
    return WordPieceTokenizer.from_folder(folder, len(VOCABULARY))


def doc_of(*words: str) -> Doc:
    return Doc(NLP.vocab, words=list(words))


def named(ids) -> list[str]:
    return [VOCABULARY[number] for number in ids]


def spelt(pieces: WordPieceTokenizer, *words: str) -> list[list[str]]:
    """The pieces of each word of one Doc."""
    encoded = pieces.encode([doc_of(*words)])
    return [named(part) for part in np.split(encoded.ids, encoded.firsts[1:-1])]


def test_words_are_cut_into_the_pieces_of_the_vocabulary(pieces):
    assert spelt(pieces, "The", "boater", "saw", "Ôslo", "b.") == [
        ["the"],
        ["boat", "##er"],
        ["saw"],
        ["oslo"],
        ["b", "."],
    ]


def test_a_word_of_which_nothing_is_left_is_unknown(pieces):
    assert spelt(pieces, "old", "\u200d", "\ufe0f", "\xad", "boat") == [
        ["old"],
        ["[UNK]"],
        ["[UNK]"],
        ["[UNK]"],
        ["boat"],
    ]


def test_what_a_text_calls_a_special_piece_is_none(pieces):
    assert "[SEP]" not in spelt(pieces, "[SEP]")[0]
    assert "[PAD]" not in spelt(pieces, "[PAD]")[0]


def test_white_space_has_no_pieces(pieces):
    doc = doc_of("\n", "old", " ", "boat", "\u00a0")
    encoded = pieces.encode([doc, doc_of(), doc_of("\n")])
    assert named(encoded.ids) == ["old", "boat"]
    assert encoded.words.positions.tolist() == [1, 3]
    assert encoded.doc_bounds.tolist() == [0, 2, 2, 2]


def test_no_documents_have_no_pieces(pieces):
    encoded = pieces.encode([])
    assert len(encoded.ids) == 0
    assert encoded.firsts.tolist() == [0]


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(docs=st.lists(st.lists(texts, max_size=8), max_size=4))
def test_every_word_has_the_pieces_it_has_by_itself(pieces, docs):
    made = [doc_of(*words) for words in docs]
    encoded = pieces.encode(made)
    words = [token.text for doc in made for token in doc if not token.is_space]
    assert len(encoded.firsts) == len(words) + 1
    assert encoded.firsts[-1] == len(encoded.ids)
    for word, ids in zip(words, np.split(encoded.ids, encoded.firsts[1:-1]), strict=False):
        alone = pieces._tokenizer.encode(word, add_special_tokens=False).ids
        assert ids.tolist() == (alone or [UNK])


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_any_text_is_covered_by_its_tokens_pieces(pieces, text):
    doc = NLP(text)
    encoded = pieces.encode([doc])
    assert len(encoded.cases) == sum(not token.is_space for token in doc)
    assert (np.diff(encoded.firsts) > 0).all()
    assert ((encoded.ids >= 0) & (encoded.ids < len(VOCABULARY))).all()


def test_it_is_the_same_after_it_was_written_and_read(pieces, tmp_path):
    pieces.to_disk(tmp_path)
    again = WordPieceTokenizer.from_disk(tmp_path)
    words = ["The", "boats", "Ôslo", "\u200d", "[SEP]", "林"]
    assert spelt(again, *words) == spelt(pieces, *words)
    assert again.lowercases


def test_a_tokenizer_json_that_cuts_off_is_read_whole(pieces, tmp_path):
    folder = write_bert(tmp_path / "cut")
    tokenizer = WordPieceTokenizer.from_folder(folder, len(VOCABULARY))._tokenizer
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)
    tokenizer.save(str(folder / "tokenizer.json"))
    read = WordPieceTokenizer.from_folder(folder, len(VOCABULARY))
    assert len(read.encode([doc_of(*["old"] * 9)]).ids) == 9
    assert len(read.encode([doc_of("old")]).ids) == 1


def test_a_cased_vocabulary_keeps_capitals(tmp_path):
    read = WordPieceTokenizer.from_folder(write_bert(tmp_path, lowercase=False), len(VOCABULARY))
    assert not read.lowercases
    assert spelt(read, "Old", "old") == [["[UNK]"], ["old"]]


def test_more_pieces_than_the_model_has_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="do not belong together"):
        WordPieceTokenizer.from_folder(write_bert(tmp_path), 10)


def test_a_folder_without_a_vocabulary_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"neither tokenizer\.json nor vocab\.txt"):
        WordPieceTokenizer.from_folder(tmp_path, 10)


def test_capitals_and_digits_are_told_apart():
    told = ["!", "old", "Old", "O", "OLD", "14", "1990s", "oLd"]
    assert [case_of(word) for word in told] == list(range(CASES))


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(0, 200), max_size=5),
    most=st.integers(4, 40),
)
def test_each_piece_is_read_where_it_is_furthest_from_an_edge(sizes, most):
    bounds = np.concatenate(([0], np.cumsum(sizes, dtype=np.intp)))
    windows = overlapping_windows(bounds, most)
    owner = np.full(bounds[-1], -1)
    for number, (since, until) in enumerate(windows.owned.tolist()):
        assert (owner[since:until] == -1).all()
        owner[since:until] = number
    ends = windows.starts + windows.lengths
    for start, end in pairwise(bounds.tolist()):
        own = (windows.starts >= start) & (ends <= end) & (windows.lengths > 0)

        def context(piece, number, start=start, end=end):
            """How much it sees on the side where it sees least of what there is."""
            first, last = windows.starts[number], ends[number] - 1
            if not first <= piece <= last:
                return -1
            before = np.inf if first == start else piece - first
            after = np.inf if last == end - 1 else last - piece
            return min(before, after)

        for piece in range(start, end):
            best = max(context(piece, number) for number in np.flatnonzero(own))
            # In the very middle of what two windows share, one of them sees one piece more.
            assert context(piece, owner[piece]) >= best - 1
            assert best >= min(most // 8, end - start)
    assert (windows.lengths <= most).all()


def test_windows_are_laid_out_between_their_ends(pieces):
    encoded = pieces.encode([doc_of("the", "old", "boater")])
    batches = list(
        padded_windows(encoded, pieces, np.array([0, 1, 4]), np.array([4, 1, 0]), max_positions=1000)
    )
    [batch] = batches
    rows = {int(which): row for row, which in enumerate(batch.windows)}
    names = [named(batch.token_ids[rows[i]][batch.padding_mask[rows[i]] == 1]) for i in range(3)]
    assert names == [
        ["[CLS]", "the", "old", "boat", "##er", "[SEP]"],
        ["[CLS]", "old", "[SEP]"],
        ["[CLS]", "[SEP]"],
    ]
