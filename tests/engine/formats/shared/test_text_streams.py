from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from glossator.errors import DataError, UsageError
from glossator.formats.shared.blocks import comment_lines, parse_comments, read_blocks
from glossator.formats.shared.text_streams import open_output, read_lines, read_text
from glossator.formats.text import TextFiles


def lines_of(data: bytes, folder: Path, encoding: str = "utf-8") -> list:
    path = folder / "given.txt"
    path.write_bytes(data)
    return list(read_lines(path, "given.txt", encoding))


def test_byte_order_mark_and_all_line_ends(tmp_path):
    data = b"\xef\xbb\xbfone\r\ntwo\rthree\nfour"
    assert lines_of(data, tmp_path) == [(1, "one"), (2, "two"), (3, "three"), (4, "four")]


def test_unicode_separators_end_no_line(tmp_path):
    text = "a\x85b\u2028c\x0bd\x1ce\u2029f"
    assert lines_of(text.encode(), tmp_path) == [(1, text)]


def test_a_bad_byte_costs_its_line_only(tmp_path):
    first, bad, last = lines_of(b"good\ncaf\xe9\nbetter\n", tmp_path)
    assert (first, last) == ((1, "good"), (3, "better"))
    assert isinstance(bad, DataError)
    assert str(bad).startswith("given.txt:2: the byte 0xe9 is not utf-8")
    assert "--encoding" in str(bad)


def test_another_encoding(tmp_path):
    assert lines_of("café – ça".encode("cp1252"), tmp_path, "cp1252") == [(1, "café – ça")]
    assert lines_of("x\ny".encode("utf-16"), tmp_path, "utf-16") == [(1, "x"), (2, "y")]


def test_a_file_that_ends_inside_a_character_keeps_its_lines(tmp_path):
    *good, bad = lines_of("one\ntwo\n".encode("utf-16") + b"x", tmp_path, "utf-16")
    assert all(isinstance(item, tuple) for item in good)
    assert isinstance(bad, DataError)


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "hex", ""])
def test_no_such_encoding(tmp_path, encoding):
    with pytest.raises(UsageError, match="there is no encoding"):
        lines_of(b"x", tmp_path, encoding)


def test_what_cannot_be_read_is_a_data_error(tmp_path):
    for path in (tmp_path / "absent.txt", tmp_path):
        (error,) = read_lines(path, "it", "utf-8")
        assert isinstance(error, DataError)
        assert str(error).startswith("it: cannot be read")
        with pytest.raises(DataError, match="it: cannot be read"):
            read_text(path, "it", "utf-8")


def test_text_names_the_line_of_a_bad_byte(tmp_path):
    path = tmp_path / "given.txt"
    path.write_bytes(b"one\r\ntwo\r\nthr\xffee\n")
    with pytest.raises(DataError) as caught:
        read_text(path, "given.txt", "utf-8")
    assert caught.value.line == 3
    assert read_text(path, "given.txt", "latin-1") == "one\ntwo\nthrÿee\n"


def test_standard_input_stays_open(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO("\ufeffeins\r\nzwölf\n".encode()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert list(read_lines(Path("-"), "stdin", "utf-8")) == [(1, "eins"), (2, "zwölf")]
    assert not stream.buffer.closed


def test_standard_output_is_utf8_and_stays_open(capsysbinary):
    print("before", end=" ")
    file = open_output(Path("-"), append=False)
    file.write("zwölf\n")
    file.close()
    del file
    print("after", end="")
    assert capsysbinary.readouterr().out == "before zwölf\nafter".encode()


@pytest.mark.parametrize(
    ("present", "ending", "result"),
    [
        ("", "\n", "new"),
        ("whole\n", "\n", "whole\nnew"),
        ("cut off", "\n", "cut off\nnew"),
        ("block\n\n", "\n\n", "block\n\nnew"),
        ("cut off\n", "\n\n", "cut off\n\nnew"),
        ("cut off", "\n\n", "cut off\n\nnew"),
    ],
)
def test_appending_goes_on_after_what_was_cut_off(tmp_path, present, ending, result):
    path = tmp_path / "out.txt"
    path.write_text(present)
    with open_output(path, append=True, ending=ending) as file:
        file.write("new")
    assert path.read_text() == result


def test_appending_to_nothing_makes_the_file(tmp_path):
    with open_output(tmp_path / "out.txt", append=True) as file:
        file.write("new")
    assert (tmp_path / "out.txt").read_bytes() == b"new"


def test_output_that_cannot_be_written(tmp_path):
    with pytest.raises(DataError, match="cannot be written"):
        open_output(tmp_path / "no" / "out.txt", append=False)
    with pytest.raises(DataError, match="cannot be written"):
        open_output(tmp_path, append=True)


def test_a_bad_byte_costs_its_block_only(tmp_path):
    path = tmp_path / "given.txt"
    path.write_bytes(b"\n a\n b\n\t \nc\n\xff\nd\n\n\ne")
    first, bad, last = read_blocks(path, "given.txt", "utf-8")
    assert first == [(2, " a"), (3, " b")]
    assert isinstance(bad, DataError)
    assert bad.line == 6
    assert last == [(10, "e")]


def test_comments_become_fields_and_comments_again():
    lines = ["# sent_id = a=b", "#newpar", "# sent_id = again", "# empty ="]
    fields = parse_comments(lines)
    assert fields == {"sent_id": "a=b", "empty": "", "comments": ["newpar", "sent_id = again"]}
    assert parse_comments(comment_lines(fields)) == fields


def test_fields_that_are_no_text_become_json_comments():
    assert comment_lines({"id": 7, "note": "two\nlines"}) == ["# id = 7", '# note = "two\\nlines"']


@pytest.mark.parametrize(
    ("unit", "documents"),
    [
        ("file", [(1, "\nOne.\nTwo.\n\n \nThree.\n")]),
        ("line", [(2, "One."), (3, "Two."), (6, "Three.")]),
        ("paragraph", [(2, "One.\nTwo."), (6, "Three.")]),
    ],
)
def test_what_one_document_of_a_text_is(tmp_path, unit, documents):
    path = tmp_path / "given.txt"
    path.write_bytes(b"\xef\xbb\xbf\r\nOne.\r\nTwo.\r\n\r\n \r\nThree.\r\n")
    records = list(TextFiles(unit).read(path, name="given.txt", encoding="utf-8"))
    assert [(record.line, record.text) for record in records] == documents
    assert all(record.raw and record.file == "given.txt" for record in records)


@pytest.mark.parametrize("unit", ["file", "line", "paragraph"])
def test_a_text_that_is_not_there(tmp_path, unit):
    (error,) = TextFiles(unit).read(tmp_path / "absent", name="absent", encoding="utf-8")
    assert isinstance(error, DataError)


def test_a_unit_nobody_knows():
    with pytest.raises(UsageError, match="'chapter'"):
        TextFiles("chapter")
