"""What CSV and TSV files come to, and what they lose where they are wrong."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glossator.errors import DataError, UsageError
from glossator.formats.csv_table import Table, tab_separated
from glossator.formats.record import Record


def read(folder: Path, table: Table, content: str | bytes) -> list[Record | DataError]:
    path = folder / "given.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(table.read(path, name="given.csv", encoding="utf-8"))


def test_columns_by_name(tmp_path):
    content = "id,text,mood,\n7,Fine bread here.,good,x\n8,The soup was cold.,bad,y\n"
    first, second = read(tmp_path, Table(label="mood"), content)
    assert (first.text, first.cats, first.fields) == ("Fine bread here.", {"good": 1.0}, {"id": "7"})
    assert (first.file, first.line, first.raw) == ("given.csv", 2, True)
    assert (second.text, second.cats, second.line) == ("The soup was cold.", {"bad": 1.0}, 3)


def test_quotes_marks_and_line_ends(tmp_path):
    rows = b'"He said ""no"", twice.\r\n\r\nThen left.",calm\r\n\r\n,\r\nOn we go!,"calm"\r\n'
    first, second = read(tmp_path, Table(), b"\xef\xbb\xbftext,label\r\n" + rows)
    assert first.text == 'He said "no", twice.\n\nThen left.'
    assert (second.text, second.line) == ("On we go!", 7)
    assert first.cats == second.cats == {"calm": 1.0}


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1).filter(str.strip),
            st.sampled_from(["rain", "snow, wet", 'so "called"']),
        )
    ),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_csv_writer_wrote_is_read(tmp_path_factory, rows, delimiter, ending):
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, lineterminator=ending).writerows([("text", "label"), *rows])
    found = read(tmp_path_factory.mktemp("table"), Table(delimiter=delimiter), written.getvalue())
    assert [(record.text, list(record.cats)) for record in found] == [(text, [label]) for text, label in rows]


def test_names_given_for_a_table_without_a_header(tmp_path):
    for header in (["text", "label", "id"], "text,label,id"):
        (record,) = read(tmp_path, tab_separated(header=header), "text\tlabel\tid\n")
        assert (record.text, record.cats, record.fields) == ("text", {"label": 1.0}, {"id": "id"})


def test_several_labels_in_a_cell(tmp_path):
    table = tab_separated(label_separator=",", labels=["joy", "fear", "awe"])
    content = "text\tlabel\nA storm!\t2, 1\nA cake!\tjoy\nA chair.\t\n"
    assert [record.cats for record in read(tmp_path, table, content)] == [
        {"joy": 0.0, "fear": 1.0, "awe": 1.0},
        {"joy": 1.0, "fear": 0.0, "awe": 0.0},
        {"joy": 0.0, "fear": 0.0, "awe": 0.0},
    ]


def test_one_label_by_name_or_number(tmp_path):
    table = Table(labels="no,yes,1")
    items = read(tmp_path, table, "text,label\na,yes\nb,0\nc,1\nd,3\ne,-1\nf,Yes\ng,\n")
    cats = [item.cats for item in items if isinstance(item, Record)]
    assert cats[:3] == [{"no": float(n == 0), "yes": float(n == 1), "1": float(n == 2)} for n in (1, 0, 2)]
    assert cats[3:] == [None]
    assert [(item.line, item.message[:3]) for item in items if isinstance(item, DataError)] == [
        (5, "'3'"),
        (6, "'-1"),
        (7, "'Ye"),
    ]


def test_a_table_without_labels_is_text(tmp_path):
    (record,) = read(tmp_path, Table(text="body"), "subject,body\nTide,The ferry is late.\n")
    assert (record.text, record.cats, record.fields) == ("The ferry is late.", None, {"subject": "Tide"})


def test_bad_rows_cost_themselves_alone(tmp_path):
    content = b'text,label\na,x\nb\nc,x,y\nd\xff,x\n"e"e,x\nf,x\n"g\xff\nh,x\n'
    items = read(tmp_path, Table(), content)
    assert [item.text for item in items if isinstance(item, Record)] == ["a", "f", "h"]
    errors = [item for item in items if isinstance(item, DataError)]
    assert [error.line for error in errors] == [3, 4, 5, 6, 8]
    assert "1 cells, not 2" in str(errors[0])
    assert "0xff" in str(errors[2])


@pytest.mark.parametrize("rest", [["b,x", "c,x"], ["b,x", '"c",x', '"d"', "e,x"]])
def test_an_open_quote_swallows_nothing(tmp_path, rest):
    items = read(tmp_path, Table(), "\n".join(["text,label", '"a,x', *rest]))
    assert isinstance(items[0], DataError)
    assert items[0].line == 2
    alone = read(tmp_path, Table(), "\n".join(["text,label", *rest]))
    assert [item.text for item in items[1:] if isinstance(item, Record)] == [
        item.text for item in alone if isinstance(item, Record)
    ]


def test_an_open_quote_swallows_nothing_before_a_byte_that_cannot_be_read(tmp_path):
    rows = b"".join(b"row %d,calm\n" % number for number in range(5))
    opened, *good, byte, last = read(
        tmp_path, Table(), b'text,label\n"never closed,calm\n' + rows + b"\xff,calm\nlast,calm\n"
    )
    assert (opened.line, "a quote is not closed" in str(opened)) == (2, True)
    assert [record.text for record in good] == [f"row {number}" for number in range(5)]
    assert (byte.line, last.text) == (8, "last")


def test_a_column_may_be_called_by_a_number(tmp_path):
    (record,) = read(tmp_path, Table(text=0, label=2019), "0,2019\nFine.,calm\n")
    assert (record.text, record.cats) == ("Fine.", {"calm": 1.0})


def test_a_cell_may_hold_a_book(tmp_path):
    book = "So it went on. " * 20_000
    (record,) = read(tmp_path, Table(), f'text,label\n"{book}",long\n')
    assert record.text == book


@pytest.mark.parametrize(
    ("table", "content", "message"),
    [
        (
            Table(text="body"),
            "text,label\na,x\n",
            "no column 'body', only text, label: set the option text",
        ),
        (
            Table(label="mood"),
            "text,label\na,x\n",
            "no column 'mood', only text, label: set the option label",
        ),
        (Table(), "text;label\na;x\n", "no column 'text', only text;label"),
        (Table(), "text,a,a\nb,c,d\n", "two columns 'a'"),
        (Table(), b"text,\xff\na,x\n", "0xff"),
        (Table(header=["label"]), "x\n", "no column 'text'"),
    ],
)
def test_a_table_without_its_columns_is_one_error(tmp_path, table, content, message):
    (error,) = read(tmp_path, table, content)
    assert isinstance(error, DataError)
    assert message in str(error)
    assert str(error).startswith("given.csv:1: ")


def test_an_empty_table_has_no_documents(tmp_path):
    assert read(tmp_path, Table(), "") == []
    assert read(tmp_path, Table(), "text,label\n") == []


def test_a_missing_table_is_one_error(tmp_path):
    (error,) = Table().read(tmp_path / "none.csv", name="none.csv", encoding="utf-8")
    assert "none.csv: cannot be read" in str(error)


def test_options_that_contradict_each_other(tmp_path):
    with pytest.raises(UsageError, match="label_separator needs the list of all labels"):
        Table(label_separator=",")
    with pytest.raises(UsageError, match="header = false"):
        Table(header=False)
    with pytest.raises(UsageError, match="delimiter = ';;'"):
        read(tmp_path, Table(delimiter=";;"), "text;;label\n")
