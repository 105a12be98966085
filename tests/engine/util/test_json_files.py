from __future__ import annotations

import pytest

from glossator.errors import PipelineError
from glossator.util.json_files import read_json_object


def test_an_object_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"labels": ["é"]}', encoding="utf-8")
    assert read_json_object(tmp_path / "a.json") == {"labels": ["é"]}


@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]", b'"a"', b"\x84{}", b'{"a": "\xff"}'])
def test_a_file_that_is_missing_or_holds_something_else_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(PipelineError, match=r"a\.json is (missing or )?damaged"):
        read_json_object(tmp_path / "a.json")
