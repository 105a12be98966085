"""What each column format reads, and what it makes of files that are wrong."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from glossator.errors import DataError, UsageError
from glossator.formats.conll import Columns
from glossator.formats.conllu import ConllU
from glossator.formats.iob2 import Iob2
from glossator.formats.record import CharSpan, Record


@pytest.fixture
def read(tmp_path: Path):
    def read_text(file_format, text: str) -> list[Record | DataError]:
        path = tmp_path / "given"
        path.write_text(text, encoding="utf-8")
        return list(file_format.read(path, name="given", encoding="utf-8"))

    return read_text


def words(record: Record) -> list[str]:
    return record.tokens.words


def labelled(record: Record) -> list[tuple[str, str]]:
    return [(record.text[span.start : span.end], span.label) for span in record.spans]


def test_columns_with_iob1_and_docstart(read):
    text = "-DOCSTART- O\n\nAda I-PER\nLovelace I-PER\nmet O\nMary I-PER\n\n-DOCSTART- -X- O O\n\nHi O\n"
    first, second = read(Columns(), text)
    assert first.text == "Ada Lovelace met Mary"
    assert labelled(first) == [("Ada Lovelace", "PER"), ("Mary", "PER")]
    assert (first.raw, first.line, first.file) == (False, 3, "given")
    assert first.tokens.spaces == [True, True, True, False]
    assert first.tokens.sent_starts == [0]
    assert (second.text, second.spans) == ("Hi", [])


def test_comments_may_follow_docstart(read):
    (record,) = read(Columns(), "-DOCSTART- -X- O\n# id = 1\nHi\tO\n")
    assert (record.text, record.fields, record.line) == ("Hi", {"id": "1"}, 3)


def test_lines_of_blanks_and_tabs_separate_sentences(read):
    assert [words(record) for record in read(Columns(), "a\tO\n\t\nb\tO\n \nc\tO\n\t \t\n\n")] == [
        ["a"],
        ["b"],
        ["c"],
    ]


@pytest.mark.parametrize("delimiter", ["\t", " "])
def test_words_that_begin_with_a_number_sign_are_no_comments(read, delimiter):
    rows = "# sent_id = 4\n#newpar\n#{0}O\n#{0}B-X\n#tag{0}O\n# note\nend{0}O\n".replace("{0}", delimiter)
    spoilt, whole = read(Columns(), rows + "\n#tag{0}I-X\nyes{0}O\n".replace("{0}", delimiter))
    assert isinstance(spoilt, DataError)  # "# note" stands inside the sentence
    assert spoilt.line == 6
    assert (words(whole), labelled(whole)) == (["#tag", "yes"], [("#tag", "X")])
    (record,) = read(Columns(), rows.replace("# note\n", ""))
    assert words(record) == ["#", "#", "#tag", "end"]
    assert record.fields == {"sent_id": "4", "comments": ["newpar"]}


def test_comments_may_have_as_many_words_as_there_are_columns(read):
    (record,) = read(Columns(), "# sent_id = 3\n# SYM B-NP O\n5 CD I-NP B-MISC\n")
    assert words(record) == ["#", "5"]
    assert record.fields == {"sent_id": "3"}
    (record,) = read(Columns(), "# text = O\nso\tRB\tO\tO\n")
    assert (words(record), record.fields) == (["so"], {"text": "O"})


def test_a_sentence_of_comments_only_is_none(read):
    assert read(Columns(), "# one\n# two words more\n\nx\tO\n")[0].text == "x"


def test_one_column_has_no_entities(read):
    first, second = read(Columns(), "Hello\nworld\n\n#\nbye\n")
    assert (first.text, first.spans) == ("Hello world", None)
    assert words(second) == ["#", "bye"]
    (tagged,) = read(Columns(columns=["token"]), "#tag\nbye\n")
    assert words(tagged) == ["#tag", "bye"]


def test_named_columns(read):
    text = "Ada\tx\tNNP\tPROPN\tB-PER\nruns\tx\t_\tVERB\tO\n"
    (record,) = read(Columns(delimiter="tab", columns="token, _,tag,pos,ner"), text)
    assert record.tokens.tags == ["NNP", ""]
    assert record.tokens.pos == ["PROPN", "VERB"]
    assert labelled(record) == [("Ada", "PER")]


def test_any_delimiter(read):
    (record,) = read(Columns(delimiter="|"), "New York|B-LOC\nnow|O\n")
    assert labelled(record) == [("New York", "LOC")]
    (record,) = read(Columns(delimiter="space"), " York   B-LOC \nnow O\n")
    assert labelled(record) == [("York", "LOC")]


@pytest.mark.parametrize(
    ("bad", "line", "says"),
    [
        ("x\tO\ny\tFOO\n", 4, "'FOO'"),
        ("x\tO\ny\t-\n", 4, "'-'"),
        ("x\tO\ny\n", 4, "1 columns, not 2"),
        ("x\ny\tO\n", 4, "2 columns, not 1"),
        ("x\tO\nz\tO\ty\n", 4, "3 columns, not 2"),
        ("x\tO\n\tB-PER\n", 4, "B-PER has no token"),
    ],
)
def test_a_wrong_row_costs_its_sentence_only(read, bad, line, says):
    first, error, last = read(Columns(), f"a\tO\n\n{bad}\nb\tO\n")
    assert (words(first), words(last)) == (["a"], ["b"])
    assert isinstance(error, DataError)
    assert (error.file, error.line) == ("given", line)
    assert says in error.message


def test_a_part_of_speech_that_is_not_universal(read):
    first, error = read(Columns(columns="token,pos"), "a\tNOUN\n\nb\tNN\n")
    assert first.tokens.pos == ["NOUN"]
    assert "'NN' is not a universal part of speech" in str(error)


def test_rows_of_a_blank_token_are_left_out(read):
    first, second = read(Columns(), "a\tO\n\tO\nb c\tO\n \tO\n\n\tO\n")
    assert words(first) == ["a", "b c"]
    assert (second.text, words(second), second.spans) == ("", [], [])


@pytest.mark.parametrize("columns", ["ner", "token,token", "token,ner,ner", "token,lemma", []])
def test_columns_that_cannot_be(columns):
    with pytest.raises(UsageError, match="columns"):
        Columns(columns=columns)


def iob2(*rows: tuple[str, str], text: str | None = None) -> str:
    comments = "# sent_id = s1\n" + (f"# text = {text}\n" if text is not None else "")
    return comments + "".join(f"{n}\t{word}\t{tag}\t-\tme\n" for n, (word, tag) in enumerate(rows, 1)) + "\n"


def test_iob2_takes_spaces_from_the_text(read):
    (record,) = read(Iob2(), iob2(("Ada", "B-PER"), ("'s", "O"), ("(", "O"), ("ok", "O"), text="Ada's (ok"))
    assert (record.text, record.raw) == ("Ada's (ok", True)
    assert record.tokens.spaces == [False, True, False, False]
    assert (record.spans, record.fields) == ([CharSpan(0, 3, "PER")], {"sent_id": "s1"})


def test_iob2_joins_tokens_where_the_text_does_not_fit(read):
    rows = (("de", "O"), ("Ada", "B-PER"))
    joined, doubled, without = read(
        Iob2(), iob2(*rows, text="d'Ada") + iob2(*rows, text="de  Ada") + iob2(*rows)
    )
    assert joined.fields == {"sent_id": "s1", "text": "d'Ada"}
    assert doubled.fields == {"sent_id": "s1", "text": "de  Ada"}
    assert without.fields == {"sent_id": "s1"}
    for record in (joined, doubled, without):
        assert (record.text, record.raw, labelled(record)) == ("de Ada", False, [("Ada", "PER")])


def test_iob2_rows_that_are_no_words(read):
    text = "1-2\tdu\t_\t-\t-\n1\tde\tO\t-\t-\n2\tle\tO\t-\t-\n2.1\tx\tO\t-\t-\n3\tRhin\tB-LOC\t-\t-\n"
    (record,) = read(Iob2(), text)
    assert (record.text, labelled(record)) == ("de le Rhin", [("Rhin", "LOC")])


@pytest.mark.parametrize("bad", ["2\ty\tX-PER\t-\t-", "2\ty", "y\tO", "b\ty\tO\t-\t-", "2\t \tO\t-\t-"])
def test_iob2_with_a_wrong_row(read, bad):
    error, good = read(Iob2(), f"1\tx\tO\t-\t-\n{bad}\n\n" + iob2(("z", "O")))
    assert isinstance(error, DataError)
    assert error.line == 2
    assert words(good) == ["z"]


def test_labels_that_would_break_a_row_are_written_without_line_ends(tmp_path):
    doc = Doc(Vocab(), words=["Ann", "left"])
    doc.set_ents([Span(doc, 0, 1, label="PER\n\tX")])
    for file_format in (Columns(), Iob2()):
        writer = file_format.writer(tmp_path / "out")
        writer.write(doc, Record("Ann left"))
        writer.close()
        [record] = file_format.read(tmp_path / "out", name="out", encoding="utf-8")
        assert words(record) == ["Ann", "left"]


@pytest.mark.parametrize("numbers", [("1", "2", "1"), ("1", "1"), ("2", "1"), ("1", "9" * 5_000)])
def test_conllu_with_numbers_that_do_not_rise(read, numbers):
    bad = conllu(*(f"{number} x NOUN _ _" for number in numbers))
    error, good = read(ConllU(), bad + conllu("1 z NOUN _ _"))
    assert isinstance(error, DataError)
    assert words(good) == ["z"]


def conllu(*rows: str) -> str:
    """Rows of "ID FORM UPOS XPOS MISC" as CoNLL-U."""
    cells = (row.split() for row in rows)
    return (
        "".join(
            f"{n}\t{form}\t_\t{upos}\t{xpos}\t_\t_\t_\t_\t{misc}\n" for n, form, upos, xpos, misc in cells
        )
        + "\n"
    )


def test_conllu_words_tags_and_spaces(read):
    text = conllu("1 She PRON PRP _", "2 left VERB VBD A=b|SpaceAfter=No", "3 . PUNCT _ SpaceAfter=No")
    (record,) = read(ConllU(), "# newdoc\n# sent_id = 7\n" + text)
    assert (record.text, record.raw, record.spans) == ("She left.", True, None)
    assert record.tokens.pos == ["PRON", "VERB", "PUNCT"]
    assert record.tokens.tags == ["PRP", "VBD", ""]
    assert record.fields == {"sent_id": "7", "comments": ["newdoc"]}


def test_conllu_without_tags_or_spaces(read):
    (record,) = read(ConllU(), conllu("1 a _ _ _", "2 b _ _ _"))
    assert (record.text, record.raw) == ("a b", False)
    assert (record.tokens.tags, record.tokens.pos) == (None, None)


def test_conllu_surface_of_several_words(read):
    rows = [
        "1-2 can't _ _ SpaceAfter=No",
        "1 ca AUX _ _",
        "2 n't PART _ _",
        "2.1 gone VERB _ _",
        "3 ! PUNCT _ _",
    ]
    (record,) = read(ConllU(), conllu(*rows))
    assert (record.text, record.raw) == ("can't!", True)
    rows = ["1-2 du _ _ _", "1 de ADP _ _", "2 le DET _ _", "3 pain NOUN _ SpaceAfter=No", "4 . PUNCT _ _"]
    contracted, stated = read(ConllU(), conllu(*rows) + "# text = du pain.\n" + conllu(*rows))
    assert (contracted.text, contracted.raw) == ("de le pain.", False)
    assert (stated.text, stated.raw, stated.fields) == ("de le pain.", False, {"text": "du pain."})


def test_conllu_prefers_the_text_to_the_rows(read):
    (record,) = read(ConllU(), "# text = a-b\n" + conllu("1 a NOUN _ _", "2 - SYM _ _", "3 b NOUN _ _"))
    assert (record.text, record.raw, record.fields) == ("a-b", True, {})


@pytest.mark.parametrize("bad", ["2 y NN _ _", "two y NOUN _ _"])
def test_conllu_with_a_wrong_row(read, bad):
    error, good = read(ConllU(), conllu("1 x NOUN _ _", bad) + conllu("1 z X _ _"))
    assert isinstance(error, DataError)
    assert error.line == 2
    assert words(good) == ["z"]


def test_conllu_with_too_few_columns(read):
    (error,) = read(ConllU(), "1\tx\t_\tNOUN\n")
    assert "4 tab-separated columns" in str(error)


def test_a_missing_file_is_one_data_error(tmp_path):
    for file_format in (Columns(), Iob2(), ConllU()):
        (error,) = file_format.read(tmp_path / "absent", name="absent", encoding="utf-8")
        assert isinstance(error, DataError)


def test_sentences_come_before_the_input_ends(monkeypatch):
    class Endless(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            row = b"a\tO\n\n"
            buffer[: len(row)] = row
            return len(row)

    stream = io.TextIOWrapper(io.BufferedReader(Endless()))
    monkeypatch.setattr("sys.stdin", stream)
    records = Columns().read(Path("-"), name="stdin", encoding="utf-8")
    assert [next(records).line for _ in range(3)] == [1, 3, 5]
    records.close()
