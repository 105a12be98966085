from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from glossator.ml.ngrams import MOST_CHARACTERS, character_ngrams, mixed

words_lists = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), max_size=6
)


def by_hand(word, sizes):
    padded = f" {word[:MOST_CHARACTERS]} "
    digits = "".join("0" if c in "0123456789" else c for c in padded)
    return [digits[i : i + size] for size in sizes for i in range(len(padded) - size + 1)]


@given(words_lists, st.sampled_from([(2,), (1, 2), (2, 3, 4, 5), (3, 5)]))
def test_equal_ngrams_and_no_others_have_equal_hashes(words, sizes):
    grams = character_ngrams(words, sizes)
    for owner, word in enumerate(words):
        assert (grams.owners == owner).sum() == len(by_hand(word, sizes))

    expected = Counter(gram for word in words for gram in by_hand(word, sizes))
    found = Counter(grams.hashes.tolist())
    assert sorted(found.values()) == sorted(expected.values())


@given(words_lists)
def test_the_text_of_an_ngram_is_where_it_was_found(words):
    grams = character_ngrams(words, (2, 3))
    for index in range(len(grams.hashes)):
        padded = f"_{words[grams.owners[index]]}_".replace(" ", "_")
        start = int(grams.starts[index])
        assert grams.text(words, index) == padded[start : start + int(grams.sizes[index])]


def test_a_word_has_the_same_hashes_whatever_stands_beside_it():
    alone = character_ngrams(["tea"], (2, 3)).hashes
    beside = character_ngrams(["encyclopaedia", "tea"], (2, 3))
    assert sorted(beside.hashes[beside.owners == 1]) == sorted(alone)


def test_the_hashes_of_a_word_are_what_they_were():
    """Saved pipelines hold them."""
    assert character_ngrams(["tea"], (2,)).hashes.tolist() == [
        11937660653447937617,
        16788918109995703676,
        1409187149226842850,
        16140226707366533345,
    ]


def test_numbers_of_equal_length_look_alike():
    grams = character_ngrams(["2024", "1999", "199"], (2, 3, 4, 5))
    first, second, third = (sorted(grams.hashes[grams.owners == owner]) for owner in range(3))
    assert first == second != third


def test_very_long_words_are_cut():
    assert len(character_ngrams(["a" * 10_000], (2,)).hashes) == MOST_CHARACTERS + 1


def test_kinds_of_hashes_do_not_meet():
    hashes = character_ngrams(["tea", "coffee"], (2, 3)).hashes
    assert not set(mixed(hashes, 1).tolist()) & set(mixed(hashes, 2).tolist())
