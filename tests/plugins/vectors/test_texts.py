"""Reading texts in pieces."""

from __future__ import annotations

from glossator.commands import InputFormat
from glossator.plugins.manager import PluginManager
from glossator_vectors.texts import paragraphs
from glossator_vectors.texts.paragraphs import read_paragraphs


def test_plain_text_comes_in_paragraphs(tmp_path, monkeypatch):
    monkeypatch.setattr(paragraphs, "MAX_PARAGRAPH_LENGTH", 12)
    content = "One line\r\nand the next.\r\n\r\n\r\n  \r\nThree\r\nfour\r\nfive six seven\r\neight"
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + content.encode())
    (tmp_path / "b.jsonl").write_text('{"text": "whole\\n\\ndocument"}\n')
    records = list(read_paragraphs([tmp_path], InputFormat(), PluginManager.from_environment()))
    assert [(record.text, record.line) for record in records] == [
        ("One line\nand the next.", 1),
        ("Three\nfour\nfive six seven", 6),
        ("eight", 9),
        ("whole\n\ndocument", 1),
    ]
