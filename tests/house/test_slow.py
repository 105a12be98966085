"""What `pytest -m "not slow"` leaves out."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
# Written at the left margin: a test may ask for a framework inside itself.
LOADS_TENSORFLOW = re.compile(r'^(\w+ = )?pytest\.importorskip\("tensorflow"', re.MULTILINE)
SLOW = re.compile(r"^pytestmark = \[?\s*pytest\.mark\.slow", re.MULTILINE)


def test_modules_that_load_tensorflow_or_install_packages_are_slow():
    code = {path: path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py")}
    long = [path for path in code if LOADS_TENSORFLOW.search(code[path]) or path.parent.name == "packaging"]
    assert len(long) > 10
    assert [path.name for path in long if not SLOW.search(code[path])] == []
