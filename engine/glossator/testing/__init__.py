"""The checks behind `glossator plugins check`: one contract for all stages, built-in or of any plugin.

Example:
    from glossator.testing import assert_conforms

    def test_my_tagger():
        assert_conforms("tagger", "my-plugin/my-tagger", settings={"width": 32}, layer="tag")
"""

from __future__ import annotations

from glossator.testing.outcome import CheckResult, Outcome
from glossator.testing.runner import CHECKS, assert_conforms, check_name, check_stage, run_checks, variants

__all__ = [
    "CHECKS",
    "CheckResult",
    "Outcome",
    "assert_conforms",
    "check_name",
    "check_stage",
    "run_checks",
    "variants",
]
