"""Files of vectors become folders of vectors: every format, and what is wrong with a file is told."""

from __future__ import annotations

import bz2
import gzip
import lzma
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glossator.errors import DataError, UsageError
from glossator_vectors.analysis.neighbours import nearest_words
from glossator_vectors.files import textfile
from glossator_vectors.files.formats import detect_format
from glossator_vectors.files.importing import import_vectors
from glossator_vectors.folder.word_vectors import open_vectors

WORDS = ["the", "kettle", "Ostrava", "naïve", "🙂", "NOUN", "don't"]
VALUES = np.round(np.random.default_rng(1).normal(size=(len(WORDS), 4)), 4).astype(np.float32)


def line(word, values):
    return f"{word} {' '.join(f'{value:.4f}' for value in values)}"


LINES = [line(word, row) for word, row in zip(WORDS, VALUES, strict=True)]
GLOVE = "\n".join(LINES) + "\n"
HEADED = f"{len(WORDS)} 4\n{GLOVE}"


def imported(tmp_path, content, **options):
    """Import a file with this content; return what became of it and the words with their vectors."""
    file = tmp_path / options.pop("name", "vectors.txt")
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    result = import_vectors(file, tmp_path / "out", **options)
    vectors = open_vectors(tmp_path / "out")
    assert not vectors.table[0].any()
    return result, dict(zip(vectors.words, vectors.table[1:], strict=True))


def assert_whole(found):
    assert list(found) == WORDS
    np.testing.assert_array_equal(np.stack(list(found.values())), VALUES)


def binary(words, values, end=b"\n"):
    head = f"{len(words)} {values.shape[1]}\n".encode()
    return head + b"".join(
        word.encode() + b" " + row.tobytes() + end for word, row in zip(words, values, strict=True)
    )


@pytest.mark.parametrize(
    ("content", "format_"),
    [
        (GLOVE, "glove"),
        (GLOVE.replace("\n", "\r\n"), "glove"),
        ("\ufeff" + GLOVE, "glove"),
        (GLOVE.rstrip(), "glove"),
        (GLOVE.replace(" ", "\t"), "glove"),
        (GLOVE.replace("\n", " \n"), "glove"),
        (HEADED, "word2vec"),
        (HEADED.replace("\n", " \n"), "word2vec"),
        (binary(WORDS, VALUES), "word2vec-binary"),
        (binary(WORDS, VALUES, end=b""), "word2vec-binary"),
    ],
)
def test_formats_are_told_apart_and_read(tmp_path, content, format_):
    result, found = imported(tmp_path, content)
    assert (result.format, result.width, result.kept, result.skipped, result.missing) == (
        format_,
        4,
        7,
        0,
        0,
    )
    assert_whole(found)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("content", [GLOVE.encode(), binary(WORDS, VALUES)])
def test_compressed_files_are_unpacked(tmp_path, pack, content):
    result, found = imported(tmp_path, pack(content), name="no-telling-ending")
    assert result.skipped == 0
    assert_whole(found)


def test_a_packed_file_that_is_cut_off_keeps_what_came_before(tmp_path):
    many = "".join(f"{line(f'w{i}', VALUES[i % 7])}\n" for i in range(3000))
    packed = gzip.compress(many.encode())
    result, found = imported(tmp_path, packed[: len(packed) // 2])
    assert 0 < len(found) < 3000
    assert "cannot be decompressed" in result.faults[-1].reason
    np.testing.assert_array_equal(found["w9"], VALUES[2])


DAMAGED = [
    ("lamp 0.1 0.2 0.3", "3 numbers, not 4"),
    ("lamp 0.1 0.2 0.3 0.4 0.5", "more than 4 numbers"),
    ("lamp 0.1 0.2 x 0.4", "'x' is not a number"),
    ("lamp 0.1 0.2-0.3 0.3 0.4", "'0.2-0.3' is not a number"),
    ("lamp 0.1  0.3 0.4", "3 numbers, not 4"),
    ("lamp 0.1 nan 0.3 0.4", "not finite"),
    ("lamp 0.1 1e99 0.3 0.4", "not finite"),
    (" 0.1 0.2 0.3 0.4", "3 numbers, not 4"),
    ("lamp", "0 numbers, not 4"),
    ("the 0.1 0.2 0.3 0.4", "'the' is repeated"),
    ("\udcff\udcfe 0.1 0.2 0.3 0.4", "not UTF-8"),
]


@pytest.mark.parametrize(("bad", "reason"), DAMAGED)
@pytest.mark.parametrize("headed", [False, True])
def test_a_damaged_line_is_told_by_number_and_costs_no_other(tmp_path, bad, reason, headed):
    lines = [*LINES[:3], bad, *LINES[3:]]
    if headed:
        lines = ["8 4", *lines]
    content = ("\n".join(lines) + "\n").encode(errors="surrogateescape")
    result, found = imported(tmp_path, content)
    assert_whole(found)
    assert (result.kept, result.skipped, result.missing) == (7, 1, 0)
    [fault] = result.faults
    assert fault.position == 4 + headed
    assert reason in fault.reason


def test_two_wrong_lines_whose_numbers_add_up_are_both_found(tmp_path):
    content = f"{GLOVE}lamp 0.1 0.2 0.3\nshade 0.1 0.2 0.3 0.4 0.5\n"
    result, found = imported(tmp_path, content)
    assert_whole(found)
    assert [fault.position for fault in result.faults] == [8, 9]


def test_words_may_hold_blanks(tmp_path):
    content = f"{GLOVE}. . . 1 2 3 4\nat name@example.org 5 6 7 8\n"
    result, found = imported(tmp_path, content)
    assert result.skipped == 0
    assert list(found)[-2:] == [". . .", "at name@example.org"]
    assert found[". . ."].tolist() == [1, 2, 3, 4]
    assert found["at name@example.org"].tolist() == [5, 6, 7, 8]


def test_a_word_may_hold_what_ends_lines_elsewhere(tmp_path):
    words = ["a\rb", "c\u2028d", "e\x85f"]
    result, found = imported(tmp_path, GLOVE + "".join(f"{word} 1 2 3 4\n" for word in words))
    assert (result.skipped, list(found)) == (0, WORDS + words)


def test_a_header_that_promises_more_is_told(tmp_path):
    result, found = imported(tmp_path, HEADED.replace("7 4", "9 4", 1))
    assert_whole(found)
    assert result.missing == 2


def test_lines_keep_their_numbers_over_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(textfile, "BLOCK_BYTES", 100)
    bad = 40
    lines = [line(f"w{i}", VALUES[i % 7]) for i in range(60)]
    lines[bad] = "oops 1 2"
    result, found = imported(tmp_path, "\n".join(lines))
    assert [fault.position for fault in result.faults] == [bad + 1]
    assert len(found) == 59
    np.testing.assert_array_equal(found["w59"], VALUES[59 % 7])


def test_a_binary_file_that_is_cut_off_keeps_its_whole_words(tmp_path):
    result, found = imported(tmp_path, binary(WORDS, VALUES)[:-6])
    assert list(found) == WORDS[:-1]
    assert result.missing == 1


def test_a_word_with_a_blank_ends_a_binary_file(tmp_path):
    words = [*WORDS[:4], "New Larkfield", *WORDS[4:]]
    values = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    result, found = imported(tmp_path, binary(words, values, end=b""))
    assert list(found) == WORDS[:4]
    assert "contains a blank" in result.faults[-1].reason


def test_a_binary_word_that_is_not_finite_is_left_out(tmp_path):
    values = VALUES.copy()
    values[2, 1] = np.inf
    result, found = imported(tmp_path, binary(WORDS, values))
    assert [fault.position for fault in result.faults] == [3]
    assert list(found) == [*WORDS[:2], *WORDS[3:]]


def test_the_width_is_what_most_lines_have(tmp_path):
    result, found = imported(tmp_path, f". . 1 2 3 4\nbroken 1\n{GLOVE}")
    assert result.width == 4
    assert next(iter(found)) == ". ."
    assert [fault.position for fault in result.faults] == [2]


def test_a_format_can_be_named(tmp_path):
    # two words of width 1, which look like a header first
    content = "5 2\n6 3\n"
    result, found = imported(tmp_path, content, format="glove")
    assert result.width == 1
    assert {word: row.tolist() for word, row in found.items()} == {"5": [2], "6": [3]}


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", DataError, "is empty"),
        (b"just a letter\nto a friend\n", UsageError, "not a file of vectors"),
        (b"lamp nan nan\n", DataError, "holds no valid vector"),
    ],
)
def test_what_holds_no_vectors_is_refused_and_leaves_nothing(tmp_path, content, error, message):
    with pytest.raises(error, match=message):
        imported(tmp_path, content)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["vectors.txt"]


def test_a_zip_archive_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "glove.zip", "w") as archive:
        archive.writestr("glove.txt", GLOVE)
    with pytest.raises(DataError, match="zip archive"):
        import_vectors(tmp_path / "glove.zip", tmp_path / "out")


def test_other_folders_are_not_overwritten_and_those_of_vectors_are(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letters.txt").write_text("mine")
    with pytest.raises(UsageError, match="not a folder of vectors"):
        imported(tmp_path, GLOVE)
    (tmp_path / "out" / "letters.txt").unlink()
    imported(tmp_path, "lamp 1 2\nshade 3 4\n")
    _, found = imported(tmp_path, GLOVE)
    assert_whole(found)


def saved_by_gensim(path, words=WORDS, values=VALUES):
    gensim_models = pytest.importorskip("gensim.models", reason="needs glossator[vectors]")
    vectors = gensim_models.KeyedVectors(values.shape[1])
    vectors.add_vectors(words, values)
    vectors.save(str(path))
    return vectors


@pytest.mark.slow
@pytest.mark.parametrize("count", [7, 700_000])
def test_gensims_own_files(tmp_path, count):
    # large arrays lie in a file beside
    words = [*WORDS, *(f"w{i}" for i in range(count - 7))]
    values = np.resize(VALUES, (count, 4))
    saved_by_gensim(tmp_path / "saved.kv", words, values)
    result = import_vectors(tmp_path / "saved.kv", tmp_path / "out")
    vectors = open_vectors(tmp_path / "out")
    assert (result.format, result.kept, vectors.metadata.count) == ("gensim", count, count)
    assert vectors.words == words
    np.testing.assert_array_equal(vectors.table[1:], values)


def test_neighbours_that_are_equally_near_but_for_rounding_are_in_order(tmp_path):
    """Vectors of one direction and many lengths: their cosines are 1, but for their last bits."""
    words = [f"w{number}" for number in range(40)]
    values = np.outer(np.arange(1, 41) / 7, VALUES[0]).astype(np.float32)
    (tmp_path / "file").write_bytes(binary(words, values))
    import_vectors(tmp_path / "file", tmp_path / "out")
    vectors = open_vectors(tmp_path / "out")
    assert [near.word for near in nearest_words(vectors, "w0", 39)] == words[1:]


def test_gensim_writes_what_is_read(tmp_path):
    vectors = saved_by_gensim(tmp_path / "saved.kv")
    for binary_ in (False, True):
        vectors.save_word2vec_format(str(tmp_path / "w2v"), binary=binary_)
        import_vectors(tmp_path / "w2v", tmp_path / "out")
        np.testing.assert_allclose(open_vectors(tmp_path / "out").table[1:], VALUES, atol=1e-7)
    assert detect_format(tmp_path / "w2v") == "word2vec-binary"


def test_whole_models_of_gensim(tmp_path):
    models = pytest.importorskip("gensim.models", reason="needs glossator[vectors]")
    sentences = [["salt", "and", "pepper"], ["pepper", "and", "salt"]] * 5
    model = models.Word2Vec(sentences, vector_size=8, min_count=1, seed=1, workers=1)
    model.save(str(tmp_path / "model"))
    import_vectors(tmp_path / "model", tmp_path / "out")
    vectors = open_vectors(tmp_path / "out")
    np.testing.assert_array_equal(vectors.table[1:], model.wv.vectors)
    assert vectors.words == model.wv.index_to_key


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('it ran')",))


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    pytest.importorskip("gensim", reason="needs glossator[vectors]")
    (tmp_path / "evil.kv").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(DataError, match=r"builtins\.exec"):
        import_vectors(tmp_path / "evil.kv", tmp_path / "out")


def test_a_pickle_beside_a_part_of_a_model_is_never_opened(tmp_path):
    models = pytest.importorskip("gensim.models", reason="needs glossator[vectors]")
    model = models.Word2Vec([["salt", "and", "pepper"]], vector_size=2, min_count=1, seed=1, workers=1)
    model.wv.__dict__["__scipys"] = ["evil"]
    model.__dict__["__recursive_saveloads"] = ["wv"]
    with (tmp_path / "model").open("wb") as file:
        pickle.dump(model, file)
    (tmp_path / "model.wv.evil.npy").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(DataError, match="sparse matrices"):
        import_vectors(tmp_path / "model", tmp_path / "out")


words_ = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)
numbers = st.floats(-1e6, 1e6, width=32)


@given(
    st.dictionaries(words_, st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=8),
    st.booleans(),
    st.booleans(),
)
def test_any_vectors_come_back(tmp_path_factory, table, headed, as_binary):
    values = np.asarray(list(table.values()), dtype=np.float32)
    if as_binary:
        content = binary(list(table), values)
        format_ = "word2vec-binary"
    else:
        body = "".join(
            f"{word} {' '.join(map(repr, row))}\n" for word, row in zip(table, values.tolist(), strict=True)
        )
        content = f"{len(table)} 3\n{body}" if headed else body
        format_ = "word2vec" if headed else "glove"
    result, found = imported(tmp_path_factory.mktemp("any"), content, format=format_)
    assert (result.skipped, list(found)) == (0, list(table))
    np.testing.assert_array_equal(np.stack(list(found.values())), values)
